"""The report of a plan: its sections, links from numbers to runs, what failed; and its progress on a terminal."""

import json
import re
import runpy
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest

from emoset_cli.cli import run_sections
from emoset_cli.cli.job import Machine, work
from emoset_cli.cli.main import main
from emoset_cli.plan.jobs import Job
from emoset_cli.plan.read import SECTIONS
from emoset_cli.report import ranking
from emoset_cli.report.plan_page import About, Row, write_plan_page
from emoset_cli.report.section import Section
from emoset_cli.report.tables import Column, Table
from emoset_cli.runs import read_run

DOCS = Path(__file__).parents[1] / "docs"
TINY = ["-nf", "4", "-N", "1", "-nm", "16", "-w", "1.5", "-p", "1", "-e", "1", "-spe", "1", "-bs", "16"]
PLAN = """title: Small
source: A. Nobody, 2020
corpora: [demo-cora, demo-aria, demo-brio]
runs:
  svm: {train: svm, over: each}
  forest: {train: forest, over: each}
  grid: {train: svm, over: each, corpora: [demo-cora], grid: {normalise: [train, corpus]}}
  broken: {train: svm, over: each, corpora: [demo-aria], options: {class-weight: balanced}}
report:
  - scores: {}
  - paper: emonet2021-table3
    runs: [svm]
  - compare: {}
    runs: [svm, forest]
  - devel: {}
    runs: [grid]
    title: The grid
  - transfer: {reference: egemaps-v02 svm}
    runs: [svm, forest]
  - cross: {}
    title: Through other heads
  - probe: {}
    runs: [broken]
  - paper: zhu2020
sizes:
  small: {options: {forest: {class-weight: balanced}}}
"""


class Page(HTMLParser):
    """Ids, links, texts of cells by the links in them."""

    def __init__(self, path):
        super().__init__()
        self.path, self.text = path, path.read_text("utf-8")
        self.ids, self.links, self.of, self.words = [], [], {}, []
        self._within = None
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.ids += [told["id"]] if "id" in told else []
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
            self._within = told["href"]

    def handle_endtag(self, tag):
        self._within = None if tag == "a" else self._within

    def handle_data(self, data):
        self.words.append(data)
        if self._within:
            self.of.setdefault(self._within, []).append(data)

    def row(self, anchor):
        """The table row with this anchor, without its tags."""
        return re.sub(r"<[^>]+>", " ", re.search(rf'<tr id="{anchor}">.*?</tr>', self.text, re.DOTALL)[0])


@pytest.fixture(scope="module")
def ran(trained, tmp_path_factory):
    """The plan over two of its corpora, one job of which cannot read its features."""
    folder = tmp_path_factory.mktemp("plan")
    workspace = shutil.copytree(trained, folder / "w")
    (folder / "mine.yaml").write_text(PLAN, "utf-8")
    told = ["run", folder / "mine.yaml", "--corpora", "demo-cora,demo-aria", "-d", workspace, "--workers", 1, "-q"]
    words = [*map(str, told)]
    assert main([*words, "--only", "svm,forest,grid"]) == 0
    (features,) = workspace.glob("features/*/demo-aria.npy")
    features.write_bytes(features.read_bytes()[:100])
    return SimpleNamespace(words=words, workspace=workspace, code=main(words))


@pytest.fixture(scope="module")
def page(ran):
    (path,) = ran.workspace.glob("plans/*/report/report.html")
    return Page(path)


def facts(page):
    return json.loads((page.path.parent / "plan.json").read_text("utf-8"))


def test_every_kind_of_section_can_be_made():
    assert run_sections.MAKERS.keys() == SECTIONS.keys()


def test_every_link_leads_somewhere(page):
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids, link
        else:
            assert (page.path.parent / unquote(link)).exists(), link
    assert not [link for link in page.links if Path(link).is_absolute() or ":" in link]


def test_every_run_has_an_anchor_and_a_link_to_its_folder(ran, page):
    runs = {row["run"]: row for row in facts(page)["jobs"] if row["run"]}
    assert len(runs) == 5  # the grid's first point is the SVM of the first set
    for name, row in runs.items():
        folder = (page.path.parent / unquote(row["folder"])).resolve()
        assert folder == (ran.workspace / "runs" / name).resolve()
        assert any(link.rstrip("/") == row["folder"] for link in page.links)
    anchors = [link for link in page.of if re.fullmatch(r"#run-\d+", link)]
    assert {link[1:] for link in anchors} == {one for one in page.ids if re.fullmatch(r"run-\d+", one)}
    assert len(anchors) == len(runs)


