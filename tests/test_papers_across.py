"""Tables of the Deep-WCCN study and of Alisamir et al. from runs: cells by hand, what does not fit, the published."""

from itertools import chain

import numpy as np
import pytest
from attribute_runs import finish, utterances
from paper_runs import EMBEDDED, FOUR, LANGUAGES, PAPERS, THREE, across, alisamir_runs, deepwccn_runs, embedded
from test_papers import refused

from emoset_cli import stats
from emoset_cli.report.papers import alisamir2022, deepwccn
from emoset_cli.report.papers.paper import published

DEEP, PLAIN, FOREST = "wav2vec 2.0 + Deep-WCCN", "wav2vec 2.0", "egemaps-v02 forest"


# ---------------------------------------------------------------- the Deep-WCCN study


@pytest.fixture(scope="module")
def languages(tmp_path_factory):
    return deepwccn_runs(tmp_path_factory.mktemp("across"))


@pytest.fixture(scope="module")
def found(languages):
    return deepwccn.find(languages)


def case(found, method, left_out, tested, added=0):
    (row,) = [row for row in found["cases"] if (row["method"], row["left_out"], row["tested_on"], row["added"])
              == (method, left_out, tested, added)]  # fmt: skip
    return row


def test_a_case_is_the_mean_over_the_folds_of_all_seeds(found):
    assert found["methods"] == [FOREST, f"{FOREST} + WCCN", PLAIN, DEEP] and found["left_out"] == []
    assert found["same"] and found["labels"] == FOUR and found["partition"] == "deep-wccn"
    row = case(found, DEEP, "eng", "eng")
    assert row["kind"] == "across" and row["trained_on"] == ["cmn", "deu"] and row["seeds"] == [0, 1]
    assert row["uar"]["values"] == [1, 1, 1, 0.875] and row["uar"]["mean"] == pytest.approx(0.96875)
    assert row["uar"]["sd"] == pytest.approx(np.std([1, 1, 1, 0.875], ddof=1))
    assert row["uar"]["runs"] == ["deep_eng_s0", "deep_eng_s1"] and (row["folds"], row["n"]) == (2, 16)
    row = case(found, FOREST, "deu", "cmn")
    assert row["kind"] == "within" and row["wa"]["values"] == [0.875, 0.875] and row["chance"] == 0.25


def test_within_is_averaged_over_the_trainings_that_had_the_language(found):
    (row,) = [row for row in found["means"] if (row["method"], row["tested_on"]) == (DEEP, "eng")]
    assert row["within"]["trained_on"] == [["deu", "eng"], ["cmn", "eng"]]
    parts = [case(found, DEEP, left_out, "eng")["uar"]["values"] for left_out in ("cmn", "deu")]
    assert row["within"]["uar"]["values"] == list(chain(*parts)) and len(row["within"]["uar"]["values"]) == 8
    assert row["across"]["uar"] == case(found, DEEP, "eng", "eng")["uar"]


def test_what_deep_wccn_changes_is_tested_seed_by_seed(found):
    gains = {(row["system"], row["left_out"]): row for row in found["gains"]}
    assert set(gains) == {(system, language) for system in (FOREST, PLAIN) for language in THREE}
    row = gains[PLAIN, "deu"]
    assert row["gain"]["uar"]["value"] == pytest.approx(np.mean([0.5, 0.5, 0.5, 0.375]))
    assert row["gain"]["wa"]["runs"] == ["plain_s0", "plain_s1", "deep_deu_s0", "deep_deu_s1"]
    first = np.array([1, 1, 1, 1, 0, 0, 0, 0] * 2, bool)
    p = stats.mcnemar(first, np.ones(16, bool)).p
    assert row["tests"][0]["p"] == pytest.approx(p) and row["tests"][0]["p_holm"] == min(1, 3 * p)
    assert row["pairs"] == 2 and row["mark"] == ("+" if 3 * p < 0.05 else "")
    assert gains[FOREST, "eng"]["gain"]["uar"]["value"] == 0 and gains[FOREST, "eng"]["mark"] == ""


