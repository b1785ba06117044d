"""Corpora with dimensional labels, made of recordings of the demo corpora and a registry of the test's own."""

import shutil

AROUSAL = {"W": 6.5, "F": 5.5, "N": 3.5, "L": 2.0, "T": 1.5}  # of demo-aria's codes: anger, happiness, ...

REGISTRY = r"""
moods:  # labels and dimensions
  language: qaa
  path: '(?:^|/)(?P<speaker>[fm]\d\d)_(?P<text>s\d\d)_(?P<label>[A-Z])(?P<take>\d+)$'
  labels: {W: anger, L: boredom, F: happiness, N: neutral, T: sadness}
  tables:
    ratings: {file: ratings.csv, key: name, columns: {arousal: act, valence: val}}
  dimensions: {arousal: {low: 1, high: 7}, valence: {low: -1, high: 1}}
rated:  # dimensions only
  language: qab
  path: '(?:^|/)(?P<speaker>[fm]\d\d)_(?P<text>s\d\d)_(?P<code>[A-Z])(?P<take>\d+)$'
  tables:
    ratings: {file: ratings.csv, key: name, columns: {arousal: act}}
  dimensions: {arousal: {low: 0, high: 100}}
named:  # labels only
  language: qac
  path: '(?:^|/)(?P<speaker>[fm]\d\d)_(?P<text>s\d\d)_(?P<label>[A-Z])(?P<take>\d+)$'
  labels: {W: anger, L: boredom, F: happiness, N: neutral, T: sadness}
sleepy:  # ordered levels that are no emotions
  language: qad
  path: '(?:^|/)(?P<speaker>[fm]\d\d)_(?P<text>s\d\d)_(?P<label>[A-Z])(?P<take>\d+)$'
  labels: {T: "3", N: "2", L: "3", F: "1", W: "1"}
  levels: ["1", "2", "3"]
"""
# Utterances of `moods` whose arousal is not known; f01_s02_W1 has one that is out of range.
UNKNOWN, OUTSIDE = ("f01_s01_W1", "m02_s01_N1"), "f01_s02_W1"


def arousal(stem):
    """Of an utterance, 1 to 7."""
    speaker, text, code = stem.split("_")
    return AROUSAL[code[0]] + (int(speaker[1:]) - 2) * 0.1 + int(text[1:]) * 0.05 - 0.1


def write(folder, recordings):
    """The registry and, below ``folder``, 5 speakers of demo-aria in two sentences each as four corpora."""
    few = shutil.ignore_patterns("*_s0[3-9]_*", "m0[345]_*", "f0[45]_*")
    source = recordings["demo-aria"]
    for key in ("moods", "rated", "named", "sleepy"):
        shutil.copytree(source, folder / key, ignore=few)
    stems = sorted(path.stem for path in (folder / "moods").glob("*.wav"))
    lines = ["name,act,val"]
    for stem in stems:
        value = "" if stem in UNKNOWN else "9.5" if stem == OUTSIDE else f"{arousal(stem):.2f}"
        lines.append(f"{stem},{value},{0.5 if '_F' in stem else -0.5 + 0.01 * len(lines)}")
    (folder / "moods" / "ratings.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rated = ["name,act", *(f"{stem},{100 * (arousal(stem) - 1) / 6:.1f}" for stem in stems)]
    (folder / "rated" / "ratings.csv").write_text("\n".join(rated) + "\n", encoding="utf-8")
    (folder / "corpora.yaml").write_text(REGISTRY, encoding="utf-8")
    return folder
