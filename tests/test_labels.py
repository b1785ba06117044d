"""Label spaces: the maps of the papers, and strict reading of a user's own."""

import re

import pytest

from emoset_cli.corpora import load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.labels import common_labels, map_labels, spaces

BUILT_IN = spaces()


def test_built_in_spaces():
    assert list(BUILT_IN) == ["arousal", "valence", "three-class", "three-class-parry", "iemocap4"]
    assert BUILT_IN["arousal"].labels == ("low", "high")
    for name in ("valence", "three-class", "three-class-parry"):
        assert BUILT_IN[name].labels == ("negative", "neutral", "positive")
    assert all(space.source and set(space.map.values()) == set(space.labels) for space in BUILT_IN.values())


def test_emonet_table_2_is_whole():
    arousal, valence = BUILT_IN["arousal"].map, BUILT_IN["valence"].map
    assert set(arousal) == set(valence) and len(arousal) == 47
    cells = {(low, sign): 0 for low in ("low", "high") for sign in ("negative", "neutral", "positive")}
    for term in arousal:
        cells[arousal[term], valence[term]] += 1
    assert list(cells.values()) == [13, 6, 5, 8, 6, 9]  # counted in table 2
    told = {"boredom": ("low", "neutral"), "pride": ("low", "positive"), "surprise": ("high", "neutral"),
            "fear": ("high", "negative"), "sadness": ("low", "negative"), "joy": ("high", "positive")}  # fmt: skip
    assert {term: (arousal[term], valence[term]) for term in told} == told


def test_where_the_papers_differ():
    labels = ["boredom", "interest", "calm", "surprise", "neutral", "happiness"]
    assert map_labels(labels, BUILT_IN["valence"]) == ["neutral", "neutral", None, "neutral", "neutral", "positive"]
    three = ["negative", "positive", "positive", "neutral", "neutral", "positive"]
    assert map_labels(labels, BUILT_IN["three-class"]) == three
    assert map_labels(labels, BUILT_IN["three-class-parry"]) == [None, None, None, None, "neutral", "positive"]


def test_what_the_registry_has_and_emonet_has_not():
    missing = {label for corpus in load_corpora().values() for label in corpus.label_names} - set(
        BUILT_IN["arousal"].map
    )
    assert missing == {
        "achievement", "apologetic", "assertive", "bothered", "breath", "calm", "concentrating", "concern",
        "encouraging", "enthusiasm", "other", "pain", "poker", "sarcasm", "sleepiness", "thinking", "unknown",
        "unsure",
    }  # fmt: skip


def test_common_labels():
    corpora = load_corpora()
    four = [corpora[key].label_names for key in ("emodb", "ravdess", "emovo", "urdu")]
    assert common_labels(four) == ("anger", "happiness", "sadness", "neutral")
    with pytest.raises(
        EmosetError, match=r"the corpora share 1 labels \(anger, joy; anger, fear\), at least 2.*\n  mend: choose"
    ):
        common_labels([("anger", "joy"), ("anger", "fear")])
    with pytest.raises(EmosetError, match="share 0 labels"):
        common_labels([])


def test_users_spaces_are_added(tmp_path):
    file = tmp_path / "spaces.yaml"
    file.write_text("anger-or-not:\n  map: {anger: [anger], other: [joy, sadness]}\n  source: me\n")
    found = spaces(file)
    assert list(found) == [*BUILT_IN, "anger-or-not"]
    assert map_labels(["joy", "anger", "fear"], found["anger-or-not"]) == ["other", "anger", None]


MISTAKES = [
    ("own:\n  map: {a: [x], b: [y]}\n  source: me\n", 1, "own: label space 'own' is emoset's own", "another name"),
    ("arousal:\n  map: {a: [x], b: [y]}\n  source: me\n", 1, "arousal: label space 'arousal' is emoset", "another"),
    ("mine:\n  map: {a: [x], b: [y]}\n", 1, "mine: 'source' is missing", "add 'source: ...' to the label space"),
    ("mine:\n  source: me\n", 1, "mine: 'map' is missing", "add 'map: ...' to the label space"),
    ("mine:\n  source: me\n  map: {a: [x]}\n", 3, "mine.map: there is one label only", "add a second one"),
    ("mine:\n  source: me\n  map:\n    a: [x]\n    b: [y, x]\n", 5, r"mine.map.b\[1\]: 'x' is mapped to 'a'", "remove"),
    ("mine:\n  source: me\n  map: {yes: [x], no: [y]}\n", 3, "mine.map: key: yes is true or false", "quote it: 'yes'"),
    ("mine:\n  source: me\n  maps: {}\n", 3, "mine: unknown key 'maps'", "did you mean 'map'"),
    ("mine:\n  source: me\n  map: {a: x, b: [y]}\n", 3, "mine.map.a: 'x' stands where a list is expected", "write"),
    ("mine: {\n", 2, "this is not valid YAML", "look at this line"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "problem", "mend"), MISTAKES)
def test_mistake_in_a_users_file(tmp_path, text, line, problem, mend):
    file = tmp_path / "spaces.yaml"
    file.write_text(text)
    with pytest.raises(EmosetError) as caught:
        spaces(file)
    assert re.search(f"spaces.yaml:{line}: {problem}", str(caught.value)), str(caught.value)
    assert re.search(mend, str(caught.value))