def shown(table):
    """The cells as printed, by the columns' names."""
    return [dict(zip([column.name for column in table.columns], row, strict=True)) for row in table.cells()]


def test_the_tables_are_those_of_the_figures(found):
    made = deepwccn.PAPER.tables(found)
    assert [table.title.partition(":")[0] for table in made] == [
        *(f"Deep-WCCN study, {name}" for name in ("Figure 2", "Figure 3", "Figure 4", "Figure 6", "Table 4")),
        "Published", "Published",
    ]  # fmt: skip
    within, across_, gains, added, compared = (shown(table) for table in made[:5])
    assert [row["trained on → tested on"] for row in within][:2] == ["deu + eng → deu", "deu + eng → eng"]
    assert within[0][f"{FOREST} UAR [%]"] == "87.5 ± 0.0" and within[0]["chance [%]"] == "25.0"
    of = {(row["method"], row["language"]): row for row in across_}
    assert of[DEEP, "across"]["published eng UA [%]"] == "64.0" and of[DEEP, "within"]["published eng WA [%]"] == "79.6"
    assert of[DEEP, "within"]["published cmn UA [%]"] == "–" == of[FOREST, "across"]["published eng UA [%]"]
    assert of[FOREST, "across"]["eng UAR [%]"] == "50.0 ± 0.0"
    of = {(row["method"], row["left out"]): row for row in gains}
    assert of[PLAIN, "eng"]["UAR with − without"] == "+46.9" and of[PLAIN, "eng"]["published UA"] == "+2.6"
    assert of[PLAIN, "deu"]["published UA"] == "–" == of[FOREST, "eng"]["published WA"]
    assert [(row["utterances added"], row["cmn + eng → deu UAR [%]"]) for row in added] == [
        ("0", "96.9 ± 6.2"), ("30", "100.0 ± 0.0"),
    ]  # fmt: skip
    assert (compared[0]["tested on"], compared[0]["trained on"]) == ("cmn", "cmn + eng or cmn + deu")
    assert "are the study's." in made[4].note


def test_every_cell_knows_its_runs(found, languages):
    names = {run.name for run in languages}
    cells = [value for table in deepwccn.PAPER.tables(found)[:-2] for row in table.rows for value in row]
    with_runs = [cell for cell in cells if isinstance(cell, dict)]
    assert with_runs and all(cell["runs"] and set(cell["runs"]) <= names for cell in with_runs)


def test_what_was_published_agrees_with_itself():
    paper = published("deepwccn")
    proposed = {line[3]: line[5:] for line in paper["table4"]["across"] if line[0] == "proposed"}
    for corpus, language in (("Emo-DB", "deu"), ("RAVDESS", "eng")):
        assert proposed[corpus] == paper["across"][language][::-1]
        within = next(line[5:] for line in paper["table4"]["within"] if line[0] == "proposed" and line[3] == corpus)
        assert within == paper["within"][language][::-1]
    fall = np.subtract(paper["within"]["deu"], paper["across"]["deu"])
    assert fall == pytest.approx(paper["falls"]["wav2vec 2.0"])