def test_a_number_leads_to_the_run_it_is_of(ran, page):
    metrics = json.loads((page.path.parent / "sections/01-scores/metrics.json").read_text("utf-8"))
    assert len(metrics["scores"]) == 5
    for score in metrics["scores"]:
        (corpus,) = score["corpora"]
        uar = f"{100 * score['corpora'][corpus]['test']['uar']['value']:.1f}"
        (anchor,) = [link for link, words in page.of.items() if "".join(words).startswith(score["run"])
                     and link.startswith("#run-")]  # fmt: skip
        assert uar in page.of[anchor]
        assert uar in page.row(anchor[1:])


def test_a_number_over_several_runs_leads_to_all_of_them(page):
    groups = [one for one in page.ids if one.startswith("runs-")]
    assert groups
    for group in groups:
        item = re.search(rf'<li id="{group}".*?</li>', page.text, re.DOTALL)[0]
        assert len(re.findall(r'href="#run-\d+"', item)) > 1


def test_the_papers_table_stands_in_its_shape_with_what_is_reduced_and_what_is_missing(page):
    text = " ".join(page.words)
    assert "Size small, reduced: forest: class-weight balanced." not in text  # this page is of the plan's own size
    assert "EmoNet, Table 3: baselines, UAR [%]" in text
    assert "No run here of 26 of the paper's 26 corpora" in text
    assert "Published: EmoNet, Table 3, UAR [%]" in text
    assert "corpora of the plan that are missing" in text
    assert "demo-brio" in text


def test_latex_is_there_to_paste(page):
    latex = page.path.parent / next(link for link in page.links if "emonet-table-3" in link and link.endswith(".tex"))
    assert r"\begin{tabular}" in latex.read_text("utf-8")
    shown = re.findall(r"<pre>(\\begin\{table\}.*?)</pre>", page.text, re.DOTALL)
    assert any("EmoNet, Table 3: baselines" in one for one in shown)
    assert "% needs" in (page.path.parent / "results.tex").read_text("utf-8")


def test_a_failed_job_is_told_with_its_mend(ran, page):
    assert ran.code == 1
    failed = re.search(r'<section id="failed">.*?</section>', page.text, re.DOTALL)[0]
    assert "broken demo-aria" in failed
    assert "is not what `emoset extract` wrote" in failed
    assert "extract it again" in failed
    assert "emoset train svm -t demo-aria --class-weight balanced" in failed
    assert str(ran.workspace) not in page.text


def test_sections_without_runs_say_so_and_the_others_stand(page):
    told = {one["title"]: one for one in facts(page)["sections"]}
    assert told["Through other heads"]["problem"] == "no finished run of it is of a network"
    assert told["Probe"]["problem"] == "none of 1 jobs of it is done"
    assert "no run fits" in next(one["problem"] for title, one in told.items() if title.startswith("Zhu"))
    made = [title for title, one in told.items() if not one["problem"]]
    assert made == ["Scores", "EmoNet, Table 3: baselines on each corpus", "Comparisons", "The grid",
                    "Transfer against egemaps-v02 svm"]  # fmt: skip
    for one in told.values():
        if one["problem"]:
            assert one["problem"] in page.text


def test_a_section_names_the_jobs_it_lacks(page):
    assert "Of 6 jobs of this section 1 are not done: broken demo-aria (failed)." in page.text


def test_comparisons_are_with_the_first_set_on_the_same_corpus(page):
    path = page.path.parent / "sections/03-compare/metrics.json"
    pairs = [(one["a"], one["b"]) for one in json.loads(path.read_text("utf-8"))["comparisons"]]
    assert len(pairs) == 2
    for reference, other in pairs:
        assert "_svm" in reference
        assert "_forest" in other
        assert reference.split("_")[0] == other.split("_")[0]


def test_a_changed_run_is_left_out_and_said(ran, tmp_path, emoset):
    workspace = shutil.copytree(ran.workspace, tmp_path / "w")
    (run,) = workspace.glob("runs/demo-cora_forest*")
    (run / "config.yaml").write_text("model: forest\n", "utf-8")
    words = [str(workspace) if word == str(ran.workspace) else word for word in ran.words if word != "-q"]
    result = emoset(*words, "--limit", 0)
    assert f"report, without forest demo-cora: {run}/config.yaml was changed" in result.err


def test_a_grid_is_ranked_by_devel_with_what_differs(ran, page):
    csv = next(link for link in page.links if "grid-devel-uar" in link and link.endswith(".csv"))
    lines = (page.path.parent / csv).read_text("utf-8").splitlines()
    assert lines[0].startswith("rank,normalise,")
    assert {line.split(",")[1] for line in lines[1:]} == {"train", "corpus"}
    uars = [float(line.split(",")[2]) for line in lines[1:]]
    assert uars == sorted(uars, reverse=True)


