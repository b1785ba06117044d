"""Reports: scores, comparisons, tables, plots and the page, from run folders with known predictions."""

import csv
import io
import json
import math
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import confusion_matrix, f1_score, recall_score

from emoset_cli import runs
from emoset_cli.errors import EmosetError
from emoset_cli.report import plots, tables
from emoset_cli.report.comparison import compare_many, compare_runs
from emoset_cli.report.html import write_report
from emoset_cli.report.scores import score_run, score_runs

NASTY = "a<b>&_%"
LABELS = {"emodb": ["anger", "fear", NASTY], "urdu": ["angry", "sad"]}


def row(corpus, number, speaker, truth, prediction, fold="1", partition="test"):
    gender = "female" if int(speaker) % 2 else "male"
    return dict(zip(runs.PREDICTION_COLUMNS,
                    [corpus, f"{corpus}/{number:03d}", speaker, gender, "deu", fold, partition, truth, prediction],
                    strict=True))  # fmt: skip


def finish(folder, rows, labels=None, **config):
    labels = labels or {corpus: LABELS[corpus] for corpus in dict.fromkeys(one["corpus"] for one in rows)}
    config = {
        "emoset": "0.1.0", "model": "svm", "feature": "egemaps-v02", "corpora": list(labels), "labels": labels,
        "label_space": "own", "seed": 0, "options": {"normalise": "all"},
        "partition": {"name": "alisamir2022", "seed": 0, "hash": "8f31ab02", "folds": ["1"], "published": True},
        "chosen": {"1": {"C": 0.01, "devel_uar": 0.61, "grid": {}}}, "data": dict.fromkeys(labels, "a81bc81b"),
        "counts": {"left_out": 3}, "packages": {"numpy": "2.4.6"},
    } | config  # fmt: skip
    return runs.finish(folder, config, pd.DataFrame(rows))


def random_rows(corpus, n=120, speakers=10, seed=0, hit=0.6, folds=1):
    fixed, rng = np.random.default_rng(0), np.random.default_rng(seed)
    labels, rows = LABELS[corpus], []
    for number in range(n):
        speaker, truth = int(fixed.integers(speakers)), labels[fixed.integers(len(labels))]
        prediction = truth if rng.random() < hit else labels[rng.integers(len(labels))]
        rows.append(row(corpus, number, str(speaker + 1), truth, prediction, str(speaker % folds + 1)))
    return rows


@pytest.fixture
def two(tmp_path):
    """Two runs over the same two corpora; urdu in 10 folds."""
    rows = [random_rows("emodb", seed=seed, hit=hit) + random_rows("urdu", seed=seed, hit=hit, folds=10)
            for seed, hit in ((1, 0.4), (2, 0.8))]  # fmt: skip
    return [
        finish(tmp_path / f"{name}_svm_0000000{i}", one) for i, (name, one) in enumerate(zip("ab", rows, strict=True))
    ]


def refused(match, call, *args):
    with pytest.raises(EmosetError, match=match) as caught:
        call(*args)
    return str(caught.value)


# scores


def test_hand_worked_scores(tmp_path):
    answers = [("anger", "anger", "1"), ("anger", "anger", "1"), ("anger", "fear", "2"), ("anger", "joy", "2"),
               ("fear", "fear", "1"), ("fear", "anger", "2")]  # fmt: skip
    rows = [row("emodb", i, speaker, truth, said) for i, (truth, said, speaker) in enumerate(answers)]
    rows.append(row("emodb", 99, "3", "fear", "fear", partition="devel"))
    parts = score_run(finish(tmp_path / "run", rows))["corpora"]["emodb"]
    test = parts["test"]
    assert test["how"] == "one partition" and (test["n"], test["n_speakers"]) == (6, 2)
    assert test["labels"] == ["anger", "fear"] and test["chance"] == 0.5  # the third label does not occur
    assert test["uar"]["value"] == 0.5 and test["wa"]["value"] == 0.5
    assert "2 speakers" in test["uar"]["note"]
    assert test["recall"] == {
        "anger": {"value": 0.5, "n": 4}, "fear": {"value": 0.5, "n": 2}, NASTY: {"value": None, "n": 0}
    }  # fmt: skip
    assert test["confusion"]["counts"] == [[2, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]]
    assert test["speakers"]["1"] == {"n": 3, "uar": 1.0, "wa": 1.0, "gender": "female"}
    assert test["speakers"]["2"] == {"n": 3, "uar": 0.0, "wa": 0.0, "gender": "male"}
    assert test["genders"]["female"]["uar"] == 1.0
    assert test["folds"] is None
    assert parts["devel"]["n"] == 1 and parts["devel"]["uar"]["value"] == 1.0  # never mixed with test