def test_runs_of_another_study_are_named_and_two_of_one_method_refused(languages, tmp_path):
    other = across(tmp_path / "folds", "lolo:folds:2", lambda *_: [1] * 8)
    plain = finish(tmp_path / "plain", "acrnn scratch", utterances("emodb", [1, 1, 1]))
    strange = across(tmp_path / "strange", "lolo:deep-wccn@deu", lambda *_: [1] * 8, ["deu"], seed=1, start=99)
    wccn = across(
        tmp_path / "wccn",
        "lolo:deep-wccn",
        lambda *_: [1] * 8,
        seed=1,
        start=0,
        options={"normalise": "train", "wccn": 0.5},
    )
    found = deepwccn.find([*languages, other, plain, strange, wccn])
    study = ", ".join(sorted(LANGUAGES.values()))
    assert {one["run"]: one["why"] for one in found["left_out"]} == {
        "folds": f"it is of {study} by folds:2 in iemocap4; most are of {study} by deep-wccn in iemocap4",
        "plain": "it leaves no language out fold by fold (--partition lolo:NAME)",
        "wccn": "it tests other utterances of deu than 'strange'",
    }
    again = across(tmp_path / "again", "lolo:deep-wccn@deu", lambda *_: [1] * 8, ["deu"])
    match = f"'forest' and 'again' are both {FOREST} with deu left out, seed 0"
    assert refused(match, deepwccn.find, [*languages, again]) == "name the one that shall count"
    again.config["options"] = {"normalise": "speaker"}
    match = rf"'forest' \(.*\) and 'again' \(.*\) are both {FOREST} with deu left out\n"
    assert refused(match, deepwccn.find, [*languages, again]) == "name the runs that shall count"
    assert "train wccn" in refused(r"no run fits the table: plain: it leaves no", deepwccn.find, [plain])


# ---------------------------------------------------------------- Alisamir et al. 2022


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory):
    return alisamir_runs(tmp_path_factory.mktemp("alisamir") / "w" / "runs")


def test_a_row_of_table_2_is_a_method_over_corpora_and_seeds(embeddings):
    found = alisamir2022.find(embeddings)
    rows = {row["method"]: row for row in found["rows"]}
    assert list(rows) == ["Single-corpus", "Multi-corpus", "Single-corpus + FT", "Single-corpus, filterbanks",
                          "Single-corpus + FT, LOSO"]  # fmt: skip
    assert [row["against"] for row in rows.values()] == ["", "Single-corpus", "Single-corpus", "", ""]
    assert found["corpora"] == ["emodb", "ravdess", "urdu"] and found["left_out"] == []
    single, multi = rows["Single-corpus"], rows["Multi-corpus"]
    uars = [6.5 / 7, 0.5]  # of emodb, a label of two is wrong once, and every second utterance
    assert single["cells"]["emodb"]["mean"] == pytest.approx(np.mean(uars))
    assert single["cells"]["emodb"]["sd"] == pytest.approx(np.std(uars, ddof=1))
    assert single["seeds"] == [0, 1] and single["runs"] == ["emodb_s0", "emodb_s1", "ravdess", "urdu"]
    assert single["partitions"] == ["alisamir2022", "speakers"] and single["frames"] == ["wav2vec2-xlsr-frames"]
    p = stats.mcnemar(np.array([1, 0] * 7, bool), np.ones(14, bool)).p
    (test,) = multi["cells"]["ravdess"]["tests"]
    assert test["p"] == pytest.approx(p) and test["p_holm"] == min(1, 3 * p)
    assert multi["cells"]["ravdess"]["mark"] == ("+" if 3 * p < 0.05 else "")
    assert rows["Single-corpus + FT, LOSO"]["cells"]["emodb"]["of"]["n"] == 28


