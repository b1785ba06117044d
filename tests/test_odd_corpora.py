"""Corpora laid out in odd ways, as small copies of the real layouts: labels in tables of all kinds, long recordings."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unicodedata import normalize
from zlib import crc32

import numpy as np
import pytest
import soundfile

from emoset_cli.corpora import Corpus, load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.manifest import KEPT, LEFT_OUT, Manifest, find_audio, read_names
from emoset_cli.prepare import prepare_corpus, read_utterances
from emoset_cli.protocols import make_partition
from emoset_cli.store import AudioStore, SourceFile, audio_hash

CORPORA = load_corpora()


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(0, 3000, round(seconds * 16000))).astype(np.int16)


def sounds(folder: Path, *paths: str, seconds: float = 0.2) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / path, noise(seconds, crc32(str(folder / path).encode())), 16000)


def write(folder: Path, path: str, text: str, encoding: str = "utf-8") -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text, encoding=encoding)


def names(corpus: Corpus, folder: Path, *paths: str) -> Manifest:
    return read_names(corpus, folder, [SourceFile(path, 1, 1, 1) for path in sorted(paths)])


def told(manifest: Manifest) -> list[tuple[str, str, str]]:
    return sorted((problem.problem, problem.action, problem.path) for problem in manifest.problems)


def column(manifest: Manifest, *columns: str) -> list[Any]:
    return [row[columns[0]] if len(columns) == 1 else tuple(row[name] for name in columns) for row in manifest.rows]


@pytest.fixture
def entry(tmp_path: Path) -> Callable[[str], Corpus]:
    def load(text: str) -> Corpus:
        (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
        return list(load_corpora(tmp_path / "own.yaml").values())[-1]

    return load


@pytest.fixture
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace for tests whose `tmp_path` is the corpus folder: it may not lie in there."""
    return tmp_path_factory.mktemp("workspace")


EVALUATION = """\
% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes01F_impro01_M001\texc\t[4.0000, 3.5000, 2.0000]
[11.4000 - 12.0000]\tSes01F_impro01_MXX0\txxx\t[2.0000, 3.5000, 2.0000]
"""


def iemocap(folder: Path) -> None:
    turns = ("Ses01F_impro01_F000", "Ses01F_impro01_M001", "Ses01F_impro01_MXX0")
    sounds(folder, *(f"Session1/sentences/wav/Ses01F_impro01/{turn}.wav" for turn in turns))
    sounds(folder, "Session2/sentences/wav/Ses02M_script01_1/Ses02M_script01_1_F007.wav")
    write(folder, "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", EVALUATION)
    write(folder, "Session1/dialog/EmoEvaluation/._Ses01F_impro01.txt", "\0\0")
    write(
        folder,
        "Session1/dialog/EmoEvaluation/Categorical/x.txt",
        "[1.0 - 2.0]\tSes01F_impro01_F000\tang\t[1.0, 1.0, 1.0]",
    )
    line = "[1.0 - 2.0]\tSes02M_script01_1_F007\thap\t[4.5, 3.0, 3.5]\n"
    write(folder, "Session2/dialog/EmoEvaluation/Ses02M_script01_1.txt", line)


def test_iemocap_lines_of_its_own_speakers_of_two_groups_and_dimensions(tmp_path: Path) -> None:
    iemocap(tmp_path / "iemocap")
    prepared = prepare_corpus(CORPORA["iemocap"], tmp_path / "iemocap", tmp_path / "w")
    table = prepared.utterances.set_index("utterance")
    assert list(table.index) == sorted(table.index) and len(table) == 4
    man = table.loc["iemocap/Ses01F_impro01_M001"]
    assert (man["speaker"], man["gender"], man["label"], man["style"]) == ("01M", "male", "excitement", "impro")
    assert (man["valence"], man["arousal"], man["dominance"]) == (4.0, 3.5, 2.0)
    assert table.loc["iemocap/Ses01F_impro01_F000", "speaker"] == "01F"
    assert table.loc["iemocap/Ses02M_script01_1_F007", ["speaker", "label"]].tolist() == ["02F", "happiness"]
    assert {problem.problem for problem in prepared.problems} == {"missing"}  # against the published count
    assert read_utterances(tmp_path / "w", "iemocap")["arousal"].dtype == float