def test_scores_agree_with_sklearn(two):
    score, table = score_run(two[0]), two[0].predictions()
    for corpus, labels in LABELS.items():
        part, rows = score["corpora"][corpus]["test"], table[table["corpus"] == corpus]
        truth, said = rows["truth"], rows["prediction"]
        assert part["uar"]["value"] == pytest.approx(recall_score(truth, said, labels=labels, average="macro"))
        assert part["f1"] == pytest.approx(f1_score(truth, said, labels=labels, average="macro"))
        assert part["wa"]["value"] == pytest.approx((truth == said).mean())
        assert part["wa"]["low"] < part["wa"]["value"] < part["wa"]["high"]
        assert part["uar"]["low"] < part["uar"]["value"] < part["uar"]["high"]
        counts = np.array(part["confusion"]["counts"])
        assert (counts[:, :-1] == confusion_matrix(truth, said, labels=labels)).all() and not counts[:, -1].any()
    assert score["pooled"]["test"] == {"n": 240, "wa": pytest.approx((table["truth"] == table["prediction"]).mean())}


def test_test_folds_are_pooled_and_their_spread_told(two):
    part = score_run(two[0])["corpora"]["urdu"]["test"]
    rows = two[0].predictions().query("corpus == 'urdu'")
    folds = [
        recall_score(one["truth"], one["prediction"], average="macro", labels=sorted(set(one["truth"])))
        for _, one in rows.groupby("fold")
    ]
    assert part["how"] == "pooled" and part["folds"]["n"] == 10
    assert part["folds"]["mean"] == pytest.approx(np.mean(folds))
    assert part["folds"]["sd"] == pytest.approx(np.std(folds, ddof=1))
    assert list(part["folds"]["values"]) == [str(fold) for fold in range(1, 11)]  # 2 before 10


def test_devel_of_a_cross_validation_is_a_mean_over_folds(tmp_path):
    rows = [row("urdu", 1, "1", "angry", "angry", "1", "devel"), row("urdu", 2, "2", "sad", "sad", "1", "devel"),
            row("urdu", 1, "1", "angry", "sad", "2", "devel"), row("urdu", 2, "2", "sad", "sad", "2", "devel"),
            row("urdu", 3, "3", "sad", "sad", "1"), row("urdu", 4, "4", "angry", "sad", "2")]  # fmt: skip
    parts = score_run(finish(tmp_path / "run", rows))["corpora"]["urdu"]
    devel = parts["devel"]
    assert devel["how"] == "mean over folds" and devel["n"] == 2
    assert devel["uar"] == {"value": 0.75, "low": None, "high": None, "note": devel["uar"]["note"]}
    assert "mean over folds" in devel["uar"]["note"] and devel["recall"]["angry"] == {"value": 0.5, "n": 1}
    assert devel["speakers"]["1"] == {"n": 1, "uar": 0.5, "wa": 0.5, "gender": "female"}
    assert parts["test"]["how"] == "pooled" and parts["test"]["uar"]["value"] == 0.5


def test_a_fold_that_lacks_labels_is_told(tmp_path):
    rows = [row("urdu", 1, "1", "angry", "angry"), row("urdu", 2, "1", "sad", "angry"),
            row("urdu", 3, "2", "sad", "sad", "2")]  # fmt: skip
    folds = score_run(finish(tmp_path / "run", rows))["corpora"]["urdu"]["test"]["folds"]
    assert folds["values"] == {"1": 0.5, "2": 1.0} and folds["note"].startswith("1 of 2 folds lack labels")


def test_no_predictions_are_refused(tmp_path):
    run = finish(tmp_path / "empty", [row("urdu", 1, "1", "sad", "sad")])
    empty = runs.finish(run.folder, run.config, pd.DataFrame(columns=runs.PREDICTION_COLUMNS))
    assert "train it again" in refused("run 'empty' holds no predictions", score_run, empty)


# comparison