def test_the_papers_figures_stand_below_rows_of_the_same_corpora(embeddings, tmp_path):
    found = alisamir2022.find(embeddings)
    beside = {row["method"]: row["published"] for row in found["rows"] if row["published"]}
    assert beside == {
        "Single-corpus": {"emodb": 57.5, "ravdess": 60.4}, "Single-corpus + FT": {"emodb": 72.5},
        "Single-corpus + FT, LOSO": {"emodb": 90.5},
    }  # fmt: skip
    told = alisamir2022.sentences(found)
    assert "No run here of 1 of the paper's 5 rows: Multi-corpus + FT." in told
    assert "No run here of the paper's corpora CaFE, GEMEP." in told
    assert any("trained with other corpora: Multi-corpus on EmoDB, Multi-corpus on RAVDESS." in one for one in told)
    assert "Multi-corpus is above Single-corpus on 2 of 3 corpora" in told[0]
    ours, settings, theirs = alisamir2022.PAPER.tables(found)
    cells = ours.cells()
    assert [row[:3] for row in cells[:3]] == [
        ["Single-corpus", "ours", "–"], ["Single-corpus", "paper", "–"], ["Multi-corpus", "ours", "Single-corpus"],
    ]  # fmt: skip
    assert cells[1][3:] == ["57.5", "60.4", "–", "–"] and cells[0][3] == "71.4 ± 30.3 (2)" and cells[2][6] != "–"
    assert cells[0][6] == f"{100 * np.mean([6.5 / 14 + 0.25, 0.5, 0.5]):.1f}"
    assert ours.sources()[0][3] == ("emodb_s0", "emodb_s1") and ours.sources()[1][3] == ()
    assert len(settings.rows) == 5 and theirs.cells()[4] == [
        "Single-corpus + FT, LOSO", "UAR (LOSO)", "77.2", "90.5", "55.8", "82.2", "76.4",
    ]  # fmt: skip
    four = embedded(tmp_path / "four", {corpus: [1] * 12 for corpus in PAPERS})
    row = alisamir2022.PAPER.tables(alisamir2022.find([four]))[0].cells()[1]
    assert row == ["Multi-corpus", "paper", "–", "60.1", "67.4", "39.4", "60.4", "56.8"]


def test_other_labels_and_partitions_are_not_beside_the_papers(tmp_path):
    six = {"emodb": EMBEDDED["emodb"][:6]}
    fewer = alisamir2022.find([embedded(tmp_path / "six", {"emodb": [1] * 6}, own=six)])
    other = alisamir2022.find([embedded(tmp_path / "other", {"emodb": [1] * 7}, partition="speakers")])
    assert [row["not_beside"] for one in (fewer, other) for row in one["rows"]] == [
        {"emodb": "6 labels here, 7 there"}, {"emodb": "of another partition"},
    ]  # fmt: skip


def test_settings_of_one_method_are_told_apart_and_others_left_out(embeddings, tmp_path):
    wide = embedded(tmp_path / "wide", {"emodb": [1] * 14}, options={"width": 128})
    found = alisamir2022.find([*embeddings, wide])
    names = [row["method"] for row in found["rows"]]
    assert sum(name.startswith("Single-corpus: embedding scratch (") for name in names) == 2
    assert next(row for row in found["rows"] if row["method"] == "Multi-corpus")["against"] == ""
    others = [
        embedded(tmp_path / "forest", {"emodb": [1] * 7}, model="acrnn"),
        embedded(tmp_path / "adapters", {"emodb": [1] * 7}, mode="adapters"),
        embedded(tmp_path / "mapped", {"emodb": [1] * 7}, label_space="three-class"),
        embedded(tmp_path / "elsewhere", {"emodb": [1] * 21}, seed=2),
    ]
    why = {one["run"]: one["why"] for one in alisamir2022.find([*embeddings, *others])["left_out"]}
    assert why == {
        "forest": "it is no network of emotion embeddings (embedding) but acrnn",
        "adapters": "it is trained by adapters",
        "mapped": "it is in label space three-class, and the table is of the corpora's own labels",
        "elsewhere": "other test utterances than 'emodb_s0' (emodb)",
    }
    again = embedded(tmp_path / "again", {"emodb": [1] * 14})
    assert "one for each setting" in refused(r"'emodb_s0' and 'again' are both", alisamir2022.find,
                                             [*embeddings, again])  # fmt: skip
    assert "train embedding" in refused("no run fits the table: forest: it is no", alisamir2022.find, others[:1])


def test_the_published_tables_of_alisamir_agree_with_each_other():
    paper = published("alisamir2022")
    for values in paper["table2"].values():
        assert np.mean(values[:4]) == pytest.approx(values[4], abs=0.06)
    for method, (within, _) in paper["table3"]["common"].items():
        own = paper["table2"][method][:4]
        assert within == pytest.approx([np.mean(own), np.std(own, ddof=1)], abs=0.11)
