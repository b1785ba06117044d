"""Every plan that comes with emoset, in its smoke size, from the synthetic corpora to the paper's table."""

import json
import shutil
from pathlib import Path

import pytest

from emoset_cli import embed
from emoset_cli.cli import run_over
from emoset_cli.report.papers import TABLES


@pytest.fixture(scope="module")
def place(done, tmp_path_factory):
    """One workspace for all plans: the same job in two of them is done once."""
    return Path(shutil.copytree(done, tmp_path_factory.mktemp("plans") / "w"))


@pytest.fixture(autouse=True)
def no_umap(monkeypatch):
    """UMAP has a test of its own; to compile it takes as long as all these plans."""
    monkeypatch.setattr(embed, "_umap", lambda values, seed: embed._pca(values)[0])


def ends_of_work(place):
    """When each job and each run was finished."""
    files = [*place.glob("jobs/*.json"), *place.glob("runs/*/done.json"), *place.glob("features/*/*.json")]
    return {file: file.stat().st_mtime_ns for file in files}


QUICK = {"alisamir2022-grid"}


def each_plan():
    return [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in sorted(run_over.shipped())]


@pytest.mark.parametrize("name", each_plan())
def test_smoke_size_ends_with_all_tables_and_is_not_done_twice(name, emoset, place):
    command = ["run", name, "--size", "smoke", "-d", place, "--workers", 1, "--json"]
    first = emoset(*command)
    assert first.code == 0, first.err
    answer = first.json()
    assert answer["jobs"]["done"] == sum(answer["jobs"].values()) > 0
    folder = Path(answer["report"]).parent
    told = json.loads((folder / "plan.json").read_text("utf-8"))["sections"]
    assert [one for one in told if one["problem"]] == []
    wanted = run_over.read(name, "smoke").report
    assert len(told) == len(wanted) > 0
    filled = [one["title"] for one in told if one["pages"]]
    assert {TABLES[one.options["name"]].title for one in wanted if one.kind == "paper"} <= {*filled}
    tables = [path.read_text("utf-8").splitlines() for path in folder.glob("tables/*.csv")]
    assert tables and all(len(lines) > 1 for lines in tables)

    before = ends_of_work(place)
    again = emoset(*command)
    assert (again.code, again.json()) == (0, answer)
    assert ends_of_work(place) == before


def test_every_combination_of_attributes_of_the_paper():
    plan = run_over.read("parry2022", "paper")
    points = [(point["approach"], str(point["attributes"])) for point in plan.runs["attributes"].points]
    assert len(points) == len(set(points)) == 3 * 15
    assert ("ad", "corpus,gender,speaker,language") in points
    assert plan.unseen == ("tess", "crema-d") and all(one.unseen for one in plan.runs.values())
