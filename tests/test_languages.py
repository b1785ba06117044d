"""Leaving a language out fold by fold: who is where, what is added, what is repeated, and the table of scores."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_partition import CORPORA, corpus, make, people, published, speakers_of, table, tables
from test_train import ARIA, BRIO, CORA, task_of, train

from emoset_cli import runs
from emoset_cli.aggregate import balance
from emoset_cli.corpora import Fold
from emoset_cli.errors import EmosetError
from emoset_cli.leaks import in_partition
from emoset_cli.partition import WITHIN, Partition, checked
from emoset_cli.protocols import make_partition
from emoset_cli.report.html import write_report
from emoset_cli.report.languages import language_scores, languages_table
from emoset_cli.report.scores import score_runs
from emoset_cli.train import forest
from emoset_cli.train.fold import Options, standardise
from emoset_cli.train.repeat import corpus_groups, repeated

PARTS = ("train", "devel", "test", WITHIN)


def three(each=8):
    """Three corpora of 10 speakers in two languages."""
    where = (("emodb", "deu"), ("cafe", "fra"), ("oreau", "fra"))
    frames = [table(people(5, 5), each, corpus=key, language=language) for key, language in where]
    return pd.concat(frames, ignore_index=True)


def whose(partition, utterances, fold, part, column="speaker"):
    """Speakers (or other values) of a partition's members."""
    return set(utterances[column][partition.members(fold, part)])


# ---------------- who is where


