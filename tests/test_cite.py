"""``emoset corpora show``, ``cite`` and ``spaces``, and the BibTeX of the entries."""

import re
from pathlib import Path

import pytest

from emoset_cli.cite import bibtex, told
from emoset_cli.corpora import Corpus, load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.labels import spaces

BUILT_IN = load_corpora()


@pytest.mark.parametrize("corpus", [c for c in BUILT_IN.values() if c.citation], ids=lambda corpus: corpus.key)
def test_bibtex_is_sound(corpus):
    text = bibtex(corpus)
    assert re.fullmatch(r"@[a-z]+\{[a-z0-9-]+,\n(  [a-z]+ = \{.+\},\n)+\}", text)
    assert text.count("{") == text.count("}") and not re.search(r"(?<!\\)[&%$#_]", text.replace("\n", ""))
    assert text.startswith(f"@{corpus.citation['type']}{{{corpus.key}{corpus.citation.get('year', '')},")


def mine(tmp_path: Path, citation: str) -> Corpus:
    (tmp_path / "own.yaml").write_text(f"mine:\n  language: deu\n  citation: {citation}\n", encoding="utf-8")
    return load_corpora(tmp_path / "own.yaml")["mine"]


def test_bibtex_escapes_what_latex_would_take_for_a_command(tmp_path):
    corpus = mine(
        tmp_path, r"{type: misc, author: '{R & D} and A_b {', title: '50 % #1 a\b ~ ^', doi: 10.1/a_b, year: 2001}"
    )
    assert bibtex(corpus) == (
        "@misc{mine2001,\n"
        "  author = {R \\& D and A\\_b },\n"
        "  title = {{50 \\% \\#1 a\\textbackslash{}b \\textasciitilde{} \\textasciicircum{}}},\n"
        "  doi = {10.1/a_b},\n  year = {2001},\n}"
    )
    assert bibtex(mine(tmp_path, "{type: book, author: '{The Lab}'}")) == "@book{mine,\n  author = {{The Lab}},\n}"
    assert told(corpus.citation).startswith("R & D, A_b")


def test_a_corpus_without_citation():
    with pytest.raises(EmosetError, match=r"no citation of ad \(described only in EmoNet .*\n  mend: add 'citation: {"):
        bibtex(BUILT_IN["ad"])
    with pytest.raises(EmosetError, match=r"no citation of resd\n  mend: see https://huggingface.*, or add 'citation"):
        bibtex(BUILT_IN["resd"])


def test_cite_prints_bibtex(emoset):
    done = emoset("corpora", "cite", "emodb,ravdess", "emodb")
    assert done.code == 0 and done.out == f"{bibtex(BUILT_IN['emodb'])}\n\n{bibtex(BUILT_IN['ravdess'])}\n"
    assert emoset("corpora", "cite", "emodb", "--json").json() == [
        {"corpus": "emodb", "bibtex": bibtex(BUILT_IN["emodb"])}
    ]


def test_cite_does_what_it_can(emoset):
    done = emoset("corpora", "cite", "ad", "emodb", "nix")
    assert done.code == 1 and done.out == f"{bibtex(BUILT_IN['emodb'])}\n"
    assert "no citation of ad" in done.err and "unknown corpus 'nix'" in done.err
    assert emoset("corpora", "cite", "ad").out == ""


def test_show_tells_how_to_go_on(emoset):
    closed = emoset("corpora", "show", "abc")
    assert closed.code == 0 and "neither the file names nor the labels are in our sources" in closed.out
    assert "emoset corpora import abc TABLE.csv --audio FOLDER, then emoset prepare abc=FOLDER" in closed.out
    known = emoset("corpora", "show", "crema-d").out
    assert "how to go on" in known and "emoset prepare crema-d=FOLDER" in known and "import" not in known
    assert "@article{crema-d2014," in known and "age from VideoDemographics.csv" in known
    assert "NOT known to be speaker-independent" in emoset("corpora", "show", "esd").out


def test_show_as_json(emoset):
    for key, corpus in list(BUILT_IN.items())[::9]:
        value = emoset("corpora", "show", key, "--json").json()
        assert value["corpus"] == key and value["labels"] == corpus.labels and value["needs"] == corpus.needs
        assert bool(value["bibtex"]) == bool(corpus.citation)


def test_a_name_of_other_letters_finds_its_corpus(emoset):
    for name, key in (("emo-db", "emodb"), ("EMO-DB", "emodb"), ("EmovDB", "emov-db"), ("ramdess", "ravdess")):
        done = emoset("corpora", "show", name)
        assert done.code == 1 and done.out == "" and f"did you mean '{key}'?" in done.err


def test_spaces_lists_what_has_no_entry(emoset, tmp_path, prepared):
    value = emoset("corpora", "spaces", "-d", tmp_path, "--json").json()
    assert set(value["spaces"]) == set(spaces()) and all(space["source"] for space in value["spaces"].values())
    assert value["no_entry"]["ravdess"]["arousal"] == ["calm"] and value["no_entry"]["ravdess"]["three-class"] == []
    assert set(value["no_entry"]) == {key for key, corpus in BUILT_IN.items() if corpus.labels}
    (tmp_path / "label_spaces.yaml").write_text("two:\n  map: {a: [anger], b: [calm]}\n  source: me\n")
    value = emoset("corpora", "spaces", "-d", tmp_path, "--json").json()
    assert value["spaces"]["two"]["map"] == {"anger": "a", "calm": "b"}
    assert "two" in emoset("corpora", "spaces", "-d", tmp_path).out
    value = emoset("corpora", "spaces", "-d", prepared, "--json").json()["no_entry"]
    assert set(value) == {"demo-aria", "demo-brio", "demo-cora"} and value["demo-cora"]["valence"] == ["calm"]