def test_comparison_agrees_with_statsmodels_and_hand(two):
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    result = compare_runs(*two)
    a, b = (run.predictions() for run in two)
    ps = []
    for corpus, one in result["corpora"].items():
        right_a, right_b = ((t["truth"] == t["prediction"])[t["corpus"] == corpus].to_numpy() for t in (a, b))
        table = [[np.sum(right_a & right_b), np.sum(right_a & ~right_b)],
                 [np.sum(~right_a & right_b), np.sum(~right_a & ~right_b)]]  # fmt: skip
        exact = table[0][1] + table[1][0] < 25
        ps.append(mcnemar(table, exact=exact, correction=True).pvalue)
        assert one["mcnemar"]["p"] == pytest.approx(ps[-1])
        assert (one["mcnemar"]["only_a"], one["mcnemar"]["only_b"]) == (table[0][1], table[1][0])
        assert one["difference"]["value"] == pytest.approx(right_b.mean() - right_a.mean())
        assert one["odds_ratio"]["value"] == pytest.approx(table[1][0] / table[0][1])
        assert one["uar_difference"]["value"] == pytest.approx(one["uar"]["b"] - one["uar"]["a"])
        assert one["mark"] == "+"
    holm = multipletests(ps, method="holm")[1]
    assert [one["p_holm"] for one in result["corpora"].values()] == pytest.approx(list(holm))
    assert result["pooled"]["n"] == 240 and result["pooled"]["mark"] == "+"


def test_comparison_turned_round_changes_sign(two):
    there, back = compare_runs(*two)["corpora"]["emodb"], compare_runs(*two[::-1])["corpora"]["emodb"]
    assert there["difference"]["value"] == pytest.approx(-back["difference"]["value"])
    assert (there["mark"], back["mark"]) == ("+", "−")
    assert there["mcnemar"]["p"] == back["mcnemar"]["p"]


def test_only_shared_corpora_are_compared(tmp_path, two):
    single = finish(tmp_path / "single", random_rows("emodb", seed=3))
    result = compare_runs(single, two[0])
    assert list(result["corpora"]) == ["emodb"] and "pooled" not in result
    assert result["left_out"] == {"single": [], two[0].name: ["urdu"]}
    assert "alone holds urdu" in tables.comparison_table(result).note


def test_comparison_refuses_what_differs(tmp_path, two):
    rows = random_rows("emodb")
    a = finish(tmp_path / "a", rows)
    fewer = finish(tmp_path / "fewer", rows[7:])
    text = refused(r"test utterances differ: 7 only in 'a' \(emodb/000, .*emodb/004, \.\.\.\)", compare_runs, a, fewer)
    assert "same partition and seed" in text and "alisamir2022, seed 0" in text
    other = [one | {"truth": "fear", "prediction": "fear"} if one["utterance"] == "emodb/003" else one for one in rows]
    wrong = next(one for one in rows if one["utterance"] == "emodb/003")
    assert wrong["truth"] != "fear"
    text = refused(r"differ in their truth: 1 of 120 test utterances \(emodb/003\)", compare_runs, a,
                   finish(tmp_path / "truth", other))  # fmt: skip
    assert "label space" in text
    moved = finish(tmp_path / "moved", [rows[0] | {"speaker": "77"}, *rows[1:]])
    assert "prepare the corpus again" in refused("differ in their speaker: 1 of 120", compare_runs, a, moved)
    twice = finish(tmp_path / "twice", [*rows, rows[0] | {"fold": "2"}])
    assert "recur in the folds" in refused(r"run 'twice' test utterances occur more than once: 1 in all", compare_runs,
                                           a, twice)  # fmt: skip
    urdu = finish(tmp_path / "urdu", random_rows("urdu"))
    assert "same corpus" in refused("'a' and 'urdu' share no corpus", compare_runs, a, urdu)
    assert "other partition" in refused("run 'a' has no devel utterances of emodb", compare_runs, a, a, "devel")
    assert "known: devel, test" in refused("unknown partition 'dev'", compare_runs, a, a, "dev")
    assert "at least two" in refused("needs two different runs, given: a", compare_many, [a])
    refused("needs two different runs, given: a, a", compare_many, [a, a])
    assert [one["b"] for one in compare_many([two[0], two[1], a])] == [two[1].name, "a"]


# tables


def table():
    columns = [tables.Column("label", "text", "label"), tables.Column("UAR [%]", "percent", "uar"),
               tables.Column("diff", "points", "diff"), tables.Column("p", "p", "p")]  # fmt: skip
    rows = [
        [NASTY + "|~^\\{}$#", {"value": 0.71943, "low": 0.651, "high": 0.78}, -0.004, 0.0001],
        ["x\ny", None, None, 0.5],
    ]
    return tables.Table("A & B", columns, rows, "50 % of_it")