def test_train_and_devel_are_of_the_other_languages_and_nobody_recurs():
    @settings(max_examples=12, deadline=None)
    @given(st.lists(tables(4), min_size=2, max_size=3), st.integers(0, 3), st.booleans())
    def check(frames, seed, bilingual):
        for number, frame in enumerate(frames):  # the same speaker ids occur in several corpora
            frame["corpus"], frame["language"] = f"c{number}", ("deu", "eng", "fra")[number]
            frame["utterance"] = frame["corpus"] + "/" + frame["utterance"]
        if bilingual:  # speakers who are in the first corpus in two languages
            frames[0]["language"] = ["deu", "eng"] * (len(frames[0]) // 2) + ["deu"] * (len(frames[0]) % 2)
        utterances = pd.concat(frames, ignore_index=True)
        try:
            partition = make("lolo:folds:3", utterances, seed)
        except EmosetError as error:
            assert bilingual and "is empty" in error.problem  # a language that one speaker speaks
            return
        languages = sorted(utterances["language"].unique())
        assert partition.folds == [f"{language}/{fold}" for language in languages for fold in "123"]
        own = {key: make("folds:3", rows, seed).table for key, rows in utterances.groupby("corpus")}
        for fold in partition.folds:
            left_out, number = fold.split("/")
            parts = [speakers_of(partition, utterances, fold, part) for part in PARTS]
            assert not (parts[0] | parts[1]) & (parts[2] | parts[3]) and not parts[0] & parts[1]
            assert whose(partition, utterances, fold, "test", "language") == {left_out}
            for part in ("train", "devel", WITHIN):
                assert left_out not in whose(partition, utterances, fold, part, "language")
            same = pd.concat(own.values())[number].loc[utterances["utterance"]].to_numpy()
            others = (utterances["language"] != left_out).to_numpy()
            as_there = partition.table[fold].replace(WITHIN, "test").to_numpy()
            assert (as_there[others] == same[others]).all()
        assert ((partition.table == "test").sum(axis=1) == 1).all()
        assert ((partition.table == WITHIN).sum(axis=1) == len(languages) - 1).all()
        backward = pd.concat(frames[::-1], ignore_index=True)
        assert make("lolo:folds:3", backward, seed).hash == partition.hash
        assert (partition.name, partition.seed) == ("lolo:folds:3", seed)

    check()


TABLE_2 = {  # of the Deep-WCCN study: devel and test speakers of folds 1 to 5
    "emodb": ("13 14,15 16", "11 12,13 14", "09 10,11 12", "03 08,09 10", "15 16,03 08"),
    "ravdess": ("16 17 18 19 20,21 22 23 24", "11 12 13 14 15,16 17 18 19 20", "06 07 08 09 10,11 12 13 14 15",
                "01 02 03 04 05,06 07 08 09 10", "21 22 23 24,01 02 03 04 05"),
    "esd": ("0007 0008,0009 0010", "0005 0006,0007 0008", "0003 0004,0005 0006", "0001 0002,0003 0004",
            "0009 0010,0001 0002"),
}  # fmt: skip
LANGUAGES = {"emodb": "deu", "ravdess": "eng", "esd": "zho"}
FOUR = {"anger", "happiness", "neutral", "sadness"}


def assert_table_2(partition, utterances, keys):
    for left_out in keys:
        for number, cell in enumerate(TABLE_2[left_out]):
            fold = f"{LANGUAGES[left_out]}/{number + 1}"
            rows = {part: utterances[partition.members(fold, part)] for part in PARTS}
            assert set(rows["test"]["speaker"]) == set(cell.split(",")[1].split())
            assert set(rows["test"]["corpus"]) == {left_out}
            for key in set(keys) - {left_out}:
                devel, test = (set(speakers.split()) for speakers in TABLE_2[key][number].split(","))
                mine = {part: set(rows[part]["speaker"][rows[part]["corpus"] == key]) for part in PARTS}
                known = sorted({s for one in TABLE_2[key] for part in one.split(",") for s in part.split()})
                assert mine["devel"] == devel and mine[WITHIN] == test and not mine["test"]
                assert mine["train"] == set(known) - devel - test
            assert all(set(one["label"]) <= FOUR for one in rows.values())


def test_the_papers_table_2():
    rows = []
    for key in TABLE_2:
        for speaker, gender in CORPORA[key].genders.items():
            chinese = key != "esd" or speaker <= "0010"
            language = LANGUAGES[key] if chinese else "eng"
            rows += [(key, f"{key}/{speaker}_{label}", speaker, gender, language, label, "", f"{key}{speaker}{label}")
                     for label in CORPORA[key].label_names]  # fmt: skip
    utterances = pd.DataFrame(rows, columns=list(table({"a": ""}).columns))
    partition = make_partition("lolo:deep-wccn", utterances, CORPORA)
    assert_table_2(partition, utterances, list(TABLE_2))
    assert partition.folds == [f"{language}/{fold}" for language in ("deu", "eng", "zho") for fold in "12345"]
    english = ((utterances["corpus"] == "esd") & (utterances["language"] == "eng")).to_numpy()
    assert english.any() and (partition.table[english] == "").all(axis=None)
    assert "table 2" in partition.source and (partition.seed, partition.notes, partition.gaps) == (0, [], [])
    assert make_partition("lolo:deep-wccn", utterances, CORPORA, 7).hash == partition.hash


@pytest.mark.real
def test_the_papers_table_2_on_recordings(real, shared, emoset):
    from conftest import _once

    from emoset_cli.cli.main import main
    from emoset_cli.prepare import read_utterances

    def prepare(folder):
        assert main(["prepare", *(f"{key}={real / key}" for key in ("emodb", "ravdess")), "-d", str(folder), "-q"]) == 0

    workspace = _once(shared / "two-languages", prepare)
    utterances = pd.concat([read_utterances(workspace, key) for key in ("emodb", "ravdess")], ignore_index=True)
    partition = make_partition("lolo:deep-wccn", utterances, CORPORA)
    assert_table_2(partition, utterances, ["emodb", "ravdess"])
    tested = {key: (partition.table == "test").any(axis=1).to_numpy() & (utterances["corpus"] == key).to_numpy()
              for key in ("emodb", "ravdess")}  # fmt: skip
    assert {key: int(mine.sum()) for key, mine in tested.items()} == {"emodb": 339, "ravdess": 672}  # its table 1


def test_one_language_only_has_the_folds_that_leave_it_out():
    utterances = three()
    for more in ("", "+9"):
        whole, one = (make(f"lolo:folds:5{language}{more}", utterances, 3) for language in ("", "@fra"))
        assert one.folds == [f"fra/{fold}" for fold in "12345"] and one.name == f"lolo:folds:5@fra{more}"
        assert (one.table == whole.table[one.folds]).all(axis=None)


def test_a_speaker_within_counts_as_tested():
    utterances = three()
    partition = make("lolo:losgo:5", utterances)
    fold = partition.folds[0]
    where = partition.table.copy()
    row = int(np.flatnonzero(partition.members(fold, WITHIN))[0])
    where.iloc[row, 0] = "train"
    speaker = f"{utterances['corpus'][row]}/{utterances['speaker'][row]}"
    with pytest.raises(EmosetError, match=rf"1 speakers are in two partitions: {speaker} \(test and train\)"):
        checked(Partition("mine", 0, where), utterances)
    where.iloc[row, 0] = "test"  # tested twice over is no fault
    assert checked(Partition("mine", 0, where), utterances)


def test_labels_that_are_missing_within_are_noted():
    utterances = three()
    partition = make("lolo:folds:5", utterances)
    fold = partition.folds[0]
    utterances.loc[partition.members(fold, WITHIN) & (utterances["label"] == "joy").to_numpy(), "label"] = "fear"
    assert f"fold {fold}: within has no joy" in checked(partition, utterances).gaps


def test_equal_recordings_in_train_and_within_are_a_leak():
    utterances = three()
    partition = make("lolo:folds:5", utterances)
    fold = partition.folds[0]
    a, b, c = (int(np.flatnonzero(partition.members(fold, part))[0]) for part in (WITHIN, "train", "test"))
    utterances.loc[c, "audio"] = utterances["audio"][a]
    alone = in_partition(Partition("mine", 0, partition.table[[fold]]), utterances, {})
    assert alone == []  # test and within are both tested
    utterances.loc[b, "audio"] = utterances["audio"][a]
    (leak,) = in_partition(Partition("mine", 0, partition.table[[fold]]), utterances, {})
    assert f"fold {fold}: the same samples in" in leak.text and "(train)" in leak.text


def test_aggregation_knows_within():
    utterances = three()
    partition = make("lolo:folds:5", utterances)
    cut, cuts = balance(partition, utterances, utterances["label"].tolist())
    assert {one.partition for one in cuts} == set(PARTS) and (cut.table == partition.table).all(axis=None)


# ---------------- utterances of the language left out


def added(partition, plain, fold):
    """Ids of what the fold trains on more than the one without additions."""
    more = partition.members(fold, "train") & ~plain.members(fold, "train")
    rest = partition.table[fold].to_numpy()[~more] == plain.table[fold].to_numpy()[~more]
    assert rest.all() and (plain.table[fold].to_numpy()[more] == "").all()
    return set(partition.table.index[more])


def test_added_utterances_are_nested_balanced_and_never_of_test_speakers():
    @settings(max_examples=6, deadline=None)
    @given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 40))
    def check(seed, a, b):
        utterances = three()
        plain = make("lolo:folds:5", utterances, seed)
        few, many = (make(f"lolo:folds:5+{count}", utterances, seed) for count in sorted((a, b)))
        own = {key: make("folds:5", rows, seed) for key, rows in utterances.groupby("corpus")}
        for fold in plain.folds:
            left_out, number = fold.split("/")
            drawn, more = (added(one, plain, fold) for one in (few, many))
            assert (len(drawn), len(more)) == (min(a, b), max(a, b)) and drawn <= more
            rows = utterances[utterances["utterance"].isin(more)]
            assert set(rows["language"]) == {left_out}
            heard = set(rows["corpus"] + "/" + rows["speaker"])
            assert not heard & set().union(*(speakers_of(many, utterances, fold, part) for part in ("test", "devel")))
            there = pd.concat([one.table for one in own.values()])[number]
            assert set(there[list(more)]) == {"train"}
            counts = Counter(rows["label"])
            assert max(counts.values()) - min(counts.get(label, 0) for label in set(utterances["label"])) <= 1
        shuffled = utterances.sample(frac=1, random_state=seed)
        assert make(f"lolo:folds:5+{a}", shuffled, seed).hash == make(f"lolo:folds:5+{a}", utterances, seed).hash

    check()