def test_labels_may_be_merged_by_the_map(entry: Callable, tmp_path: Path) -> None:
    iemocap(tmp_path)
    merged = "{ang: anger, hap: happiness, exc: happiness, sad: sadness, neu: neutral, xxx: unknown}"
    entry(f"iemocap: {{labels: {merged}, count: null, subsets: null}}\n")
    corpus = load_corpora(tmp_path / "own.yaml")["iemocap"]
    manifest = read_names(corpus, tmp_path, find_audio(tmp_path))
    assert column(manifest, "label") == ["neutral", "happiness", "unknown", "happiness"]
    assert corpus.label_names == ("anger", "happiness", "sadness", "neutral", "unknown")


def meld(folder: Path) -> None:
    where = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
    for split, (emotion, speaker) in {
        "train": ("joy", "Monica"),
        "dev": ("anger", "Ross"),
        "test": ("fear", "Ross"),
    }.items():
        sounds(folder, f"{where[split]}/dia0_utt1.wav")
        with (folder / f"{split}_sent_emo.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["Sr No.", "Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID"])
            rows.writerow([1, 'also I was the point person, "you know",\nand so', speaker, emotion, 0, 1])
            if split == "train":
                rows.writerow([2, "My duties?", "Chandler", "neutral", 125, 3])
            if split == "dev":
                rows.writerow([2, "Gone", "Chandler", "neutral", 7, 7])
    sounds(folder, "train_splits/dia125_utt3.wav", "output_repeated_splits_test/final_videos_testdia0_utt1.wav")
    sounds(folder, "train_splits/dia9_utt9.wav")


def test_meld_ids_that_repeat_across_splits(tmp_path: Path) -> None:
    meld(tmp_path)
    manifest = read_names(CORPORA["meld"], tmp_path, find_audio(tmp_path))
    assert column(manifest, "utterance", "label", "speaker", "split") == [
        ("meld/dev_dia0_utt1", "anger", "Ross", "dev"),
        ("meld/test_dia0_utt1", "fear", "Ross", "test"),
        ("meld/train_dia0_utt1", "happiness", "Monica", "train"),
    ]
    assert manifest.rows[0]["words"].startswith("also I was the point person")
    assert told(manifest) == [
        ("excluded", LEFT_OUT, "train_splits/dia125_utt3.wav"),
        ("name not understood", LEFT_OUT, "output_repeated_splits_test/final_videos_testdia0_utt1.wav"),
        ("not in table", LEFT_OUT, "train_splits/dia9_utt9.wav"),
        ("recording missing", KEPT, "**/*_sent_emo.csv"),
        ("recording missing", KEPT, "**/*_sent_emo.csv"),
    ]
    missing = [problem.detail for problem in manifest.problems if problem.problem == "recording missing"]
    assert missing[0].startswith("1 recordings that") and missing[1] == "no recording fits 'dev_sent_emo/dia7_utt7'"


def test_crema_d_facts_of_speakers(tmp_path: Path) -> None:
    sounds(tmp_path, "AudioWAV/1001_IEO_ANG_HI.wav", "AudioWAV/1002_IEO_NEU_XX.wav", "AudioWAV/1076_MTI_SAD_XX.wav")
    text = (
        "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n1002,21,Female,Caucasian,Not Hispanic\n"
    )
    write(tmp_path, "VideoDemographics.csv", text)
    manifest = read_names(CORPORA["crema-d"], tmp_path, find_audio(tmp_path))
    assert column(manifest, "speaker", "gender", "age") == [("1001", "male", 51.0), ("1002", "female", 21.0)]
    assert ("excluded", LEFT_OUT, "AudioWAV/1076_MTI_SAD_XX.wav") in told(manifest)


def test_genders_of_a_table_of_speakers(entry: Callable, tmp_path: Path) -> None:
    corpus = entry(r"""
crema:
  language: eng
  path: '(?P<speaker>\d{4})_(?P<label>[A-Z]{3})$'
  labels: {ANG: anger}
  ages: {"1003": 70}
  tables: {people: {file: people.tsv, key: ActorID, match: speaker, columns: {gender: Sex, age: Age, origin: Race}}}
""")
    write(tmp_path, "people.tsv", "ActorID\tAge\tSex\tRace\n1001\t51\tMale\ta\n1002\tn/a\tF\tb\n1003\t\tunknown\tc\n")
    manifest = names(corpus, tmp_path, "1001_ANG.wav", "1002_ANG.wav", "1003_ANG.wav", "1004_ANG.wav")
    found = [("male", 51.0, "a"), ("female", None, "b"), ("", 70, "c"), ("", None, None)]
    assert column(manifest, "gender", "age", "origin") == found and manifest.problems == []
    write(tmp_path, "people.tsv", "ActorID\tAge\tSex\tRace\n1001\t51\tweiblich\ta\n")
    with pytest.raises(
        EmosetError, match="'weiblich' is no gender that crema tells\n  mend: add 'weiblich: female' or"
    ):
        names(corpus, tmp_path, "1001_ANG.wav")


CONSENSUS = """\
FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set
MSP-PODCAST_0001_0008.wav,N,4.6,4.4,5.0,127,Male,Test1
MSP-PODCAST_0001_0019.wav,A,5.0,3.4,4.2,Unknown,Unknown,Train
MSP-PODCAST_0002_0033.wav,H,4.2,5.6,4.0,128,Female,Train
MSP-PODCAST_0003_0033_0001.wav,S,3,2,NaN,7,Female,Validation
MSP-PODCAST_0004_0001.wav,S,3,2,1,Unknown,Male,Validation
"""
PODCASTS = ["MSP-PODCAST_0001_0008", "MSP-PODCAST_0001_0019", "MSP-PODCAST_0002_0033", "MSP-PODCAST_0003_0033_0001"]


def test_msp_podcast_unknown_speakers_are_not_one_speaker(tmp_path: Path, beside: Path, entry: Callable) -> None:
    write(tmp_path, "Labels/labels_consensus.csv", CONSENSUS)
    sounds(tmp_path, *(f"Audios/{name}.wav" for name in PODCASTS))
    prepared = prepare_corpus(CORPORA["msp-podcast"], tmp_path, beside)
    table = prepared.utterances
    assert table["speaker"].tolist() == ["127", "", "128", "7"] and table["gender"].tolist() == [
        "male",
        "",
        "female",
        "female",
    ]
    assert table["arousal"].tolist() == [4.6, 5.0, 4.2, 3.0] and np.isnan(table["dominance"].iloc[3])
    assert table["split"].tolist() == ["Test1", "Train", "Train", "Validation"]
    (nobody,) = (problem for problem in prepared.problems if problem.problem == "speaker not known")
    assert (nobody.action, nobody.detail) == (KEPT, "its speaker is 'Unknown', which may be anybody")
    partition = make_partition("official", table, CORPORA)
    assert partition.table["1"].tolist() == ["test", "train", "train", "devel"]
    with pytest.raises(EmosetError, match="1 utterances have no speaker"):
        make_partition("loso", table, CORPORA)
    entry("msp-podcast: {partitions: null, default_partition: null}\n")
    corpus = load_corpora(tmp_path / "own.yaml")["msp-podcast"]
    manifest = read_names(corpus, tmp_path, find_audio(tmp_path))
    assert column(manifest, "speaker") == ["127", "128", "7"]
    assert ("speaker not known", LEFT_OUT, "Audios/MSP-PODCAST_0001_0019.wav") in told(manifest)


def test_fau_aibo_children_are_of_a_school(tmp_path: Path) -> None:
    chunks = ["Ohm_01_015_00", "Ohm_01_016_00", "Mont_01_001_00", "Mont_02_001_00"]
    sounds(tmp_path, *(f"wav/{chunk}.wav" for chunk in chunks))
    lines = "Ohm_01_015_00 N 1\nOhm_01_016_00 A 0.8\nMont_01_001_00 E 0.6\n\nMont_02_001_00 R 0.5\n"
    write(tmp_path, "labels/IS2009EmotionChallenge/chunk_labels_5cl_corpus.txt", lines)
    manifest = read_names(CORPORA["fau-aibo"], tmp_path, find_audio(tmp_path))
    assert column(manifest, "speaker", "label", "confidence") == [
        ("Mont_01", "emphatic", 0.6), ("Mont_02", "rest", 0.5), ("Ohm_01", "neutral", 1.0), ("Ohm_01", "anger", 0.8),
    ]  # fmt: skip
    assert manifest.problems == []


def test_msp_improv_tables_that_name_videos(tmp_path: Path) -> None:
    sounds(tmp_path, "session1/S01A/S/MSP-IMPROV-S01A-F01-S-FM01.wav")
    line = "UTD-IMPROV-S01A-F01-S-FM01.avi; H; A:3.200000; V:NaN; D:3.000000 ; N:3.500000;\nF02; Happy; ; A:3\n"
    write(tmp_path, "Evalution.txt", line)
    manifest = read_names(CORPORA["msp-improv"], tmp_path, find_audio(tmp_path))
    assert column(manifest, "speaker", "label", "arousal", "valence") == [("F01", "happiness", 3.2, None)]


def test_emodb_quality_and_subsets_over_any_column(tmp_path: Path, beside: Path) -> None:
    from emoset_cli.train.task import _in_subset

    sounds(tmp_path, "wav/03a01Fa.wav", "wav/03a02Nc.wav", "wav/16b10Wb.wav")
    cells = "Nr.\tSatz\terkannt\tnatuerlich\r\n1\xa0 \t03a01Fa.wav\t90,00\xa0\xa0\t75,00\r\n"
    cells += "2\t03a02Nc.wav\t70,00\t100,00\r\n"
    write(tmp_path, "erkennung.txt", cells, "latin-1")
    table = prepare_corpus(CORPORA["emodb"], tmp_path, beside).utterances
    assert table["recognised"].tolist()[:2] == [90.0, 70.0] and np.isnan(table["recognised"].iloc[2])
    assert _in_subset(table, CORPORA["emodb"], "emonet494").tolist() == [True, False, False]


def test_subsets_by_channel_and_none_of(entry: Callable, tmp_path: Path, beside: Path) -> None:
    from emoset_cli.train.task import _in_subset

    corpus = entry(r"""
mine:
  language: deu
  path: '(?P<speaker>s\d)_(?P<label>[AB])_(?P<channel>near|far)?$'
  labels: {A: anger, B: boredom}
  subsets: {near: {channel: {any_of: [near]}}, not-bored: {label: {none_of: [boredom]}, channel: {none_of: [near]}}}
""")
    sounds(tmp_path, "s1_A_near.wav", "s1_A_far.wav", "s2_B_far.wav", "s3_A_.wav")
    table = prepare_corpus(corpus, tmp_path, beside).utterances
    assert table["utterance"].tolist() == ["mine/s1_A_far", "mine/s1_A_near", "mine/s2_B_far", "mine/s3_A_"]
    assert _in_subset(table, corpus, "near").tolist() == [False, True, False, False]
    assert _in_subset(table, corpus, "not-bored").tolist() == [True, False, False, False]  # nothing satisfies no rule


def test_other_material_by_a_column_of_a_table(entry: Callable, tmp_path: Path) -> None:
    corpus = entry(r"""
mine:
  language: deu
  path: '(?P<speaker>s\d)_\d$'
  where: {modality: [speech]}
  tables: {t: {file: t.csv, key: name, columns: {label: emotion, modality: kind}}}
""")
    write(tmp_path, "t.csv", "name,emotion,kind\ns1_1,joy,speech\ns1_2,joy,song\n")
    manifest = names(corpus, tmp_path, "s1_1.wav", "s1_2.wav")
    assert column(manifest, "label") == ["joy"] and manifest.other == 1 and manifest.problems == []


BLANKS = r"""
mine:
  language: fra
  path: '(?:^|/)(?P<mood>[^/]+)/(?P<speaker>s\d)_(?P<label>[AB])(?: \((?P<take>\d+)\))?$'
  labels: {A: anger, B: boredom}
  take: [speaker, label]
  tables: {t: {file: t.csv, key: File, match: path, columns: {score: Score}}}
"""


def test_stray_blanks_and_decomposed_names(entry: Callable, tmp_path: Path) -> None:
    folder = normalize("NFD", "Colère")
    paths = [f"{folder}/s1_A (2).wav", "Colère/ s2_B .wav", "Joie /s3_A.wav"]
    rows = "File,Score\n Colère/s1_A (2).wav ,1\n" + normalize("NFD", "Colère") + "/s2_B\u00a0,2\nJoie\\s3_A.WAV,3\n"
    write(tmp_path, "t.csv", rows)
    manifest = names(entry(BLANKS), tmp_path, *paths)
    assert manifest.problems == []
    assert sorted(column(manifest, "utterance", "mood", "score")) == [
        ("mine/Colère/s1_A (2)", "Colère", 1.0), ("mine/Colère/s2_B", "Colère", 2.0), ("mine/Joie/s3_A", "Joie", 3.0),
    ]  # fmt: skip
    assert sorted(column(manifest, "path")) == sorted(paths)  # as on the disk


def test_the_same_name_twice_but_for_blanks_or_form_is_a_repeated_id(entry: Callable, tmp_path: Path) -> None:
    write(tmp_path, "t.csv", "File,Score\nColère/s1_A,1\n")
    manifest = names(
        entry(BLANKS), tmp_path, "Colère/s1_A.wav", normalize("NFD", "Colère/s1_A.wav"), "Colère/s1_A .wav"
    )
    assert len(manifest.rows) == 1 and [kind for kind, *_ in told(manifest)] == ["repeated id"] * 2


SEGMENTS = r"""
long:
  language: deu
  path: '(?:^|/)(?P<speaker>s\d)_(?P<session>\d)$'
  labels: {A: anger, B: boredom}
  tables: {cuts: {file: cuts.csv, key: file, columns: {label: emotion, start_s: from, end_s: to, words: words}}}
"""


def prepared_segments(corpus: Corpus, tmp_path: Path, rows: list[str], **options: Any) -> Any:
    folder = tmp_path / "corpus"
    sounds(folder, "a/s1_1.wav", "b/s2_1.wav", seconds=3)
    write(folder, "cuts.csv", "\n".join(["file,from,to,emotion,words", *rows]))
    return prepare_corpus(corpus, folder, tmp_path / "w", **options)


def test_segments_of_long_recordings(entry: Callable, tmp_path: Path) -> None:
    rows = [
        "s1_1.wav,0.5,1.25,A,one",
        "s2_1.wav,0,0.5,B,two",
        "s1_1.wav,2,3.02,B,three",
        "s2_1.wav,00:01.5,0:00:02,A,four",
    ]
    prepared = prepared_segments(entry(SEGMENTS), tmp_path, rows)
    assert prepared.problems == []
    table = read_utterances(tmp_path / "w", "long")
    assert table["utterance"].tolist() == ["long/s1_1_0001", "long/s1_1_0002", "long/s2_1_0001", "long/s2_1_0002"]
    assert table["start_s"].tolist() == [0.5, 2.0, 0.0, 1.5] and "end_s" not in table
    assert table["duration_s"].tolist() == [0.75, 1.0, 0.5, 0.5]  # 20 ms beyond the end are rounding
    assert table["words"].tolist() == ["one", "three", "two", "four"]
    store = AudioStore(tmp_path / "w" / "corpora" / "long" / "audio")
    for row in table.to_dict("records"):
        start = round(row["start_s"] * 16000)
        whole, _ = soundfile.read(tmp_path / "corpus" / row["path"], dtype="int16")
        mine = whole[start : start + row["samples"]]
        stored = store.verified(row["utterance"], row["shard"], row["offset"], row["samples"], row["audio"])
        assert np.array_equal(stored, mine) and row["audio"] == audio_hash(mine)
    assert table["rms_db"].between(-21.2, -20.3).all() and not table["clipped"].any()  # 3000 of 32768: -20.8 dB
    assert len(list((tmp_path / "w" / "corpora" / "long" / "audio").glob("*.i16"))) == 1


def test_segments_that_are_wrong(entry: Callable, tmp_path: Path) -> None:
    rows = [
        "s1_1,0.5,1.5,A,", "s1_1,1.2,2,A,", "s1_1,1.2,2,A,again", "s1_1,2.5,2.5,A,", "s1_1,2.5,,A,", "s1_1,2.6,3.2,A,",
        "s1_1,7,8,A,", "s1_1,-1,0.2,A,", "s1_1,2.5,2.55,A,", "s1_1,2.0,2.1,C,", "s2_1,0,1,A,", "s3_1,0,1,A,",
    ]  # fmt: skip
    prepared = prepared_segments(entry(SEGMENTS), tmp_path, rows)
    assert prepared.utterances["utterance"].tolist() == ["long/s1_1_0001", "long/s1_1_0002", "long/s2_1_0001"]
    found = {(problem.problem, problem.action, problem.utterance, problem.detail) for problem in prepared.problems}
    beyond = "segment out of range", LEFT_OUT
    table = tmp_path / "corpus" / "cuts.csv"
    assert found == {
        ("overlapping segments", KEPT, "long/s1_1_0002", "0.30 s of it lie in long/s1_1_0001 too"),
        ("repeated segment", LEFT_OUT, "long/s1_1_0003", "the same stretch as long/s1_1_0002"),
        (*beyond, "long/s1_1_0004", "it goes from 2.50 to 2.50 s, which is no stretch of time"),
        (*beyond, "long/s1_1_0005", "it goes from 2.50 to ? s, which is no stretch of time"),
        (*beyond, "long/s1_1_0006", "it goes from 2.60 to 3.20 s, but the recording has 3.00 s"),
        (*beyond, "long/s1_1_0007", "it goes from 7.00 to 8.00 s, but the recording has 3.00 s"),
        (*beyond, "long/s1_1_0008", "it goes from -1.00 to 0.20 s, which is no stretch of time"),
        ("too short", LEFT_OUT, "long/s1_1_0009", "50 ms of speech"),
        ("unknown label", LEFT_OUT, "long/s1_1_0010", "label code 'C' is none of A, B"),
        ("recording missing", KEPT, "", f"1 recordings that {table} lists are not in the folder"),
        ("recording missing", KEPT, "", "no recording fits 's3_1'"),
    }  # fmt: skip


def test_segments_of_silence_and_of_broken_recordings(entry: Callable, tmp_path: Path) -> None:
    corpus, folder = entry(SEGMENTS), tmp_path / "corpus"
    sounds(folder, "s1_1.wav", seconds=1)
    soundfile.write(folder / "s2_1.wav", np.concatenate([noise(1), np.zeros(16000, np.int16)]), 16000)
    (folder / "s3_1.wav").write_bytes(b"RIFF")
    sounds(folder, "s4_1.wav")
    content = (folder / "s1_1.wav").read_bytes()
    (folder / "s1_1.wav").write_bytes(content[: len(content) // 2])  # half a second is there
    rows = ["s1_1,0.1,0.4,A", "s1_1,0.4,0.9,A", "s2_1,0.5,1,B", "s2_1,1,2,B", "s3_1,0,1,A", "s3_1,1,2,A"]
    write(folder, "cuts.csv", "\n".join(["file,from,to,emotion,words", *(f"{row}," for row in rows)]))
    prepared = prepare_corpus(corpus, folder, tmp_path / "w")
    assert prepared.utterances["utterance"].tolist() == ["long/s1_1_0001", "long/s2_1_0001"]
    kinds = sorted((problem.problem, problem.utterance or problem.path) for problem in prepared.problems)
    assert kinds == [
        ("not in table", "long/s4_1"), ("segment out of range", "long/s1_1_0002"), ("silent", "long/s2_1_0002"),
        ("unreadable", "long/s3_1_0001"), ("unreadable", "long/s3_1_0002"),
    ]  # fmt: skip


def test_ids_of_segments_by_template_and_rows_that_are_whole_recordings(entry: Callable, tmp_path: Path) -> None:
    corpus = entry(SEGMENTS.replace("labels:", "id: '{speaker}-{session}-{start_ms}-{row}'\n  labels:"))
    prepared = prepared_segments(corpus, tmp_path, ["s1_1,0.5,1.5,A,", "s2_1,,,B,"])
    table = prepared.utterances
    assert table["utterance"].tolist() == ["long/s1-1-500-0001", "long/s2-1--0001"]
    assert table["duration_s"].tolist() == [1.0, 3.0] and np.isnan(table["start_s"].iloc[1])


def test_a_second_prepare_decodes_nothing_and_finds_the_same(entry: Callable, tmp_path: Path, monkeypatch: Any) -> None:
    from emoset_cli import audio

    rows = ["s1_1,0.5,1.5,A,", "s2_1,0,1,B,"]
    first = prepared_segments(entry(SEGMENTS), tmp_path, rows)
    monkeypatch.setattr(audio, "read", lambda *_: pytest.fail("decoded"))
    folder = tmp_path / "corpus"
    again = prepare_corpus(entry(SEGMENTS), folder, tmp_path / "w")
    assert again.utterances.equals(first.utterances)


TABLED = r"""
mine:
  language: deu
  tables: {t: {file: FILE, key: KEY, COLUMNSMORE}}
"""
WANTED = [("mine/a1", "joy", "s1", 0.5), ("mine/b2", "fear", "s2", 1.5)]


ONE = {"emotion": "joy", "who": "s1", "rating": {"act": 0.5}}
TWO = {"emotion": "fear", "who": "s2", "rating": {"act": 1.5}, "more": [1, None, True]}
LISTED = [{"id": "a1", **ONE}, {"id": "b2.wav", **TWO}]


@pytest.mark.parametrize(
    ("kind", "content", "more", "key"),
    [
        ("json", {"a1": ONE, "b2": TWO}, "", "key"),
        ("json", {"v": 1, "data": {"all": LISTED}}, ", records: data.all", "id"),
        ("json", LISTED, "", "id"),
        ("json", {"x": {"p": {"a1": ONE}}, "y": {"q": {"b2": TWO}}}, ", records: '*.*'", "key"),
        ("json", {"a1": [ONE], "b2": [TWO]}, "", "key"),
        ("jsonl", LISTED, "", "id"),
    ],
    ids=["dict of ids", "nested list", "list", "wildcards", "dict of lists", "lines"],
)
def test_json(entry: Callable, tmp_path: Path, content: Any, more: str, key: str, kind: str) -> None:
    text = TABLED.replace("FILE", f"labels.{kind}").replace("KEY", key)
    text = text.replace("COLUMNS", "columns: {label: emotion, speaker: who, arousal: rating.act}").replace("MORE", more)
    text = text.replace("  tables", "  dimensions: [arousal]\n  tables")
    lines = "\n".join(json.dumps(row) for row in content) if kind == "jsonl" else json.dumps(content)
    write(tmp_path, f"labels.{kind}", lines)
    manifest = names(entry(text), tmp_path, "a1.wav", "b2.wav")
    assert manifest.problems == [] and column(manifest, "utterance", "label", "speaker", "arousal") == WANTED


def test_json_of_plain_pairs(entry: Callable, tmp_path: Path) -> None:
    text = TABLED.replace("FILE", "l.json").replace("KEY", "key").replace("COLUMNSMORE", "columns: {label: value}")
    write(tmp_path, "l.json", '{"a1.wav": "joy", "b2.wav": "fear"}')
    assert column(names(entry(text), tmp_path, "a1.wav", "b2.wav"), "label", "speaker") == [("joy", ""), ("fear", "")]


def test_xlsx(entry: Callable, tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["of no interest"])
    sheet = book.create_sheet("labels")
    for row in (
        [],
        ["File ", "Emotion", "Speaker", "Score", None],
        ["1", "joy", 7, 3.5, "note"],
        [2, "fear", 8.0, None],
        [None],
    ):
        sheet.append(row)
    book.save(tmp_path / "l.xlsx")
    (tmp_path / "~$l.xlsx").write_bytes(b"lock of an open workbook")
    text = TABLED.replace("FILE", "'*.xlsx'").replace("KEY", "File")
    text = text.replace("COLUMNSMORE", "sheet: labels, columns: {label: Emotion, speaker: Speaker, score: Score}")
    manifest = names(entry(text), tmp_path, "1.wav", "2.wav")
    assert column(manifest, "label", "speaker", "score") == [("joy", "7", 3.5), ("fear", "8", None)]
    with pytest.raises(
        EmosetError, match=r"l.xlsx has no sheet 'marks' \(it has Sheet, labels\)\n  mend: correct `tables`"
    ):
        names(entry(text.replace("sheet: labels", "sheet: marks")), tmp_path, "1.wav")


def test_texts_stay_texts_and_numbers_become_numbers(entry: Callable, tmp_path: Path) -> None:
    columns = "columns: {label: e, speaker: s, text: t, fold: f, code: c, size: z, note: n}"
    text = TABLED.replace("FILE", "l.csv").replace("KEY", "k").replace("COLUMNSMORE", columns)
    text += "  partitions: {p: {by: fold, values: {'1': train, '2': test}, source: me}}\n"
    write(tmp_path, "l.csv", "k,e,s,t,f,c,z,n\na,1,01,3,1,007,1e3,2\nb,2,02,4,2,012,-.5,x\n")
    manifest = names(entry(text), tmp_path, "a.wav", "b.wav")
    assert column(manifest, "label", "speaker", "text", "fold", "code", "size", "note") == [
        ("1", "01", "3", "1", "007", 1000.0, "2"), ("2", "02", "4", "2", "012", -0.5, "x"),
    ]  # fmt: skip


def test_several_tables_of_one_column_complete_each_other(entry: Callable, tmp_path: Path) -> None:
    corpus = entry(r"""
mine:
  language: {deu: [s1], eng: [s2]}
  path: '(?P<speaker>s\d)_\d$'
  tables:
    one: {file: one.csv, key: k, columns: {label: e}}
    two: {file: two.csv, key: k, columns: {label: e, language: l}}
  language_codes: {English: eng}
""")
    write(tmp_path, "one.csv", "k,e\ns1_1,joy\n")
    write(tmp_path, "two.csv", "k,e,l\ns2_1,fear,English\n")
    manifest = names(corpus, tmp_path, "s1_1.wav", "s2_1.wav", "s2_2.wav")
    assert column(manifest, "label", "language") == [("joy", "deu"), ("fear", "eng")]
    (absent,) = manifest.problems
    assert (absent.problem, absent.path, absent.detail) == (
        "not in table",
        "s2_2.wav",
        "one.csv, two.csv has no row for it",
    )


def test_takes_of_one_sentence_are_told(entry: Callable) -> None:
    assert entry(BLANKS).take == ("speaker", "label") and CORPORA["emodb"].take == ("speaker", "text", "label")


def test_absolute_and_parent_tables(entry: Callable, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "l [1].csv", "k,e\na,joy\n")
    text = (
        TABLED.replace("FILE", f"'{tmp_path}/elsewhere/l [1].csv'")
        .replace("KEY", "k")
        .replace("COLUMNSMORE", "columns: {label: e}")
    )
    assert column(names(entry(text), tmp_path / "corpus", "a.wav"), "label") == ["joy"]
    text = text.replace("l [1].csv", "*.csv")
    assert column(names(entry(text), tmp_path / "corpus", "a.wav"), "label") == ["joy"]
    text = TABLED.replace("FILE", "'*/l*.csv'").replace("KEY", "k").replace("COLUMNSMORE", "columns: {label: e}")
    assert column(names(entry(text), tmp_path / "corpus", "a.wav"), "label") == ["joy"]


def test_a_corpus_of_which_nothing_is_known_says_what_it_needs(entry: Callable, tmp_path: Path, beside: Path) -> None:
    sounds(tmp_path, "a.wav")
    corpus = entry("mine: {language: deu, needs: a table with file and label}\n")
    with pytest.raises(
        EmosetError, match="no path grammar for mine\n  mend: a table with file and label: add `path` or"
    ):
        prepare_corpus(corpus, tmp_path, beside)