def test_plain_uars_are_those_of_the_scores(ran, page):
    scores = json.loads((page.path.parent / "sections/01-scores/metrics.json").read_text("utf-8"))["scores"]
    for score in scores:
        run = read_run(ran.workspace / "runs" / score["run"])
        (parts,) = score["corpora"].values()
        assert ranking.tested_uar(run) == pytest.approx(parts["test"]["uar"]["value"])


def about(folder, **more):
    told = {"title": "One", "source": "", "size": "paper", "reduced": (), "facts": {}, "command": "emoset run one"}
    return About(**told | {"events": folder / "events.jsonl"} | more)


def test_a_reduced_size_is_told_on_the_page_and_below_our_tables_of_a_paper(tmp_path):
    ours = Table("Ours", [Column("UAR", "spread", "uar")], [[{"mean": 0.5, "sd": None, "runs": ["a"]}]], "A note.")
    theirs = Table("Published", [Column("UAR", "percent", "uar")], [[0.6]])
    paper = Section("Paper", [ours, theirs], source="B. Body")
    rows = [Row("one", "set", "done", "emoset train svm", "a", tmp_path / "a")]
    made = write_plan_page(tmp_path / "r", about(tmp_path, size="small", reduced=["svm: C 1"]), [paper], rows)
    text = made.read_text("utf-8")
    assert "A note. Size small, reduced: svm: C 1." in text
    assert text.count("Size small, reduced") == 2  # below ours, and in its LaTeX
    assert "size small is not the paper's. svm: C 1." in text


def test_what_an_earlier_page_wrote_is_gone_and_what_others_wrote_is_not(tmp_path):
    tables = [Table(name, [Column("n", "count", "n")], [[1]]) for name in ("First", "Second")]
    rows = [Row("one", "set", "open", "emoset train svm")]
    folder = tmp_path / "r"
    write_plan_page(folder, about(tmp_path), [Section("Both", tables, figures={"map": "<svg/>"})], rows)
    (folder / "tables" / "mine.csv").write_text("n\n", "utf-8")
    assert (folder / "tables" / "01-second.csv").is_file()
    write_plan_page(folder, about(tmp_path), [Section("One", tables[:1])], rows)
    assert sorted(path.name for path in (folder / "tables").iterdir()) == ["00-first.tex", "01-runs.csv", "mine.csv"]
    assert [*(folder / "figures").iterdir()] == []


def test_a_page_without_any_table_tells_the_jobs(tmp_path):
    nothing = Section("Nothing", problem="none of 1 jobs of it is done", mend="emoset run one")
    rows = [Row("one", "set", "blocked", "emoset train svm", needs=("two",))]
    text = write_plan_page(tmp_path / "r", about(tmp_path), [nothing], rows).read_text("utf-8")
    assert "There is nothing to show: none of 1 jobs of it is done." in text
    assert "blocked: it needs two" in text
    assert "one,blocked" in (tmp_path / "r" / "results.csv").read_text("utf-8")


def test_tensorboard_is_passed_on_to_the_jobs_of_networks(prepared, tmp_path, one_thread):
    pytest.importorskip("tensorboard")
    workspace = shutil.copytree(prepared, tmp_path / "w")
    words = ["train", "cnn", "-t", "demo-cora", *TINY]
    made = Job("0123456789", ("nets",), "nets demo-cora", tuple(words), ("demo-cora",), (), "cnn")
    record = work(made, words, Machine(workspace, None, "cpu", 1, True, {"demo-cora": 1}))
    assert record.state == "done", record.problem
    assert [*(workspace / "runs" / record.answer / "tensorboard").rglob("*tfevents*")]


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminal")
def test_a_terminal_shows_one_live_table(small, tmp_path):
    live = runpy.run_path(str(DOCS / "make_run_live.py"))
    workspace = shutil.copytree(small / "w", tmp_path / "w")
    (tmp_path / "one.yaml").write_text("corpora: [demo-cora]\nruns: {mine: {train: svm, over: each}}\n", "utf-8")
    program = "import sys; from emoset_cli.cli.main import main; sys.exit(main())"
    words = ["run", str(tmp_path / "one.yaml"), "--workers", "1", "-d", str(workspace)]
    code, written = live["under_terminal"]([sys.executable, "-c", program, *words])
    assert code == 0, written
    shown = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", one) for one in live["tables"](written)]
    assert len(shown) > 1
    counts = [re.search(r"│ mine +│ +(\d+) │ +(\d+) │ +(\d+) │ +(\d+) │", one).groups() for one in shown]
    assert counts[0] == ("0", "0", "0", "1")
    assert counts[-1] == ("1", "0", "0", "0")
    assert "nothing left" in shown[-1]
    assert "<svg" in live["drawn"](live["tables"](written)[0])