def test_another_seed_adds_others():
    entry = published(folds={n: Fold(None, (f"f0{n}",), (f"m0{n}",)) for n in "123"})
    made = [make("lolo:paper+8", three(), seed, partitions={"paper": entry}) for seed in (0, 0, 1)]
    assert made[0].hash == made[1].hash != made[2].hash
    assert [one.seed for one in made] == [0, 0, 1] and made[0].name == "lolo:paper+8"


def test_a_rare_label_is_used_up_and_what_the_run_leaves_out_is_not_drawn():
    utterances = three()
    utterances.loc[utterances["label"] == "joy", "label"] = "fear"
    german = (utterances["corpus"] == "emodb").to_numpy()
    utterances.loc[german & utterances["utterance"].str.endswith("_2"), "label"] = "joy"
    plain = make("lolo:folds:5", utterances)
    rows = utterances.set_index("utterance").loc[sorted(added(make("lolo:folds:5+40", utterances), plain, "deu/1"))]
    joys = int(((utterances["label"] == "joy").to_numpy() & german).sum()) * 6 // 10
    assert Counter(rows["label"])["joy"] == joys == 6
    labels = [label if label in {"anger", "fear"} else None for label in utterances["label"]]
    few = make_partition(
        "lolo:folds:5+7", utterances, {key: corpus(key) for key in set(utterances["corpus"])}, 0, labels
    )
    drawn = utterances["label"][utterances["utterance"].isin(added(few, plain, "deu/1"))]
    assert sorted(Counter(drawn).items()) == [("anger", 4), ("fear", 3)]


