"""Every entry of the built-in registry: real names are read as they should, numbers are those of the sources."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from registry_facts import COUNTS, EMOSET, ISO_639_3, LAYOUTS, NAMES, NOT_COUNTED, OTHERS, WORDS

from emoset_cli.corpora import Corpus, load_corpora
from emoset_cli.labels import map_labels, spaces
from emoset_cli.manifest import Manifest, read_names
from emoset_cli.store import SourceFile

BUILT_IN = load_corpora()


def read(corpus: Corpus, *paths: str, folder: Path = Path("nowhere")) -> Manifest:
    return read_names(corpus, folder, [SourceFile(path, 1, 1, 1) for path in paths])


@pytest.mark.parametrize(("key", "path", "name", "speaker", "label", "gender"), NAMES)
def test_real_names_are_read(key, path, name, speaker, label, gender):
    for place in (path, f"some/folder/above/{path}"):
        manifest = read(BUILT_IN[key], f"{place}.wav")
        (row,) = manifest.rows
        assert {problem.problem for problem in manifest.problems} <= {"table missing"}
        found = row["utterance"].removeprefix(f"{key}/"), row["speaker"], row["label"], row["gender"]
        assert found == (name, speaker, label, gender)


@pytest.mark.parametrize(("key", "path"), OTHERS)
def test_other_names_are_not(key, path):
    assert BUILT_IN[key].regex.search(path) is None


@pytest.mark.parametrize("key", LAYOUTS)
def test_tables_of_the_corpora_are_read(key, tmp_path):
    files, expected = LAYOUTS[key]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".xlsx"):
            write_legend(tmp_path / name, text)
        else:
            (tmp_path / name).write_text(text, encoding="utf-8")
    manifest = read(BUILT_IN[key], *expected, folder=tmp_path)
    assert manifest.problems == []
    rows = {row["path"]: row for row in manifest.rows}
    assert {path: {name: rows[path][name] for name in row} for path, row in expected.items()} == expected


def write_legend(path: Path, text: str) -> None:
    from openpyxl import Workbook

    book = Workbook()
    for line in text.splitlines():
        title, _, cells = line.partition(": ")
        sheet = book.create_sheet(title)
        sheet.append(["file", "speaker", "film"])
        sheet.append(cells.split(", "))
    del book["Sheet"]
    book.save(path)


def test_emofilms_unknown_speakers_are_no_speaker(tmp_path):
    write_legend(tmp_path / "f_m_corpus_it_es_en_legend.xlsx", "female: f_ans001aen, ????, A\nmale: m_dis002bit, M, B")
    manifest = read(BUILT_IN["emofilm"], "f_ans001aen.wav", "m_dis002bit.wav", folder=tmp_path)
    assert [problem.problem for problem in manifest.problems] == ["speaker not known"]
    assert [row["speaker"] for row in manifest.rows] == ["M"]


def test_faulty_files_are_left_out():
    manifest = read(BUILT_IN["crema-d"], "1076_MTI_SAD_XX.wav", "1076_MTI_NEU_XX.wav")
    assert [row["utterance"] for row in manifest.rows] == ["crema-d/1076_MTI_NEU_XX"]
    assert "no audio in any form" in manifest.problems[-1].detail + manifest.problems[0].detail


def test_every_corpus_whose_names_are_known_has_a_name_that_is_read():
    assert {key for key, *_ in NAMES} | set(LAYOUTS) == {key for key, corpus in BUILT_IN.items() if corpus.path}


def test_all_corpora_are_there_those_of_emoset_first():
    demos = [key for key in BUILT_IN if key.startswith("demo-")]
    assert list(BUILT_IN)[:26] == EMOSET and list(BUILT_IN)[-3:] == demos
    assert {*COUNTS, *demos} == set(BUILT_IN) and len(COUNTS) == 59


@pytest.mark.parametrize("corpus", BUILT_IN.values(), ids=list(BUILT_IN))
class TestEveryEntry:
    def test_tells_what_it_is_and_where_from(self, corpus):
        assert corpus.name and corpus.sources and corpus.notes
        assert corpus.licence or corpus.access
        assert corpus.obtain or re.search("unpublished|not published|no source|request", corpus.access)
        assert corpus.year is None or 1990 < corpus.year < 2030
        assert set(corpus.languages) <= ISO_639_3
        assert all(corpus.language_of(speaker) in corpus.languages for speaker in corpus.genders)

    def test_a_citation_says_what_the_reference_says(self, corpus):
        if not corpus.citation:
            return
        title = corpus.citation.get("title", "")
        assert title in corpus.reference and corpus.citation.get("year", "") in corpus.reference
        for author in corpus.citation.get("author", "").replace("others", "et al.").split(" and "):
            assert author.replace("{", "").replace("}", "") in corpus.reference
        assert {"title", "doi"} & set(corpus.citation)

    def test_closed_corpora_say_what_a_user_must_supply(self, corpus):
        assert corpus.needs or corpus.path
        assert corpus.labels or not corpus.path
        for table in corpus.tables.values():
            assert "label" not in table.columns or corpus.labels

    def test_counts_are_those_of_the_sources(self, corpus):
        if corpus.key not in COUNTS:
            return
        utterances, speakers, labels = COUNTS[corpus.key]
        without = NOT_COUNTED.get(corpus.key, {})
        names = sorted(corpus.count.labels) if corpus.count else []
        told = {name: number - without.get(name, 0) for name, number in zip(names, labels, strict=True)}
        if corpus.count is None:
            assert (utterances, speakers) == (None, None)
            return
        assert corpus.count.utterances == (utterances - sum(without.values()) if utterances else None)
        assert corpus.count.speakers == speakers and corpus.count.labels == told

    def test_counts_fit(self, corpus):
        if corpus.count and corpus.count.labels:
            assert corpus.count.utterances == sum(corpus.count.labels.values())
            assert set(corpus.count.labels) == set(corpus.label_names)
        if corpus.genders and corpus.count and corpus.count.speakers:
            assert corpus.count.speakers == len(corpus.genders)

    def test_labels_are_words_we_know(self, corpus):
        assert set(corpus.label_names) <= WORDS

    def test_no_speaker_crosses_a_published_partition(self, corpus):
        for published in corpus.partitions.values():
            assert published.source and bool(published.by) == bool(published.values)
            for fold in published.folds.values():
                rest = set(corpus.genders) - set(fold.devel) - set(fold.test)
                train = set(fold.train) if fold.train is not None else rest
                assert fold.test and not train & set(fold.devel) and not train & set(fold.test)
                assert not set(fold.devel) & set(fold.test)
                if corpus.genders:
                    assert train and {*train, *fold.devel, *fold.test} <= set(corpus.genders)

    def test_folds_test_every_speaker_once(self, corpus):
        for published in corpus.partitions.values():
            tested = [speaker for fold in published.folds.values() for speaker in fold.test]
            assert len(tested) == len(set(tested))
            if len(published.folds) > 1:
                used = {speaker for fold in published.folds.values() for speaker in (*(fold.train or ()), *fold.test)}
                assert set(tested) == (set(corpus.genders) if published.name == "emobox" and corpus.genders else used)

    def test_the_default_partition_is_speaker_independent(self, corpus):
        if corpus.default_partition and corpus.key != "msp-podcast":  # Unknown stands for many speakers there
            assert not corpus.partitions[corpus.default_partition].speakers_cross

    def test_says_where_it_is_defined(self, corpus):
        line = int(re.fullmatch(r"corpora\.yaml, line (\d+)", corpus.where_defined)[1])
        lines = (Path(__file__).parent.parent / "corpora.yaml").read_text(encoding="utf-8").splitlines()
        assert lines[line - 1] == f"{corpus.key}:"


def test_partitions_that_share_speakers_say_so():
    crossing = {key for key, corpus in BUILT_IN.items() if any(p.speakers_cross for p in corpus.partitions.values())}
    assert crossing == {"esd", "meld", "mer2023", "msp-podcast", "resd"}
    series = BUILT_IN["m3ed"].partitions["official"].values
    assert [list(series.values()).count(part) for part in ("train", "devel", "test")] == [38, 7, 11]


def test_iemocap_has_the_usual_four_labels():
    corpus, space = BUILT_IN["iemocap"], spaces()["iemocap4"]
    wanted = corpus.subsets["emonet5531"]["label"].any_of
    assert set(wanted) == {"anger", "happiness", "excitement", "neutral", "sadness"} == set(space.map)
    assert map_labels(["excitement", "happiness", "frustration"], space) == ["happiness", "happiness", None]
    assert 1103 + 595 + 1041 + 1708 + 1084 == 5531


def test_label_spaces_cover_the_corpora_of_their_papers():
    found = spaces()
    for key in ("cafe", "emodb", "gemep", "ravdess"):  # Alisamir et al.
        words = BUILT_IN[key].partitions["alisamir2022"].labels or BUILT_IN[key].label_names
        assert None not in map_labels(words, found["three-class"])
    assert None not in map_labels(BUILT_IN["crema-d"].label_names, found["three-class-parry"])
    emoset = {label for key in EMOSET for label in BUILT_IN[key].label_names}
    assert emoset - set(found["arousal"].map) == {"other", "unknown"}


def test_the_whole_process_that_loads_the_registry_is_quick():
    code = (
        "import time, emoset_cli.corpora as c; c.load_corpora(); assert time.process_time() < 0.3, time.process_time()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