def test_markdown_cannot_be_broken_by_a_label():
    lines = table().markdown().splitlines()
    assert lines[0] == r"## A \& B" and lines[2] == "| label | UAR [%] | diff | p |"
    assert lines[3] == "| --- | ---: | ---: | ---: |"
    assert lines[4] == r"| a\<b\>\&\_%\|\~^\\{}$# | 71.9 [65.1, 78.0] | −0.4 | \< .001 |"
    assert lines[5] == "| x y | – | – | 0.500 |" and lines[-1] == "50 % of_it"


def test_latex_is_escaped_booktabs():
    text = table().latex()
    assert r"\caption{A \& B}" in text and r"\label{tab:a-b}" in text and r"\begin{tabular}{lrrr}" in text
    assert (r"a\textless{}b\textgreater{}\&\_\%\textbar{}\textasciitilde{}\textasciicircum{}\textbackslash{}\{\}\$\# & "
            r"71.9 [65.1, 78.0] & $-$0.4 & \textless{} .001 \\") in text  # fmt: skip
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    assert r"50 \% of\_it" in text and text.count("{") == text.count("}")


def test_csv_keeps_every_digit():
    rows = list(csv.DictReader(io.StringIO(table().csv())))
    assert rows[0]["uar"] == "0.71943" and rows[0]["uar_low"] == "0.651" and rows[0]["label"] == NASTY + "|~^\\{}$#"
    assert rows[1]["uar"] == rows[1]["diff_high"] == "" and rows[1]["label"] == "x\ny"


def test_results_table_keeps_partitions_apart(tmp_path):
    rows = [*random_rows("emodb"), row("emodb", 900, "50", "fear", "fear", partition="devel")]
    result = tables.results_table(score_runs([finish(tmp_path / "run", rows)]))
    assert [cells[2] for cells in result.cells()] == ["test", "devel"]
    assert "UAR of folds [%]" not in [column.name for column in result.columns]
    assert "1 speaker only: emodb devel." in result.note
    recall = tables.recall_table(score_run(runs.read_run(tmp_path / "run")), "emodb", "test")
    assert [cells[0] for cells in recall.cells()] == LABELS["emodb"]


def test_an_open_interval_is_printed_open():
    column = tables.Column("odds ratio", "ratio", "odds")
    assert tables.Table("t", [column], [[{"value": None, "low": 1.2, "high": None}]]).cells() == [["– [1.20, ∞]"]]


def test_corpora_rows_and_table():
    utterances = pd.DataFrame({
        "corpus": "emodb", "speaker": ["1", "1", "2", "3"], "gender": ["female", "female", "male", ""],
        "language": "deu", "label": ["fear", "anger", "fear", "fear"], "duration_s": [1.0, 2.0, 3.0, 2.0],
    })  # fmt: skip
    rows = tables.corpora_rows(utterances)
    assert rows[0]["labels"] == {"anger": 1, "fear": 3}
    cells = tables.corpora_table(rows).cells()
    assert cells == [["emodb", "4", "2", "3 (1/1)", "deu", "2.00 ± 0.71", "0.00"]]


# plots and page