# ---------------- what is refused


@pytest.mark.parametrize(
    ("spec", "problem", "mend"),
    [
        ("lolo:paper", "partition lolo:paper: cafe, oreau has no published partition 'paper'", "lolo:folds:5 makes"),
        ("lolo:loco", "partition lolo:loco: emodb, cafe, oreau has no published partition 'loco'", "lolo:folds:5"),
        ("lolo:folds:5+", "'lolo:folds:5+' does not say how many utterances", "lolo:folds:5+30"),
        ("lolo:folds:5+0", "'lolo:folds:5+0' does not say how many", "lolo:folds:5+30"),
        ("lolo:folds:5+x", "'lolo:folds:5+x' does not say how many", "lolo:folds:5+30"),
        ("lolo:folds:5+²", "'lolo:folds:5+²' does not say how many", "lolo:folds:5+30"),
        ("lolo:folds:5+1000", "partition lolo:folds:5+1000, fold deu/1: 1000 utterances are to be added, there are 48 "
         "to draw from", "--partition lolo:folds:5+48, or fewer"),
        ("lolo:folds:5@fra+0", "'lolo:folds:5@fra+0' does not say how many", "lolo:folds:5@fra+30"),
        ("lolo:folds:5@", "'lolo:folds:5@' does not say which language is left out", "lolo:folds:5@deu"),
        ("lolo:folds:5@ita", "unknown language of lolo:folds:5 'ita'", "known: deu, fra"),
        ("lolo:folds:99", "'folds:99' needs a number of groups from 3 to 10", "folds:5"),
        ("loco:folds:5", "'loco:folds:5': loco takes no argument", "--partition loco"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(spec, problem, mend):
    partitions = {"paper": published(folds={"1": Fold(None, ("f01",), ("f02",))})}
    entries = {key: corpus(key, partitions=partitions if key == "emodb" else {}) for key in ("emodb", "cafe", "oreau")}
    with pytest.raises(EmosetError) as error:
        make_partition(spec, three(), entries)
    assert problem in error.value.problem and mend in error.value.mend


def test_corpora_must_have_the_same_folds_and_speak_two_languages():
    two = published(folds={n: Fold(None, (f"f0{n}",), (f"m0{n}",)) for n in "12"})
    partitions = {"emodb": two, "cafe": published(folds={"1": two.folds["1"]}), "oreau": two}
    entries = {key: corpus(key, partitions={"paper": one}) for key, one in partitions.items()}
    with pytest.raises(EmosetError) as error:
        make_partition("lolo:paper", three(), entries)
    assert error.value.problem == "partition lolo:paper: emodb has the folds 1, 2, cafe has 1"
    assert error.value.mend.startswith("--partition lolo:folds:5")
    french = three().query("language == 'fra'").reset_index(drop=True)
    with pytest.raises(EmosetError, match=r"lolo needs at least two languages, not \['fra'\]"):
        make("lolo:folds:5", french)
    with pytest.raises(
        EmosetError, match=r"partition lolo:loso: cafe has the folds f00, .*, \.\.\., x has f00, f01, f02"
    ):
        make("lolo:loso", pd.concat([french, table(people(3, 0), corpus="x")], ignore_index=True))


def test_an_empty_argument_is_none():
    assert make("lolo:", three()).hash == make("lolo", three()).hash
    assert make("loco:", three()).name == "loco"


# ---------------- repetition


def test_each_group_becomes_as_large_as_the_largest():
    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(0, 99))
    def check(groups, seed):
        groups = np.array(groups)
        rows = np.random.default_rng(seed).permutation(1000)[: len(groups)]
        filled = repeated(rows, groups, np.random.default_rng(seed))
        largest = max(Counter(groups).values())
        of = dict(zip(rows.tolist(), groups, strict=True))
        assert Counter(of[row] for row in filled.tolist()) == dict.fromkeys(set(groups), largest)
        times = Counter(filled.tolist())
        for group in set(groups):
            counts = [times[row] for row in rows.tolist() if of[row] == group]
            assert max(counts) - min(counts) <= 1 and min(counts) == largest // len(counts)
        assert filled.tolist() == repeated(rows, groups, np.random.default_rng(seed)).tolist()
        assert [row for n, row in enumerate(filled.tolist()) if n == 0 or filled[n - 1] != row] == rows.tolist()

    check()


def test_nothing_is_repeated_where_nothing_is_smaller():
    rng = np.random.default_rng(0)
    assert repeated(np.arange(6), np.array(list("aabbcc")), rng).tolist() == list(range(6))
    assert repeated(np.arange(0), np.array([], str), rng).tolist() == []


def test_the_language_left_out_counts_as_a_corpus():
    corpora, languages = np.array([*"xxxyzyz"]), np.array(["deu", "deu", "eng", "fra", "eng", "fra", "eng"])
    where = np.array(["train", WITHIN, "train", "train", "train", "devel", "train"])
    assert corpus_groups(corpora, languages, where).tolist() == corpora.tolist()  # no test row here
    where[4] = "test"
    groups = corpus_groups(corpora, languages, where).tolist()
    assert groups == ["x", "x", "language eng", "y", "language eng", "y", "language eng"]
    where[6] = "test"  # all of z is unseen: that x has some of its language makes no group
    assert corpus_groups(corpora, languages, where).tolist() == corpora.tolist()
    where[6] = "train"
    where[1] = "devel"  # no fold that leaves a language out
    assert corpus_groups(corpora, languages, where).tolist() == corpora.tolist()


# ---------------- scores


def rows_of(fold, language, answers, partition, first=0):
    keys = [*runs.PREDICTION_COLUMNS]
    corpus_key = {"deu": "emodb", "eng": "ravdess"}[language]
    return [
        dict(zip(keys, [corpus_key, f"{corpus_key}/{first + n:03d}", f"{n % 2}", "female", language, fold, partition,
                        truth, said], strict=True))
        for n, (truth, said) in enumerate(answers)
    ]  # fmt: skip


A, S = "anger", "sadness"


@pytest.fixture
def run(tmp_path):
    """A run over German and English in two folds, English left out in the first two."""
    test = rows_of("eng/1", "eng", [(A, A), (A, A), (A, S), (A, S), (S, S)], "test")  # UAR .75, WA .6
    test += rows_of("eng/2", "eng", [(A, S), (S, S), (S, S), (S, A)], "test", 10)  # UAR 1/3, WA .5
    test += rows_of("deu/1", "deu", [(A, A), (S, S)], "test") + rows_of("deu/2", "deu", [(A, A), (S, A)], "test", 10)
    devel = rows_of("eng/1", "deu", [(A, A)], "devel", 20)
    within = rows_of("eng/1", "deu", [(A, A), (S, S)], WITHIN) + rows_of("eng/2", "deu", [(A, S), (S, A)], WITHIN, 10)
    within += rows_of("deu/1", "eng", [(A, A), (S, A)], WITHIN) + rows_of("deu/2", "eng", [(A, A)], WITHIN, 10)
    config = {
        "emoset": "0.1.0", "model": "svm", "feature": "egemaps-v02", "corpora": ["emodb", "ravdess"],
        "labels": {key: [A, "fear", S] for key in ("emodb", "ravdess")}, "label_space": "iemocap4", "seed": 0,
        "partition": {"name": "lolo:paper", "seed": 0, "folds": ["deu/1", "deu/2", "eng/1", "eng/2"]},
        "chosen": {}, "data": {},
    }  # fmt: skip
    folder = tmp_path / "runs" / "emodb+ravdess_svm_00000000"
    return runs.finish(folder, config, pd.DataFrame(devel + test), {WITHIN: pd.DataFrame(within)})


def test_hand_worked_table(run):
    rows = language_scores([run])
    told = [(row["left_out"], row["tested_on"], row["kind"], row["n"], row["folds"]) for row in rows]
    assert told == [("deu", "deu", "across", 4, 2), ("deu", "eng", "within", 3, 2),
                    ("eng", "eng", "across", 9, 2), ("eng", "deu", "within", 4, 2)]  # fmt: skip
    assert [row["uar"]["mean"] for row in rows] == pytest.approx([0.75, 0.75, (0.75 + 1 / 3) / 2, 0.5])
    assert [row["wa"]["mean"] for row in rows] == pytest.approx([0.75, 0.75, 0.55, 0.5])
    assert rows[2]["wa"]["sd"] == pytest.approx(0.1 / 2**0.5) and rows[3]["uar"]["sd"] == pytest.approx(0.5**0.5)
    assert {row["chance"] for row in rows} == {0.5} and {row["run"] for row in rows} == {run.name}
    assert rows[0]["trained_on"] == ["eng"] and json.loads(json.dumps(rows)) == rows
    cells = languages_table(rows).cells()
    assert cells[2] == [run.name, "deu", "eng", "across", "9", "2", "50.0", "54.2 ± 29.5", "55.0 ± 7.1"]
    assert (
        languages_table(rows)
        .csv()
        .splitlines()[0]
        .endswith("chance,chance_low,chance_high,uar_mean,uar_sd,wa_mean,wa_sd")
    )


def test_a_single_fold_has_no_spread(run):
    within = run.within()
    one = {WITHIN: within[within["fold"].isin(["eng/1"])]}
    table_of = run.predictions()
    again = runs.finish(run.folder, run.config, table_of[table_of["fold"] == "eng/1"], one)
    rows = language_scores([again])
    assert [row["uar"]["sd"] for row in rows] == [None, None]
    assert languages_table(rows).cells()[0][-2:] == ["75.0", "60.0"]


def test_a_run_that_leaves_no_language_out_has_no_table(run, tmp_path):
    plain = runs.finish(tmp_path / "plain", run.config, run.predictions())
    assert plain.within() is None and language_scores([plain]) == []
    path = write_report(tmp_path / "report", [plain], score_runs([plain]))
    assert "Within and across" not in path.read_text(encoding="utf-8")


def test_the_table_is_in_every_format(run, tmp_path):
    path = write_report(tmp_path / "report", [run], score_runs([run]), languages=language_scores([run]))
    page = path.read_text(encoding="utf-8")
    assert 'id="languages"' in page and 'href="#languages"' in page and "54.2 ± 29.5" in page
    assert "## Within and across languages" in (path.parent / "results.md").read_text(encoding="utf-8")
    assert r"\caption{Within and across languages}" in (path.parent / "results.tex").read_text(encoding="utf-8")
    (csv,) = (path.parent / "tables").glob("*within-and-across-languages.csv")
    assert pd.read_csv(csv)["uar_mean"].tolist() == pytest.approx([0.75, 0.75, 0.541666, 0.5], abs=1e-5)
    facts = json.loads((path.parent / "metrics.json").read_text(encoding="utf-8"))
    assert facts["languages"] == language_scores([run])


def test_the_final_epoch_has_a_table_of_its_own(run):
    best, inside = run.predictions(), run.within()
    further = {"final": best.assign(prediction=A), WITHIN: inside, "within-final": inside.assign(prediction=A)}
    again = runs.finish(run.folder, run.config, best, further)
    rows = language_scores([again, again.final_epoch()])
    assert [row["run"] for row in rows] == [again.name] * 4 + [again.name + ":final"] * 4
    assert rows[:4] == language_scores([run]) and rows[4]["uar"]["mean"] == 0.5
    names = {"predictions.csv", *(f"predictions-{kind}.csv" for kind in further)}
    assert names <= set(json.loads((run.folder / "done.json").read_text("utf-8")))


def test_a_table_changed_after_training_is_refused(run):
    (run.folder / "predictions-within.csv").write_text("changed", encoding="utf-8")
    assert len(run.predictions()) == 14
    with pytest.raises(EmosetError, match=r"predictions-within\.csv was changed after the training wrote it"):
        language_scores([run])


# ---------------- from end to end


@pytest.mark.slow
def test_from_training_to_the_table(emoset, workspace):
    common = ["train", "forest", "--partition", "lolo:folds:3+6", "--labels", "iemocap4", "--repeat", "-d", workspace]
    answer = emoset(*common, "--workers", "1", "--json", "-q")
    assert answer.code == 0, answer.err
    (row,) = answer.json()
    run = runs.read_run(Path(row["folder"]))
    assert "lolo-folds-3+6-iemocap4-repeat" in run.name and run.config["options"]["repeat"] is True
    assert set(run.config["counts"]) == set(PARTS)
    table_of, inside = run.predictions(), run.within()
    assert set(table_of["partition"]) == {"devel", "test"} and set(inside["partition"]) == {WITHIN}
    assert list(inside.columns) == list(table_of.columns)
    split = pd.read_csv(run.folder / "partition.csv", dtype=str, keep_default_na=False)
    for fold in ("qaa/1", "qab/3", "qac/2"):
        assert set(inside["utterance"][inside["fold"] == fold]) == set(split["utterance"][split[fold] == WITHIN])
        assert set(inside["language"][inside["fold"] == fold]) == {"qaa", "qab", "qac"} - {fold[:3]}
        language = split["corpus"].map({"demo-aria": "qaa", "demo-brio": "qab", "demo-cora": "qac"})
        assert ((split[fold] == "train") & (language == fold[:3])).sum() == 6
    answer = emoset("evaluate", run.name, "-d", workspace, "--json", "-q")
    assert answer.code == 0 and len(answer.json()["languages"]) == 9
    assert answer.json()["languages"] == language_scores([run])
    shown = emoset("evaluate", run.name, "-d", workspace, "-q")
    assert "Within and across languages" in shown.out and "qab + qac" in shown.out
    again = emoset(*common)
    assert again.code == 0 and "already trained" in again.err


@pytest.mark.slow
def test_a_fold_is_fitted_on_the_repeated_rows_and_tests_across_and_within(done, tmp_path):
    task = task_of(done, [ARIA, BRIO, CORA], "lolo:folds:3+6", space="iemocap4")
    run = train(tmp_path, task, Options("forest", repeat=True))
    fold = "qac/2"
    where = task.partition.table[fold].to_numpy()
    _, _, values = standardise(task.features, np.zeros(len(where), int), where == "train", "train")
    rows = np.flatnonzero(np.isin(where, ["train", "devel"]))
    corpora = task.utterances["corpus"].to_numpy().astype(str)[rows]
    assert Counter(corpora)[CORA] == 6  # what is added of the language left out
    filled = repeated(rows, corpora, np.random.default_rng(0))
    assert len(set(Counter(task.utterances["corpus"].to_numpy()[filled]).values())) == 1
    fitted = forest.fit(values[filled], task.truth[filled], forest.GRID[0], None, 0)
    for part, table_of in (("test", run.predictions().query("partition == 'test'")), (WITHIN, run.within())):
        mine = table_of[table_of["fold"] == fold]
        assert mine["utterance"].tolist() == task.utterances["utterance"][where == part].tolist()
        scores = mine[[f"probability_{label}" for label in fitted["labels"]]].to_numpy()
        np.testing.assert_allclose(scores, forest.scores(fitted, values[where == part]), atol=1e-5)


def test_prepare_and_pool_refuse_it(emoset, prepared, recordings):
    answer = emoset("prepare", f"demo-cora={recordings['demo-cora']}", "--partition", "lolo:folds:3", "-d", prepared)
    assert answer.code == 1 and "lolo:folds:3 goes across corpora" in answer.err
    answer = emoset("train", "svm", "--partition", "lolo:folds:3", "--pool", "--labels", "arousal", "-d", prepared)
    assert answer.code == 1 and "--pool keeps each corpus's own partition, lolo:folds:3 divides" in answer.err


def test_repeating_a_corpus_that_is_alone_is_refused(emoset, done):
    answer = emoset("train", "svm", "-t", "demo-cora", "--repeat", "-d", done)
    assert (answer.code, answer.out) == (1, "")
    assert "error: demo-cora is trained alone: --repeat has nothing to fill up" in answer.err
    assert "--pool or --partition lolo:NAME" in answer.err
