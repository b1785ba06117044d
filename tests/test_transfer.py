"""Networks' results: best and final epoch, settings against a reference with marks worked by hand, plots, pages."""

import csv
import io
import json
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from test_report import Page

from emoset_cli import runs
from emoset_cli.errors import EmosetError
from emoset_cli.report import kinds
from emoset_cli.report.epochs import epoch_scores, epochs_table, parameters_table
from emoset_cli.report.html import write_report
from emoset_cli.report.plots_training import read_history, training_plot
from emoset_cli.report.plots_transfer import heat_map
from emoset_cli.report.scores import score_run, score_runs
from emoset_cli.report.settings import group
from emoset_cli.report.transfer import transfer
from emoset_cli.report.transfer_page import write_transfer_page
from emoset_cli.report.transfer_tables import sentences, transfer_tables

LABELS = {"emodb": ["anger", "fear", "sadness"], "urdu": ["angry", "sad"]}
SVG = "{http://www.w3.org/2000/svg}"


def said(truths, hits, labels):
    """A prediction for each truth: right where ``hits`` says so, else the next label."""
    return [t if hit else labels[(labels.index(t) + 1) % len(labels)] for t, hit in zip(truths, hits, strict=True)]


def table(corpus, hits, devel_hits=None):
    """Predictions of one corpus: truths in turn, 4 test speakers, right where ``hits`` says so."""
    labels, rows = LABELS[corpus], []
    parts = {"test": hits, "devel": hits[: len(hits) // 2] if devel_hits is None else devel_hits}
    for part, right in parts.items():
        truths = [labels[number % len(labels)] for number in range(len(right))]
        for number, (truth, guess) in enumerate(zip(truths, said(truths, right, labels), strict=True)):
            values = [corpus, f"{corpus}/{part}{number:03d}", f"{part}{number % 4}", "female", "deu", "1", part, truth]
            rows.append(dict(zip(runs.PREDICTION_COLUMNS, [*values, guess], strict=True)))
            rows[-1] |= {f"probability_{label}": float(label == guess) for label in labels}
    return rows


def epochs(count=6, best=4, corpora=("emodb",), fold="1"):
    rows = []
    for number in range(1, count + 1):
        uar = 0.3 + 0.05 * number if number <= best else 0.4
        row = {"fold": fold, "epoch": number, "step": (number - 1) // 2, "lr": 10.0 ** -((number - 1) // 2 + 1)}
        row |= {"train_loss": 2 / number, "devel_uar": uar, "best": int(number <= best)}
        rows.append(row | {f"devel_uar:{corpus}": uar for corpus in corpora})
    return rows


def finish(folder, setting, rows, final=None, seed=0, **config):
    """A run folder as the training of a network leaves it; ``rows`` of one corpus or several."""
    corpora = list(dict.fromkeys(row["corpus"] for row in rows))
    base, _, mode = setting.rpartition(" > ")
    initial = {
        "run": f"base-{base}_seed{seed}_0000000{seed}",
        "setting": base,
        "mode": "scratch",
        "corpora": ["x", "y"],
    }
    heads = {corpus: 33_000 + len(LABELS[corpus]) for corpus in corpora}
    config = {
        "emoset": "0.1.0", "model": "cnn", "feature": "logmel", "mode": mode if base else "scratch",
        "initial": initial if base else None, "setting": setting, "corpora": corpora, "label_space": "own",
        "labels": {corpus: LABELS[corpus] for corpus in corpora}, "data": dict.fromkeys(corpora, "a81bc81b"),
        "partition": {"name": "published", "seed": 0, "hash": "8f31ab02", "folds": ["1"], "published": True},
        "options": {"batch_size": 64, "preset": "quick", "precision": "fp32"}, "preset": "quick",
        "budget": "quick: patience 5, at most 12 epochs", "precision": "fp32", "device": "cpu", "seed": seed,
        "chosen": {"1": {"devel_uar": 0.5, "epoch": 4, "epochs": 6, "final_devel_uar": 0.4}},
        "parameters": {"shared": 2_700_000, "adapter": dict.fromkeys(corpora, 280_000) if base else {}, "head": heads,
                       "total": 3_000_000, "trained": 313_000 if base else 3_000_000},
        "counts": {"train": 100}, "packages": {"torch": "2.11.0"},
    } | config  # fmt: skip
    pd.DataFrame(epochs(corpora=corpora)).to_csv((folder.mkdir(parents=True), folder / "history.csv")[1], index=False)
    last = pd.DataFrame(final if final is not None else rows)
    return runs.finish(folder, config, pd.DataFrame(rows), {"final": last})


def baseline(folder, rows, seed=0, **config):
    corpora = list(dict.fromkeys(row["corpus"] for row in rows))
    config = {
        "emoset": "0.1.0", "model": "svm", "feature": "egemaps-v02", "corpora": corpora, "label_space": "own",
        "labels": {corpus: LABELS[corpus] for corpus in corpora}, "data": dict.fromkeys(corpora, "a81bc81b"),
        "seed": seed, "options": {"normalise": "train"},
        "partition": {"name": "published", "seed": 0, "folds": ["1"]}, "chosen": {"1": {"C": 0.1, "devel_uar": 0.5}},
    } | config  # fmt: skip
    return runs.finish(folder, config, pd.DataFrame(rows))


def pattern(right, n):
    """The first ``right`` of ``n`` utterances are right."""
    return [number < right for number in range(n)]


def random_hits(n, share, seed):
    return list(np.random.default_rng(seed).random(n) < share)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("transfer")


@pytest.fixture(scope="module")
def study(workspace):
    """Scratch, all > adapters and arousal > adapters with three seeds each on two corpora; the base; an SVM."""
    place, made = workspace / "runs", []
    shares = {"scratch": 0.5, "all > adapters": 0.75, "arousal > adapters": 0.45}
    for number, (setting, share) in enumerate(shares.items()):
        for seed in range(3):
            for corpus, n in (("emodb", 120), ("urdu", 80)):
                rows, last = (table(corpus, random_hits(n, chance, 100 * number + 10 * seed + n))
                              for chance in (share, share - 0.1))  # fmt: skip
                name = f"{corpus}_cnn-{setting.replace(' > ', '-')}_s{seed}"
                made.append(finish(place / name, setting, rows, last, seed))
    both = table("emodb", random_hits(120, 0.6, 7)) + table("urdu", random_hits(80, 0.6, 8))
    made.append(finish(place / "emodb+urdu_cnn-all_s0", "all", both))
    made.append(baseline(place / "emodb_svm-egemaps-v02", table("emodb", random_hits(120, 0.55, 9))))
    return made


def refused(match, call, *args):
    with pytest.raises(EmosetError, match=match) as caught:
        call(*args)
    return caught.value.mend


# A run's final epoch


def test_a_run_has_a_best_and_a_final_epoch(tmp_path):
    folder = tmp_path / "runs" / "emodb_cnn_00000000"
    best, last = table("emodb", pattern(9, 12)), table("emodb", pattern(6, 12))
    finish(folder, "scratch", best, last)
    run, final = (runs.find_run(tmp_path, name) for name in ("emodb_cnn", "emodb_cnn:final"))
    assert run.name == "emodb_cnn_00000000" and final.name == "emodb_cnn_00000000:final" and run.has_final
    assert runs.find_run(tmp_path, f"{folder}:final").name == final.name
    scores = [score_run(one)["corpora"]["emodb"]["test"]["uar"]["value"] for one in (run, final)]
    assert scores == [pytest.approx(9 / 12), pytest.approx(6 / 12)]
    assert runs.list_runs(tmp_path) == ["emodb_cnn_00000000"]
    (folder / "predictions-final.csv").write_text("changed", encoding="utf-8")
    assert len(run.predictions()) == 18
    assert "--force" in refused("predictions-final.csv was changed after the training", final.predictions)


def test_a_baseline_has_no_final_epoch(tmp_path):
    run = baseline(tmp_path / "runs" / "emodb_svm_00000000", table("emodb", pattern(9, 12)))
    assert {path.name for path in run.folder.iterdir()} == {"config.yaml", "predictions.csv", "done.json"}
    assert set(json.loads((run.folder / "done.json").read_text())) == {"config.yaml", "predictions.csv", "rows"}
    mend = refused("run 'emodb_svm_00000000' has no final epoch", runs.find_run, tmp_path, "emodb_svm:final")
    assert mend == "give its name without ':final'"
    assert "known: emodb_svm_00000000" in refused("unknown run 'ravdess'", runs.find_run, tmp_path, "ravdess:final")


# Table 3


def test_best_and_final_stand_side_by_side(tmp_path):
    best = table("emodb", pattern(9, 12), pattern(6, 6))
    last = table("emodb", pattern(6, 12), pattern(3, 6))
    run = finish(tmp_path / "net", "scratch", best, last)
    svm = baseline(tmp_path / "svm", table("emodb", pattern(12, 12)))
    rows = epoch_scores([run, svm])
    assert [row["run"] for row in rows] == ["net", "svm"]
    assert rows[0]["chance"] == pytest.approx(1 / 3)
    assert rows[0]["best"]["epoch"] == {"low": 4, "high": 4} and rows[0]["final"]["epoch"] == {"low": 6, "high": 6}
    found = [rows[0][when][part]["value"] for when in ("best", "final") for part in ("devel", "test")]
    assert found == pytest.approx([1, 9 / 12, 3 / 6, 6 / 12])
    assert rows[1]["final"] is None and rows[1]["best"]["epoch"] is None and rows[1]["setting"] == "egemaps-v02 svm"
    cells = epochs_table(rows).cells()
    assert cells[0][:5] == ["emodb", "net", "scratch", "33.3", "4"] and cells[0][7] == "6"
    assert cells[1][4] == "–" and cells[1][7:] == ["–", "–", "–"]
    assert epoch_scores([run, run.final_epoch()], score_runs([run, run.final_epoch()])) == rows[:1]
    assert epoch_scores([svm]) == []


# Settings


def test_runs_that_differ_in_more_than_seed_and_corpus_are_settings_of_their_own(tmp_path):
    rows = table("emodb", pattern(9, 12))
    made = [
        finish(tmp_path / "a", "scratch", rows),
        finish(tmp_path / "b", "scratch", table("urdu", pattern(9, 12)), seed=1),
        finish(tmp_path / "c", "scratch", rows, preset="cli-20", options={"preset": "cli-20", "batch_size": 32}),
        baseline(tmp_path / "d", rows),
    ]
    found = group([*made, made[0].final_epoch()])
    names = {setting.name: [run.name for run in setting.runs] for setting in found}
    assert names == {
        "scratch (quick)": ["a", "b"], "scratch (cli-20)": ["c"], "egemaps-v02 svm": ["d"],
        "scratch, final": ["a:final"],
    }  # fmt: skip
    mend = refused(r"'scratch' fits several settings: scratch \(quick\), scratch \(cli-20\)", transfer, made)
    assert mend.startswith("--reference 'scratch (quick)'")
    assert [one["name"] for one in transfer(made, "scratch (cli-20)")["settings"]] == [
        "scratch (cli-20)", "scratch (cli-20), final", "egemaps-v02 svm", "scratch (quick)",
    ]  # fmt: skip


def test_a_variant_is_named_by_as_little_as_tells_it_apart(tmp_path):
    rows, plain = table("emodb", pattern(9, 12)), {"batch_size": 64, "network": {}, "individual_decay": False}
    variants = [{}, {"network": {"filters": 8}}, {"individual_decay": True}]
    made = [finish(tmp_path / str(n), "scratch", rows, options=plain | one) for n, one in enumerate(variants)]
    assert [setting.name for setting in group(made)] == [
        "scratch (default filters, no individual decay)", "scratch (filters 8, no individual decay)",
        "scratch (default filters, individual decay)",
    ]  # fmt: skip
    assert [setting.name for setting in group(made[::2])] == [
        "scratch (no individual decay)",
        "scratch (individual decay)",
    ]
    assert [setting.name for setting in group(made[:1])] == ["scratch"]


def test_an_unknown_reference_is_refused(tmp_path):
    run = finish(tmp_path / "a", "scratch", table("emodb", pattern(9, 12)))
    assert "did you mean 'scratch'?" in refused("unknown setting 'scrach'", transfer, [run], "scrach")


# The marks, by hand


def test_mean_over_seeds_and_marks_worked_by_hand(tmp_path):
    """30 test utterances. Reference: the first 15 right. McNemar is exact below 25 utterances that one alone has right.

    seed 0: 15 -> 27, all 12 gained: p = 2 / 2^12 = 0.00049: +
    seed 1: 15 -> 24, all 9 gained:  p = 2 / 2^9  = 0.0039:  +
    seed 2: 15 -> 18, all 3 gained:  p = 2 / 2^3  = 0.25:    nothing
    Two of three: +. On 30 utterances with 10 of each label in turn the UAR is the share of right ones.
    """
    made = [finish(tmp_path / f"s{seed}", "scratch", table("emodb", pattern(15, 30)), seed=seed) for seed in range(3)]
    for seed, right in enumerate((27, 24, 18)):
        made.append(finish(tmp_path / f"t{seed}", "all > adapters", table("emodb", pattern(right, 30)), seed=seed))
    found = transfer(made)
    assert found["reference"] == "scratch"
    assert [one["name"] for one in found["settings"]] == ["scratch", "scratch, final", "all > adapters"]
    cells = found["corpora"]["emodb"]["settings"]
    assert cells["scratch"]["test"]["mean"] == pytest.approx(0.5) and "mark" not in cells["scratch"]["test"]
    test = cells["all > adapters"]["test"]
    assert test["values"] == pytest.approx({"0": 0.9, "1": 0.8, "2": 0.6})
    assert test["mean"] == pytest.approx(23 / 30)
    assert test["sd"] == pytest.approx(((0.4**2 + 0.1**2 + 0.5**2) / 9 / 2) ** 0.5)  # deviations 4/30, 1/30, -5/30
    assert test["difference"] == pytest.approx(8 / 30) and (test["low"], test["n"]) == (None, 3)
    assert [one["p"] for one in test["tests"]] == pytest.approx([2 / 2**12, 2 / 2**9, 2 / 2**3])
    assert [one["p_holm"] for one in test["tests"]] == pytest.approx([2 / 2**12, 2 / 2**9, 2 / 2**3])  # one corpus
    assert (test["mark"], test["plus"], test["minus"], test["pairs"]) == ("+", 2, 0, 3)
    printed = transfer_tables(found)[0].cells()[0]
    assert printed == ["emodb", "30", "33.3", "50.0 ± 0.0 (3)", "50.0 ± 0.0 (3)", "76.7 ± 15.3 (3) +2/3"]
    assert sentences(found)[1] == (
        "all > adapters beats scratch on 1 of 1 corpora, significantly on 1; it is significantly worse on 0."
    )


def test_holm_is_over_the_corpora_of_a_seed_and_a_minority_is_no_mark(tmp_path):
    """emodb gains 6 (p = 2 / 2^6 = 0.031), urdu 1 (p = 1): Holm makes of 0.031 twice that, and of + nothing.

    With the second seed emodb gains 12 (p = 0.00049, Holm 0.00098): + in 1 of 2 seeds is no majority.
    """
    made = []
    for seed, gain in ((0, 6), (1, 12)):
        made.append(finish(tmp_path / f"e{seed}", "scratch", table("emodb", pattern(15, 30)), seed=seed))
        made.append(finish(tmp_path / f"u{seed}", "scratch", table("urdu", pattern(15, 30)), seed=seed))
        both = table("emodb", pattern(15 + gain, 30)) + table("urdu", pattern(16, 30))
        made.append(finish(tmp_path / f"b{seed}", "all", both, seed=seed))
    single, several = transfer(made[:3]), transfer(made)
    cell = single["corpora"]["emodb"]["settings"]["all"]["test"]
    assert cell["tests"][0]["p"] == pytest.approx(2 / 2**6)
    assert cell["tests"][0]["p_holm"] == pytest.approx(4 / 2**6)
    assert cell["mark"] == "" and cell["mark_uncorrected"] == "+"
    against = next(one["against"] for one in single["settings"] if one["name"] == "all")
    assert against == {
        "corpora": 2, "above": 2, "below": 0, "plus": 0, "minus": 0, "plus_uncorrected": 1, "minus_uncorrected": 0,
        "mean_difference": pytest.approx((6 / 30 + 1 / 30) / 2),
    }  # fmt: skip
    cell = several["corpora"]["emodb"]["settings"]["all"]["test"]
    assert (cell["mark"], cell["plus"], cell["pairs"]) == ("", 1, 2)
    assert kinds.KINDS["marked"].text(cell) == "80.0 ± 14.1 (2) (+1/2)"


def test_a_single_seed_has_its_interval_and_a_worse_setting_a_minus(tmp_path):
    made = [finish(tmp_path / "a", "scratch", table("emodb", random_hits(60, 0.9, 1)))]
    made.append(finish(tmp_path / "b", "emodb > last-layer", table("emodb", random_hits(60, 0.3, 2))))
    cell = transfer(made)["corpora"]["emodb"]["settings"]["emodb > last-layer"]["test"]
    own = score_run(made[1])["corpora"]["emodb"]["test"]["uar"]
    assert (cell["low"], cell["high"], cell["sd"]) == (own["low"], own["high"], None)
    assert cell["mark"] == "−" and (cell["plus"], cell["minus"], cell["pairs"]) == (0, 1, 1)
    text = kinds.KINDS["marked"].text(cell)
    assert text.endswith("]") and " − [" in text


def test_only_equal_seeds_are_paired(tmp_path):
    made = [finish(tmp_path / f"s{seed}", "scratch", table("emodb", pattern(15, 30)), seed=seed) for seed in (0, 1)]
    made += [
        finish(tmp_path / f"t{seed}", "all > adapters", table("emodb", pattern(29, 30)), seed=seed) for seed in (1, 5)
    ]
    cell = transfer(made)["corpora"]["emodb"]["settings"]["all > adapters"]["test"]
    assert cell["n"] == 2 and [one["seed"] for one in cell["tests"]] == [1]
    alone = transfer([made[0], made[3]])["corpora"]["emodb"]["settings"]["all > adapters"]["test"]
    assert "mark" not in alone and alone["difference"] == pytest.approx(14 / 30)


def test_what_cannot_be_compared_is_left_out_and_named(tmp_path):
    rows = table("emodb", pattern(15, 30))
    reference = finish(tmp_path / "a", "scratch", rows)
    arousal = finish(tmp_path / "b", "arousal", rows, labels={"emodb": ["anger", "fear", "sadness", "joy"]})
    fewer = finish(tmp_path / "c", "all > adapters", table("emodb", pattern(15, 27), pattern(3, 15)))
    devel = finish(tmp_path / "d", "all > finetune", table("emodb", pattern(15, 30), pattern(3, 12)))
    swapped = [row | {"truth": "fear"} if row["utterance"].endswith("test000") else row for row in rows]
    truth = finish(tmp_path / "e", "all > last-layer", swapped)
    found = transfer([arousal, fewer, devel, truth, reference])
    assert {one["run"]: one["why"] for one in found["left_out"]} == {
        "b": "other labels than 'a'", "c": "other test utterances than 'a'", "d": "other devel utterances than 'a'",
        "e": "other test truths than 'a'",
    }  # fmt: skip
    assert [one["name"] for one in found["settings"]] == ["scratch", "scratch, final"]
    assert "Left out: c (all > adapters) on emodb: other test utterances than 'a'." in transfer_tables(found)[0].note


def test_two_runs_of_one_setting_corpus_and_seed_are_refused(tmp_path):
    made = [
        finish(tmp_path / name, "scratch", table("emodb", pattern(right, 30))) for name, right in (("a", 3), ("b", 9))
    ]
    mend = refused("'a' and 'b' are both 'scratch' on emodb with seed 0", transfer, made)
    assert mend == "name the runs that shall count, one for each setting, corpus and seed"


# The whole study


def test_the_tables_of_a_study(study):
    found = transfer(study)
    names = ["scratch", "scratch, final", "all", "all > adapters", "arousal > adapters", "egemaps-v02 svm"]
    assert [one["name"] for one in found["settings"]] == names
    test, devel, against, settings = transfer_tables(found)
    assert [row[0] for row in test.rows] == ["emodb", "urdu"]
    assert test.rows[1][-1] is None  # the SVM is of emodb only
    assert "scratch / all > adapters" in test.note.replace("scratch, final / ", "")
    assert "quick: patience 5, at most 12 epochs; fp32; cpu" in test.note
    assert [column.name for column in devel.columns][2:] == names
    cells = {row[0]: row for row in against.cells()}
    assert cells["all > adapters"][2] == "2 / 0" and "best transfer of each corpus" in cells
    assert {row[0]: row[2] for row in settings.cells()}["all"] == "0"
    base = {row[0]: row[5] for row in settings.cells()}["all > adapters"]
    assert base == "base-all_seed0_00000000 or base-all_seed1_00000001 or base-all_seed2_00000002"
    lines = list(csv.DictReader(io.StringIO(test.csv())))
    assert (
        float(lines[0]["all-adapters_mean"]) == found["corpora"]["emodb"]["settings"]["all > adapters"]["test"]["mean"]
    )


def test_parameters_are_told_for_each_setting(study):
    cells = {row[0]: row for row in parameters_table(study).cells()}
    assert cells["all > adapters"][3:] == [
        "3,000,000", "313,000", "2,700,000", "280,000", "33,002 to 33,003", "313,002 to 313,003",
    ]  # fmt: skip
    assert cells["scratch"][6] == "0" and "egemaps-v02 svm" not in cells
    assert parameters_table(study[-1:]) is None


def test_the_heat_map_says_each_number_and_its_sign(study):
    found = transfer(study)
    for partition in ("devel", "test"):
        svg = heat_map(found, partition, "Transfer <&>")
        root = ElementTree.fromstring(svg)
        texts = [node.text for node in root.iter(f"{SVG}text")]
        cell = found["corpora"]["emodb"]["settings"]["all > adapters"][partition]
        assert kinds.points(cell["difference"]) in texts
        assert any(text.split()[0] == kinds.percent(cell["mean"]) for text in texts)
        boxes = list(root.iter(f"{SVG}rect"))
        assert len(boxes) == 5 * 2 + 1 + 9  # settings on both corpora, the SVM on one, the legend
        assert max(float(box.get("fill-opacity")) for box in boxes) <= 0.72
        assert all(0 <= float(box.get("x")) <= float(root.get("width")) for box in boxes)
    assert "+3/3" in " ".join(ElementTree.fromstring(heat_map(found, "test", "t")).itertext())


def test_the_page_of_a_study(tmp_path, study):
    found = transfer(study)
    pages = [write_transfer_page(tmp_path / name, found, study, "emoset transfer") for name in ("one", "two")]
    assert pages[0].read_bytes() == pages[1].read_bytes()
    folder = pages[0].parent
    page = Page(pages[0].read_text(encoding="utf-8"))
    words = " ".join(page.text)
    assert not page.open and all(link[1:] in page.ids for link in page.links)
    assert "all > adapters beats scratch on 2 of 2 corpora" in words and "NaN" not in words and "None" not in words
    assert {path.name for path in folder.iterdir()} == {
        "report.html", "results.md", "results.tex", "results.csv", "transfer.json", "figures", "tables",
    }  # fmt: skip
    assert {path.stem for path in (folder / "figures").iterdir()} == {"heat_map_test", "heat_map_devel"}
    assert json.loads((folder / "transfer.json").read_text(encoding="utf-8")) == json.loads(json.dumps(found))
    assert (folder / "results.tex").read_text(encoding="utf-8").count(r"\begin{table}") == 5


# Training curves, and the report of networks


def test_the_training_curve_marks_steps_and_the_best_epoch(tmp_path):
    run = finish(tmp_path / "a", "all", table("emodb", pattern(9, 12)) + table("urdu", pattern(9, 12)))
    history = read_history(run)
    assert [row["epoch"] for row in history["1"] if row["best"]] == [4]
    root = ElementTree.fromstring(training_plot(history, "<b>"))
    assert len(list(root.iter(f"{SVG}polyline"))) == 4  # mean, two corpora; loss
    assert len(list(root.iter(f"{SVG}circle"))) == 2
    dashed = [node for node in root.iter(f"{SVG}line") if node.get("stroke-dasharray")]
    assert len(dashed) == 2 * 2  # two steps, in both panels
    texts = [node.text for node in root.iter(f"{SVG}text")]
    assert {"lr 0.1", "0.01", "0.001", "epoch", "devel UAR [%]", "training loss"} <= set(texts)


def test_folds_are_thin_lines_and_one_epoch_is_enough():
    folds = {str(fold): [row | {"best": row["epoch"] == 4} for row in epochs(fold=str(fold))] for fold in range(5)}
    root = ElementTree.fromstring(training_plot(folds, "t"))
    lines = list(root.iter(f"{SVG}polyline"))
    assert len(lines) == 10 and {line.get("stroke-width") for line in lines} == {"1"}
    assert not [node for node in root.iter(f"{SVG}line") if node.get("stroke-dasharray")]
    first = [epochs()[0] | {"best": 1, "train_loss": float("nan")}]
    assert "nan" not in training_plot({"1": first}, "t")


def test_a_damaged_history_is_refused_and_a_missing_one_told(tmp_path):
    run = finish(tmp_path / "a", "scratch", table("emodb", pattern(9, 12)))
    path = run.folder / "history.csv"
    for text in ("fold,epoch\n1,1\n", "fold,epoch,lr,train_loss,devel_uar\n1,x,0.1,1,0.5\n", "a\n1\n"):
        path.write_text(text, encoding="utf-8")
        assert refused("history.csv is not as the training wrote it", read_history, run) == "train again with --force"
    path.unlink()
    page = write_report(tmp_path / "report", [run], score_runs([run])).read_text(encoding="utf-8")
    assert "holds no history.csv" in page


def test_the_report_of_a_network(tmp_path):
    best, last = table("emodb", random_hits(60, 0.7, 1)), table("emodb", random_hits(60, 0.6, 2))
    run = finish(tmp_path / "emodb_cnn", "all > adapters", best, last, seed=3)
    several = [run, run.final_epoch()]
    scores = score_runs(several)
    path = write_report(tmp_path / "report", several, scores, epochs=epoch_scores(several, scores))
    page = Page(path.read_text(encoding="utf-8"))
    words = " ".join(" ".join(page.text).split())
    assert not page.open and all(link[1:] in page.ids for link in page.links)
    for fact in ("setting all > adapters", "mode adapters", "initial model base-all_seed3_00000003 (all)", "seed 3",
                 "budget quick: patience 5", "precision fp32", "device cpu", "3,000,000, 313,000 of them trained",
                 "Best devel epoch and final epoch", "epoch 4"):  # fmt: skip
        assert fact in words, fact
    folder = path.parent
    assert len(list((folder / "figures").glob("*_training.svg"))) == 2
    facts = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert facts["epochs"][0]["best"]["test"]["value"] == scores[0]["corpora"]["emodb"]["test"]["uar"]["value"]
    assert facts["epochs"][0]["final"]["test"]["value"] == scores[1]["corpora"]["emodb"]["test"]["uar"]["value"]
    assert "Best devel epoch and final epoch" in (folder / "results.md").read_text(encoding="utf-8")
    rows = pd.read_csv(next(iter((folder / "tables").glob("*best-devel-epoch*.csv"))))
    assert rows["best_epoch_low"].tolist() == [4] and rows["final_uar"].tolist() == [
        scores[1]["corpora"]["emodb"]["test"]["uar"]["value"]
    ]
    alone = write_report(tmp_path / "final", several[1:], scores[1:], epochs=epoch_scores(several[1:], scores[1:]))
    assert not Page(alone.read_text(encoding="utf-8")).open


# The commands


def test_the_command_answers_tables_and_json(emoset, workspace, tmp_path, study):
    place = workspace
    answer = emoset("transfer", "-d", place)
    assert answer.code == 0, answer.err
    assert "Transfer, test UAR [%]" in answer.out and "svm" not in answer.out and "report: " in answer.err
    value = emoset("transfer", "--baselines", "--json", "-d", place, "--out", tmp_path / "page").json()
    assert value["report"] == str(tmp_path / "page" / "report.html")
    assert [one["name"] for one in value["settings"]][-1] == "egemaps-v02 svm"
    other = emoset("transfer", "-r", "all > adapters", "--json", "-d", place).json()
    assert other["reference"] == "all > adapters" and other["settings"][1]["name"] == "all > adapters, final"
    named = emoset("transfer", "emodb_cnn-scratch_s0", "emodb_cnn-all-adapters_s0:final", "--json", "-d", place).json()
    assert [one["name"] for one in named["settings"]] == ["scratch", "scratch, final", "all > adapters, final"]


def test_the_command_refuses(emoset, workspace, tmp_path, study):
    place = workspace
    for words, told in (
        (["-d", tmp_path / "empty"], ("holds no finished run of a network", "emoset train cnn")),
        (["-r", "nothing", "-d", place], ("unknown setting 'nothing'", "known: all, all > adapters")),
        (["nothing", "-d", place], ("unknown run 'nothing'", "known: ")),
    ):
        answer = emoset("transfer", *words)
        assert answer.code == 1 and answer.out == "" and all(one in answer.err for one in told), answer.err


def test_evaluate_and_compare_know_the_final_epoch(emoset, workspace, tmp_path, study):
    place = workspace
    answer = emoset("evaluate", "emodb_cnn-scratch_s0", "-d", place)
    assert answer.code == 0 and "Best devel epoch and final epoch" in answer.out, answer.err
    value = emoset("evaluate", "emodb_cnn-scratch_s0", "emodb_cnn-scratch_s0:final", "--json", "-d", place).json()
    assert [score["run"] for score in value["scores"]] == ["emodb_cnn-scratch_s0", "emodb_cnn-scratch_s0:final"]
    assert len(value["epochs"]) == 1
    final = emoset("evaluate", "emodb_cnn-scratch_s0:final", "--json", "-d", place).json()
    assert "evaluate_emodb_cnn-scratch_s0-final" in final["report"]
    pair = emoset("compare", "emodb_cnn-scratch_s0", "emodb_cnn-scratch_s0:final", "--json", "-d", place)
    assert pair.code == 0 and pair.json()["comparisons"][0]["b"] == "emodb_cnn-scratch_s0:final", pair.err
