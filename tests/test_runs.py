"""`emoset runs`: what is listed, shown and compared is what the runs hold, and only what may go is removed."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from emoset_cli import files, keeping, runs

CORA_SVM, CORA_FOREST = "demo-cora_svm", "demo-cora_forest"


def names(workspace):
    return sorted(path.name for path in (workspace / "runs").iterdir())


def folder_of(workspace, part):
    return runs.find_run(workspace, part).folder


def unfinished(workspace, name="demo-cora+demo-aria_cnn-scratch_standard_00000000"):
    """A run that was interrupted: folds, no done.json."""
    folder = workspace / "runs" / name
    (folder / "folds").mkdir(parents=True)
    (folder / "folds" / "half").write_bytes(bytes(1000))
    return folder


def builds_on(folder, base):
    """Let the run in a folder have started from another, as a transfer does."""
    config = folder / "config.yaml"
    config.write_text(config.read_text("utf-8") + f"initial: {{run: '{base}'}}\n", "utf-8")
    done = files.read_json(folder / "done.json")
    files.write_json(folder / "done.json", done | {"config.yaml": files.digest(config.read_bytes())})


# ---------------- list


def test_the_list_tells_what_evaluate_tells(emoset, trained):
    rows = {row["run"]: row for row in emoset("runs", "list", "-d", trained, "--json").json()}
    assert set(rows) == set(runs.list_runs(trained))
    for score in emoset("evaluate", "-d", trained, "-o", trained.parent / "listed", "--json").json()["scores"]:
        row = rows[score["run"]]
        (corpus,) = score["corpora"]
        assert row["corpora"] == [corpus]
        assert (row["model"], row["partition"], row["seed"]) == (score["model"], "standard", 0)
        for part in ("devel", "test"):
            assert row[f"{part}_uar"] == pytest.approx(score["corpora"][corpus][part]["uar"]["value"])
        folder = trained / "runs" / score["run"]
        assert row["bytes"] == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        assert row["state"] == "finished"


def test_several_corpora_count_alike_and_the_table_says_so(emoset, crossed):
    rows = emoset("runs", "list", "-t", "demo-aria", "--model", "cnn", "-d", crossed, "--json").json()
    (both,) = [row for row in rows if len(row["corpora"]) == 2]
    run = runs.find_run(crossed, both["run"])
    (score,) = emoset("evaluate", both["run"], "-d", crossed, "-o", crossed.parent / "both", "--json").json()["scores"]
    tested = [part["test"]["uar"]["value"] for part in score["corpora"].values()]
    assert both["test_uar"] == pytest.approx(sum(tested) / 2)
    assert run.config["seed"] == both["seed"]
    assert "mean over them" in emoset("runs", "list", "-d", crossed).out


@pytest.mark.parametrize(
    ("words", "count"),
    [([], 4), (["-t", "demo-cora"], 2), (["--task", "demo-cora,demo-aria", "--model", "svm"], 2),
     (["--model", "svm", "--model", "forest"], 4), (["-t", "emodb"], 0), (["--model", "cnn"], 0)],
)  # fmt: skip
def test_the_list_is_cut_to_corpora_and_models(emoset, trained, words, count):
    assert len(emoset("runs", "list", *words, "-d", trained, "--json").json()) == count


def test_an_empty_workspace_has_an_empty_list(emoset, tmp_path):
    answer = emoset("runs", "list", "-d", tmp_path / "none", "--json")
    assert (answer.code, answer.json(), answer.err) == (0, [], "")
    assert not (tmp_path / "none").exists()


def test_unfinished_runs_are_listed_and_those_under_way_too(emoset, results):
    folder = unfinished(results)
    (row,) = emoset("runs", "list", "--model", "cnn", "-d", results, "--json").json()
    assert (row["state"], row["corpora"], row["bytes"]) == ("unfinished", ["demo-cora", "demo-aria"], 1000)
    assert row["test_uar"] is None
    with files.at_work([folder]):
        assert "being trained" in emoset("runs", "list", "-d", results).out
    assert "being trained" not in emoset("runs", "list", "-d", results).out


def test_a_damaged_run_is_told_and_the_others_are_listed(emoset, results):
    (folder_of(results, CORA_SVM) / "predictions.csv").write_text("")
    answer = emoset("runs", "list", "-d", results, "--json")
    assert answer.code == 1
    assert len(answer.json()) == 3
    assert "predictions.csv was changed after the training wrote it" in answer.err


# ---------------- show


def test_show_tells_settings_scores_files_and_history(emoset, crossed):
    name = next(name for name in runs.list_runs(crossed) if name.startswith("demo-aria+demo-cora_cnn"))
    shown = emoset("runs", "show", name, "-d", crossed, "--json").json()
    run = runs.find_run(crossed, name)
    assert shown["config"] == json.loads(json.dumps(run.config))
    assert set(shown["files"]) == {p.relative_to(run.folder).as_posix() for p in run.folder.rglob("*") if p.is_file()}
    assert [row["epoch"] for row in shown["history"]] == sorted({row["epoch"] for row in shown["history"]}, key=int)
    assert {row["partition"] for row in shown["scores"]} == {"devel", "test"}
    assert all(row["uar"]["low"] <= row["uar"]["value"] for row in shown["scores"] if row["uar"]["low"] is not None)
    out = emoset("runs", "show", name, "-d", crossed).out
    for heading in ("Settings", "Scores", "Last epochs", "Files"):
        assert f"\n{heading}" in out


@pytest.mark.parametrize("row", ["1,2,3,4,5,6,7,8,9,10,11,12", "1"])
def test_a_history_with_rows_of_another_length_is_refused(emoset, crossed, tmp_path, row):
    workspace = shutil.copytree(crossed, tmp_path / "w")
    history = next((workspace / "runs").glob("demo-cora_cnn*/history.csv"))
    history.write_text(history.read_text("utf-8") + row + "\n", "utf-8")
    answer = emoset("runs", "show", history.parent.name, "-d", workspace)
    assert answer.code == 1
    told = f"error: {history} is no table of epochs (a row is longer or shorter than the head)\n  mend: train again"
    assert answer.err.startswith(told)


def test_show_tells_what_a_run_rests_on_and_what_rests_on_it(emoset, results):
    base, other = folder_of(results, CORA_SVM), folder_of(results, CORA_FOREST)
    builds_on(other, f"{base.name}:final")
    assert emoset("runs", "show", CORA_FOREST, "-d", results, "--json").json()["initial"] == base.name
    shown = emoset("runs", "show", CORA_SVM, "-d", results)
    assert f"others started from it │ {other.name}" in " ".join(shown.out.split())


# ---------------- diff


def test_diff_tells_the_settings_that_differ_and_the_scores(emoset, trained):
    found = emoset("runs", "diff", CORA_SVM, CORA_FOREST, "-d", trained, "--json").json()
    settings = {row["setting"]: (row["a"], row["b"]) for row in found["settings"]}
    assert settings == {"model": ("svm", "forest")}
    for row in found["scores"]:
        assert row["corpus"] == "demo-cora"
        assert row["difference"] == pytest.approx(row["b"] - row["a"])
    other = emoset("runs", "diff", CORA_SVM, "demo-aria_svm", "-d", trained, "--json").json()
    assert {"corpora", "partition.hash", "data.demo-cora", "data.demo-aria"} <= {
        row["setting"] for row in other["settings"]
    }
    assert {(row["corpus"], row["difference"]) for row in other["scores"]} == {("demo-cora", None), ("demo-aria", None)}


def test_diff_of_a_network_and_its_last_epoch(emoset, crossed):
    name = next(name for name in runs.list_runs(crossed) if name.startswith("demo-aria_cnn"))
    found = emoset("runs", "diff", name, f"{name}:final", "-d", crossed, "--json").json()
    assert found["settings"] == []
    assert len(found["scores"]) == 2


# ---------------- rm


def test_rm_removes_the_runs_named_and_no_other(emoset, results):
    before, other = names(results), unfinished(results)
    answer = emoset("runs", "rm", CORA_SVM, "demo-aria_for", other.name, "--yes", "-d", results, "--json")
    assert answer.code == 0, answer.err
    gone = {row["run"] for row in answer.json()}
    assert len(gone) == 3
    assert names(results) == sorted({*before} - gone)
    assert len(emoset("evaluate", "-d", results, "--json").json()["scores"]) == 2


def test_the_same_run_named_twice_is_removed_once(emoset, results):
    answer = emoset("runs", "rm", CORA_SVM, folder_of(results, CORA_SVM).name, "-y", "-d", results, "--json")
    assert len(answer.json()) == 1


class Terminal:
    """Stands for a keyboard."""

    def __init__(self, said):
        self.lines = [said]

    def isatty(self):
        return True

    def readline(self, *_):
        return self.lines.pop() if self.lines else ""


@pytest.mark.parametrize(("said", "gone"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_rm_asks_first(emoset, results, monkeypatch, said, gone):
    folder = folder_of(results, CORA_SVM)
    monkeypatch.setattr(sys, "stdin", Terminal(said))
    answer = emoset("runs", "rm", CORA_SVM, "-d", results)
    assert f"remove {folder.name} (" in answer.err
    assert (answer.code, folder.exists()) == ((0, False) if gone else (1, True))
    assert gone or "nothing was removed" in answer.err


def test_a_run_that_others_started_from_is_kept(emoset, results):
    base, other = folder_of(results, CORA_SVM), folder_of(results, CORA_FOREST)
    builds_on(other, f"{base.name}:final")
    answer = emoset("runs", "rm", CORA_SVM, "-y", "-d", results)
    assert answer.code == 1
    assert f"{base.name} is the initial model of 1 runs, the first is {other.name}" in answer.err
    assert "give --force" in answer.err
    assert base.exists()
    assert emoset("runs", "rm", CORA_SVM, "-y", "--force", "-d", results).code == 0
    assert emoset("evaluate", CORA_FOREST, "-d", results).code == 0


def test_a_base_goes_together_with_what_started_from_it(emoset, results):
    builds_on(folder_of(results, CORA_FOREST), folder_of(results, CORA_SVM).name)
    assert emoset("runs", "rm", CORA_SVM, CORA_FOREST, "-y", "-d", results).code == 0
    assert len(names(results)) == 2


def test_a_run_that_is_being_trained_is_kept(emoset, results):
    folder = folder_of(results, CORA_SVM)
    with files.at_work([folder]):
        answer = emoset("runs", "rm", CORA_SVM, CORA_FOREST, "-y", "-d", results)
        assert answer.code == 1
        assert f"{folder.name} is being trained" in answer.err
        assert len(names(results)) == 4
        assert emoset("runs", "rm", CORA_SVM, "-y", "--force", "-d", results).code == 0
    assert len(names(results)) == 3


@pytest.mark.parametrize("words", ["train svm -t demo-cora", "train cnn -t demo-cora {tiny}"])
def test_a_training_marks_its_run_and_takes_the_mark_away(emoset, small, tmp_path, monkeypatch, words):
    from emoset_cli.train import baseline
    from emoset_cli.train.deep import run as deep

    results = shutil.copytree(small / "w", tmp_path / "w")
    seen = []

    def look(*_, **__):
        seen.extend(name for name in runs.list_folders(results) if keeping.state(results / "runs" / name) != "finished")
        raise files.EmosetError("stopped", "here")

    monkeypatch.setattr(deep if "cnn" in words else baseline, "run_jobs", look)
    tiny = "-nf 2 -N 1 -nm 16 -w 1 -e 1 -p 1 --precision fp32"
    emoset(*words.format(tiny=tiny).split(), "--seed", 5, "-d", results, "--workers", 1)
    assert len(seen) == 1
    assert keeping.state(results / "runs" / seen[0]) == "unfinished"


def test_a_removal_that_was_killed_is_no_run_and_goes_with_the_next(emoset, results, monkeypatch):
    folder = folder_of(results, CORA_SVM)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            files.remove_folder(folder)
    (aside,) = (results / "runs").glob(".*.tmp")
    dead = aside.with_name(aside.name.replace(str(os.getpid()), str(2**22 + 1)))
    aside.rename(dead)
    assert folder.name not in runs.list_runs(results)
    assert emoset("runs", "rm", CORA_FOREST, "-y", "-d", results).code == 0
    assert not list((results / "runs").glob(".*"))


def test_what_lies_aside_is_told_by_its_process(tmp_path):
    dead, own = (tmp_path / "deep" / f".table.{pid}.tmp" for pid in (2**22 + 1, os.getpid()))
    dead.parent.mkdir()
    dead.touch()
    assert not files.at_work_in(tmp_path)
    own.touch()
    assert files.at_work_in(tmp_path)
    assert files.left_aside(tmp_path) == [dead]
    assert not files._alive(10**30)  # a name may hold any number


def test_a_run_that_is_a_link_is_no_way_out_of_the_workspace(emoset, results, tmp_path):
    outside = Path(shutil.copytree(folder_of(results, CORA_SVM), tmp_path / "outside"))
    link = results / "runs" / "linked"
    link.symlink_to(outside)
    assert emoset("runs", "rm", "linked", "-y", "-d", results).code == 0
    assert not link.exists()
    assert outside.is_dir() and (outside / "done.json").is_file()