@pytest.mark.parametrize("size", [2, 9, 20])
def test_plots_are_whole_svg_at_any_size(size):
    labels = [f"{NASTY}{i}" for i in range(size)]
    counts = [[int(i == j) * 3 + int(j == size) for j in range(size + 1)] for i in range(size)]
    drawn = [
        plots.confusion_plot({"labels": labels, "counts": counts}, NASTY),
        plots.recall_plot({label: {"value": 0.75, "n": 4} for label in labels}, 1 / size, 0.75, NASTY),
        plots.speaker_plot({label: {"uar": 0.5, "n": 4, "gender": ""} for label in labels * 3}, 0.5, 0.5, NASTY),
        plots.strip_plot(0.5, None, None, 1 / size),
    ]
    for svg in drawn:
        root = ElementTree.fromstring(svg)
        assert root.tag.endswith("svg") and float(root.get("width")) < 1000
    texts = [node.text for node in ElementTree.fromstring(drawn[0]).iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("75") == texts.count("25") == size and "other" in texts and labels[0] in texts


class Page(HTMLParser):
    """Collects tags, links and text; notes tags that are closed without being open."""

    void = frozenset({"meta", "br", "wbr", "link", "img"})

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.links, self.ids, self.text = [], [], [], set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href", "data")]
        self.ids |= {value for name, value in attrs if name == "id"}
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        self.text.append(data)


def report(folder, two, **more):
    scores = score_runs(two)
    rows = [{"corpus": "emodb", "utterances": 120, "labels": {"anger": 70, NASTY: 50}, "speakers": 10, "female": 5,
             "male": 5, "language": "deu", "duration_s": {"mean": 2.8, "sd": 1.0}, "total_h": 0.41}]  # fmt: skip
    problems = [{"corpus": "emodb", "path": f"<wav>/{i}.wav", "problem": "clipped", "action": "left out", "detail": ""}
                for i in range(3)]  # fmt: skip
    return write_report(folder, two, scores, rows, compare_many(two), problems, **more)


def test_the_page_needs_nothing_and_escapes_everything(tmp_path, two):
    text = report(tmp_path / "report", two, command="emoset evaluate 'a<b'").read_text(encoding="utf-8")
    page = Page(text)
    assert not page.open
    assert {"table", "svg", "nav", "main", "details"} <= set(page.tags)
    assert page.links and all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert not {"b>", "wav", "script", "link", "img", "iframe"} & set(page.tags)
    assert re.findall(r"""(?:https?:)?//[^\s"'<]+""", text.replace("http://www.w3.org/2000/svg", "")) == []
    assert "@import" not in text and "url(" not in text
    words = " ".join(page.text)
    assert NASTY in words and "emoset evaluate 'a<b'" in words and "<wav>/2.wav" in words
    assert "8f31ab02" in words and "numpy 2.4.6" in words and "McNemar" in words and "left out" in words
    assert str(tmp_path) not in text
    assert "NaN" not in text and "None" not in text and "nan" not in words


def test_files_beside_the_page(tmp_path, two):
    folder = report(tmp_path / "report", two).parent
    names = {path.name for path in folder.iterdir()}
    assert names == {"report.html", "results.md", "results.tex", "results.csv", "metrics.json", "figures", "tables"}

    def refuse(name):
        raise AssertionError(name)

    facts = json.loads((folder / "metrics.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert facts["scores"] == json.loads(json.dumps(score_runs(two)))
    assert len(facts["comparisons"]) == 1
    assert len(pd.read_csv(folder / "results.csv")) == 4
    comparison = pd.read_csv(next(iter((folder / "tables").glob("*-comparison-*.csv"))))
    assert list(comparison["corpus"]) == ["emodb", "urdu", "pooled"] and {"uar_a", "only_b"} <= set(comparison)
    assert (folder / "results.tex").read_text(encoding="utf-8").count(r"\begin{table}") == 7
    assert (folder / "results.md").read_text(encoding="utf-8").startswith("## Results\n")
    figures = sorted(path.name for path in (folder / "figures").iterdir())
    assert len(figures) == 13 and "a_svm_00000000_emodb_test_confusion.svg" in figures


def test_the_same_runs_give_the_same_bytes(tmp_path, two):
    first, second = (report(tmp_path / name, two).read_bytes() for name in ("one", "two"))
    assert first == second


def test_a_run_without_test_is_never_shown_as_test(tmp_path):
    run = finish(tmp_path / "run", [one | {"partition": "devel"} for one in random_rows("emodb")])
    path = write_report(tmp_path / "report", [run], score_runs([run]))
    text = path.read_text(encoding="utf-8")
    assert 'class="tag devel"' in text and 'class="tag test"' not in text
    assert "hold no test predictions" in text
    assert "| test |" not in (path.parent / "results.md").read_text(encoding="utf-8")


def test_runs_of_one_name_keep_their_figures_apart(tmp_path):
    pair = [finish(tmp_path / name / "same", random_rows("emodb", seed=i)) for i, name in enumerate("ab")]
    path = write_report(tmp_path / "report", pair, score_runs(pair))
    assert len(list((path.parent / "figures").iterdir())) == 6


def test_scores_hold_plain_finite_numbers(two):
    def walk(value):
        if isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                walk(inner)
        else:
            assert value is None or type(value) in (str, int, bool) or (type(value) is float and math.isfinite(value))

    for value in (*score_runs(two), *compare_many(two)):
        walk(value)
        assert yaml.safe_load(yaml.safe_dump(value)) == value
