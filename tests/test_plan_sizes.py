"""A plan in another size: which sets of runs stay, what is said to be reduced; the plans of Alisamir et al."""

import pytest

from emoset_cli.cli.run_over import read
from emoset_cli.errors import EmosetError

PLAN = """
corpora: [emodb, ravdess]
runs:
  base: {train: cnn, over: together, options: {multi-task: true}}
  tuned: {train: cnn, over: each, from: base, options: {mode: adapters}}
  further: {train: svm, over: each}
report:
  - scores: {}
  - compare: {}
    runs: [tuned, further]
  - transfer: {}
    runs: [further]
sizes:
  small: {only: [tuned], options: {cnn: {preset: ''}}}
"""


def test_a_size_keeps_the_sets_it_names_and_those_they_start_from(tmp_path):
    (tmp_path / "p.yaml").write_text(PLAN, "utf-8")
    whole, small = (read(str(tmp_path / "p.yaml"), size) for size in ("paper", "small"))
    assert list(whole.runs) == ["base", "tuned", "further"] and whole.reduced == ()
    assert list(small.runs) == ["base", "tuned"]
    assert [(one.kind, one.runs) for one in small.report] == [("scores", ()), ("compare", ("tuned",))]
    assert small.reduced == ("without further", "all runs: preset left out")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("only: [tuned]", "only: [tuned, furher]", "unknown set of runs 'furher'"),
        ("scores: {}", "cross: {published: alisami}", "unknown paper with figures across corpora 'alisami'"),
    ],
)
def test_what_a_plan_cannot_name(tmp_path, old, new, told):
    (tmp_path / "p.yaml").write_text(PLAN.replace(old, new), "utf-8")
    with pytest.raises(EmosetError, match=told):
        read(str(tmp_path / "p.yaml"), "paper")


def test_the_runs_of_alisamir_are_the_papers():
    plan = read("alisamir2022", "paper")
    assert plan.corpora == ("cafe", "emodb", "gemep", "ravdess")
    frozen = {name: one.options.get("feature") for name, one in plan.runs.items()}
    assert frozen == {"single": "w2v2", "multi": "w2v2", "single-ft": None, "multi-ft": None, "loso": None}
    assert {one.options["partition"] for name, one in plan.runs.items() if name != "loso"} == {"alisamir2022"}
    assert plan.extract["w2v2"].options["model"] == plan.runs["loso"].options["finetune"]
    assert {one.seeds for one in plan.runs.values()} == {(0,)}
    small = read("alisamir2022", "small")
    assert list(small.runs) == ["single", "multi", "loso"] and small.reduced[0] == "without single-ft, multi-ft"
    assert [one.runs for one in small.report[1:]] == [("single", "multi"), ("multi",)]


def test_the_grid_of_alisamir_has_the_papers_points():
    plan = read("alisamir2022-grid", "paper")
    (grid,) = plan.runs.values()
    points = {tuple(point.values()) for point in grid.points}
    assert len(points) == len(grid.points) == 36 and not grid.together and plan.corpora == ("gemep", "ravdess")
    assert {(point["layers"], point["width"]) for point in grid.points} == {(1, 64), (2, 128), (4, 256)}
    assert {point["learning-rate"] for point in grid.points} == {1e-2, 1e-3, 1e-4}
    assert {point["feature"] for point in grid.points} == {"", "w2v2"}
    assert plan.report[0].kind == "devel"
