"""EmoNet's Tables 3 and 4 and Figure 7 from runs: cells, marks, bases of one corpus, what does not fit; its figures."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from attribute_runs import finish as finish_any
from attribute_runs import utterances
from test_papers import page_and_files, refused
from test_transfer import SVG, baseline, finish, pattern, random_hits, table

from emoset_cli import metrics, stats
from emoset_cli.cli.papers import filled_in
from emoset_cli.report.papers import TABLES, emonet2021, emonet2021_fig7, emonet2021_table3, emonet2021_table4
from emoset_cli.report.papers.paper import published
from emoset_cli.report.plan_page import About, Row, write_plan_page
from emoset_cli.report.transfer import transfer

SEVEN = ["anger", "fear", "sadness", "boredom", "disgust", "joy", "neutral"]
SIZES = {"emodb": 60, "urdu": 48}


def base(word, corpora, space="own"):
    return {"run": f"base-{word}", "setting": word, "mode": "scratch", "corpora": corpora, "label_space": space}


BASES = {
    "all": base("all", ["emodb", "urdu"]), "arousal": base("arousal", ["emodb", "urdu"], "arousal"),
    "A+V": base("A+V", ["emodb", "urdu"], "arousal,valence"), "gemep": base("gemep", ["gemep"]),
    "demos": base("demos", ["demos"]),
}  # fmt: skip


def labelled(corpus):
    return {"labels": {"emodb": SEVEN}} if corpus == "emodb" else {}


def net(place, setting, corpus, hits, seed=0, final=None, **config):
    start = setting.partition(" > ")[0]
    initial = {"initial": BASES[start]} if start in BASES else {}
    name = f"{corpus}_cnn-{setting.replace(' > ', '-')}_s{seed}"
    last = table(corpus, final) if final else None
    return finish(place / name, setting, table(corpus, hits), last, seed, **(labelled(corpus) | initial | config))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two corpora, of which the paper has EmoDB: SVMs, scratch and transfers from five bases, the base itself."""
    place = tmp_path_factory.mktemp("emonet") / "w" / "runs"
    shares = {"scratch": 0.35, "all > adapters": 0.95, "arousal > adapters": 0.45, "A+V > adapters": 0.5,
              "all > last-layer": 0.4, "demos > adapters": 0.7, "demos > last-layer": 0.3, "demos > finetune": 0.5,
              "gemep > adapters": 0.6, "gemep > last-layer": 0.55}  # fmt: skip
    made = {}
    for number, (setting, share) in enumerate(shares.items()):
        for corpus, n in SIZES.items():
            for seed in (0, 1) if setting in ("scratch", "all > adapters") else (0,):
                hits, last = (random_hits(n, p, 100 * number + 10 * seed + n) for p in (share, share - 0.1))
                made[setting, corpus, seed] = net(place, setting, corpus, hits, seed, last)
    for feature, share in (("egemaps-v02", 0.45), ("deepspectrum-squeezenet1_0", 0.6)):
        for corpus, n in SIZES.items():
            rows = table(corpus, random_hits(n, share, n))
            folder = place / f"{corpus}_svm-{feature}"
            made[feature, corpus, 0] = baseline(folder, rows, feature=feature, **labelled(corpus))
    both = [row for corpus in SIZES for row in table(corpus, pattern(30, 60))]
    made["all"] = finish(place / "emodb+urdu_cnn-all", "all", both)
    return made


# ---------------------------------------------------------------- what was published


def test_the_published_figures_are_the_papers():
    """Some read from the paper anew; and what its text says of Table 4 holds of the copy."""
    told = published("emonet2021")
    three, four = told["table3"]["rows"], told["table4"]["rows"]
    assert list(three) == list(four) == [key for key in three if key in told["corpora"]] and len(told["corpora"]) == 26
    assert three["emodb"] == [68.8, 59.2, 63.5, 61.6, 71.9, 48.4, 52.5, 61.3]
    assert three["turkishemo"] == [62.5, 55.7, 56.8, 58.0, 64.8, 56.8, 54.5, 53.4]
    assert four["emodb"] == [59.2, "72.6+", "68.4+", 64.8, 61.1] and four["ea-wsj"] == [98.1, 98.1, 100, 100, 100]
    assert {len(row) for row in three.values()} == {8} and {len(row) for row in four.values()} == {5}
    assert all(four[key][0] == three[key][1] for key in three)  # the baseline is scratch at its best epoch
    assert sum(one["utterances"] for one in told["corpora"].values()) == 84185  # the text: 84 161
    for one in told["corpora"].values():
        fewer = {"ABC": 4, "EU-EV": 18, "MELD": 6}.get(one["name"], one["labels"])
        assert one["chance"] == pytest.approx(100 / fewer, abs=0.05)
    cells = {key: [emonet2021.figure(value) for value in row] for key, row in four.items()}
    best = {key: max(row[1:], key=lambda cell: cell["mean"]) for key, row in cells.items()}
    assert sum(best[key]["mean"] >= row[0]["mean"] for key, row in cells.items()) == 21  # GVEESS is level
    better = [key for key, row in cells.items()
              if any(cell.get("mark") == "+" and cell["mean"] > row[0]["mean"] for cell in row)]  # fmt: skip
    assert len(better) == 10
    worse = [key for key, row in cells.items() if all(cell.get("mark") == "−" for cell in row[1:])]
    assert worse == ["enterface", "mes"]


# ---------------------------------------------------------------- Table 3


def test_table_3_has_the_papers_columns_and_its_row_below_ours(study):
    found = emonet2021_table3.find(study.values())
    assert list(found["heads"].values()) == ["ResNet best", "ResNet final", "eGeMAPS", "DeepSpectrum (squeezenet1_0)"]
    ours, _, theirs = emonet2021_table3.tables(found)
    assert [column.name for column in ours.columns[4:]] == [
        f"{name} {part}" for name in found["heads"].values() for part in ("devel", "test")
    ]
    assert [row[:2] for row in ours.cells()] == [["emodb", "ours"], ["EMO-DB", "paper"], ["urdu", "ours"]]
    assert ours.cells()[1][2:] == ["–", "14.3", "68.8", "59.2", "63.5", "61.6", "71.9", "48.4", "52.5", "61.3"]
    runs = [study["scratch", "emodb", seed] for seed in (0, 1)]
    for place, tables in ((5, [run.predictions() for run in runs]),
                          (7, [run.final_epoch().predictions() for run in runs])):  # fmt: skip
        test = [one[one["partition"] == "test"] for one in tables]
        uars = [metrics.uar(one["truth"], one["prediction"], SEVEN) for one in test]
        assert ours.rows[0][place]["mean"] == pytest.approx(np.mean(uars))
        assert ours.cells()[0][place].startswith(f"{100 * np.mean(uars):.1f} ± ")
    assert ours.rows[0][9]["runs"] == ["emodb_svm-egemaps-v02"] and ours.rows[2][5]["runs"][1].endswith("scratch_s1")
    assert len(theirs.rows) == 26 and theirs.cells()[10][:4] == ["EMO-DB", "14.3", "68.8", "59.2"]
    assert "No run here of 25 of the paper's 26 corpora: ABC, AD, " in ours.note and "emonet494" in ours.note


def test_table_3_leaves_out_what_is_no_baseline(study, tmp_path):
    rows = table("emodb", pattern(6, 12))
    others = {
        "vgg": finish(tmp_path / "vgg", "vgg16 scratch", rows, model="vgg16"),
        "space": finish(tmp_path / "space", "arousal scratch", rows, label_space="arousal"),
        "heads": finish(tmp_path / "heads", "scratch + gr gender", rows, attributes={"approach": "gr",
                                                                                     "classes": {"gender": ["a"]}}),
        "forest": baseline(tmp_path / "forest", rows, model="forest"),
        "emobase": baseline(tmp_path / "emobase", rows, feature="emobase"),
        "pooled": baseline(tmp_path / "pooled", rows + table("urdu", pattern(6, 12))),
        "mapped": baseline(tmp_path / "mapped", rows, label_space="valence"),
    }  # fmt: skip
    found = emonet2021_table3.find([*study.values(), *others.values()])
    why = {one["run"]: one["why"] for one in found["left_out"]}
    own = "and the table is of the corpora's own labels"
    assert {key: why[key] for key in others} == {
        "vgg": "it is no ResNet (cnn) but vgg16", "forest": "it is no ResNet (cnn) but forest",
        "space": f"it is in label space arousal, {own}", "heads": "attributes take part in its training",
        "emobase": "its features are emobase, not eGeMAPS or DeepSpectrum",
        "pooled": "it is trained on several corpora", "mapped": f"it is in label space valence, {own}",
    }  # fmt: skip
    assert why["emodb_cnn-all-adapters_s0"] == "it starts from another run"
    assert why["emodb+urdu_cnn-all"] == "it is trained on several corpora: a base to start from"
    mend = refused("no run fits the table: vgg: it is no ResNet", emonet2021_table3.find, [others["vgg"]])
    assert mend == "emoset train svm, emoset train cnn"


def test_table_3_of_svms_alone_and_columns_of_one_name(study, tmp_path):
    svms = [study["egemaps-v02", corpus, 0] for corpus in SIZES]
    assert list(emonet2021_table3.find(svms)["heads"].values()) == ["eGeMAPS"]
    other = baseline(tmp_path / "other", table("urdu", pattern(9, 48)), options={"normalise": "speaker"})
    heads = emonet2021_table3.find([*svms, other])["heads"]
    assert list(heads.values()) == [f"eGeMAPS: egemaps-v02 svm ({how})" for how in ("train", "speaker")]


def test_the_papers_part_of_a_corpus_counts_as_its_own_labels(tmp_path):
    four, runs = ["anger", "happiness", "neutral", "sadness"], []
    for setting, initial in (("scratch", None), ("all > adapters", BASES["all"])):
        common = {"model": "cnn", "mode": setting.rpartition(" > ")[2], "initial": initial}
        part = {"labels": {"iemocap": four}, "label_space": "iemocap4", "subset": "emonet5531"}
        rows = {corpus: utterances(corpus, [1, 0, 1, 1], four) for corpus in ("emodb", "iemocap")}
        told = setting if initial else f"iemocap4 {setting}"
        whole = {"labels": {"emodb": four}, "subset": ""}
        runs.append(finish_any(tmp_path / f"emodb {setting}", setting, rows["emodb"], **whole, **common))
        runs.append(finish_any(tmp_path / f"iemocap {setting}", told, rows["iemocap"], **part, **common))
    found = emonet2021_table4.find(runs)
    assert list(found["heads"].values()) == ["scratch", "all"] and found["left_out"] == []
    assert list(found["corpora"]) == ["emodb", "iemocap"] and found["same"] == ["iemocap"]


# ---------------------------------------------------------------- Table 4


def test_table_4_marks_transfers_against_scratch(study):
    found = emonet2021_table4.find(study.values())
    heads = ["scratch", "all", "arousal", "A+V", "all > last-layer"]
    assert list(found["heads"].values()) == heads
    ours, against, _, theirs = emonet2021_table4.tables(found)
    assert [column.name for column in ours.columns[4:]] == heads
    p = {seed: stats.holm([
        stats.mcnemar(*((one["truth"] == one["prediction"]).to_numpy() for one in (
            run.predictions().query("partition == 'test'")
            for run in (study["scratch", corpus, seed], study["all > adapters", corpus, seed])))).p
        for corpus in SIZES]) for seed in (0, 1)}  # fmt: skip
    cell = ours.rows[0][5]
    assert [one["p_holm"] for one in cell["tests"]] == [p[0][0], p[1][0]] and cell["mark"] == "+"
    assert cell["runs"] == [f"emodb_cnn-all-adapters_s{seed}" for seed in (0, 1)]
    assert ours.cells()[0][5].endswith("+2/2") and "[" in ours.cells()[0][6]
    assert ours.cells()[1] == ["EMO-DB", "paper", "–", "14.3", "59.2", "72.6 +", "68.4 +", "61.1", "–"]
    assert [row[0] for row in against.rows][1] == "A+V > adapters" and len(theirs.rows) == 26
    assert theirs.cells()[1] == ["AD", "50.0", "71.4", "72.2", "61.3 −", "68.2", "72.2"]
    (said, missing, part) = emonet2021_table4.sentences(found)
    assert said.startswith("Adapters of at least one base are above scratch on 2 of 2 corpora, significantly on 2")
    assert "The paper: 21 of 26, 10 and 2" in said and missing.startswith("No run here of 25") and "EMO-DB" in part
    why = {one["run"]: one["why"] for one in found["left_out"]}
    assert why["emodb_cnn-demos-adapters_s0"] == "it starts from one corpus"
    assert why["emodb_svm-egemaps-v02"] == "it is no ResNet (cnn) but svm"


def test_other_labels_are_not_beside_the_papers(study, tmp_path):
    """EmoDB with three labels is not the paper's EMO-DB of seven."""
    hits = random_hits(60, 0.5, 1)
    runs = [finish(tmp_path / name, name, table("emodb", hits)) for name in ("scratch", "all > adapters")]
    runs[1].config["initial"] = BASES["all"]
    found = emonet2021_table4.find(runs)
    assert found["same"] == [] and found["other_labels"] == {"emodb": 3}
    (ours, *_) = emonet2021_table4.tables(found)
    assert [row[1] for row in ours.cells()] == ["ours"] and "EMO-DB (3 labels here, 7 there)" in ours.note


def test_without_one_scratch_nothing_is_compared(study, tmp_path):
    adapters = [run for key, run in study.items() if key[0] == "all > adapters"]
    mend = refused("no run from scratch fits", emonet2021_table4.find, adapters)
    assert mend == "emoset train cnn -m scratch"
    other = net(tmp_path, "scratch", "urdu", pattern(20, 48), preset="paper-50")
    match = r"'emodb_cnn-scratch_s0' \(scratch \(quick\)\) and 'urdu_cnn-scratch_s0' \(scratch \(paper-50\)\) are both"
    assert refused(match, emonet2021_table4.find, [*study.values(), other]) == "name the runs that shall count"
    space = net(tmp_path / "x", "all > adapters", "urdu", pattern(20, 48), initial=base("x", ["a", "b"], "iemocap4"))
    alone = net(tmp_path / "y", "demos > adapters", "urdu", pattern(20, 48), initial=base("x", ["demos"], "arousal"))
    found = emonet2021_table4.find([*study.values(), space, alone])
    assert {"it starts from a base in label space iemocap4", "it starts from one corpus in label space arousal"} <= {
        one["why"] for one in found["left_out"]
    }


# ---------------------------------------------------------------- Figure 7


@pytest.fixture(scope="module")
def seven(study):
    return emonet2021_fig7.find(study.values())


def test_figure_7_compares_with_the_last_layer_of_the_same_base_and_with_scratch(study, seven):
    assert list(seven["parts"]) == ["7a", "7a_scratch", "7b"]
    part = seven["parts"]["7a"]
    assert [one["name"] for one in part["settings"]] == ["demos > last-layer", "demos > adapters", "demos > finetune",
                                                         "gemep > last-layer", "gemep > adapters"]  # fmt: skip
    row = part["corpora"]["emodb"]["settings"]
    for name in ("demos", "gemep"):
        own, last = (row[f"{name} > {mode}"]["test"] for mode in ("adapters", "last-layer"))
        assert own["difference"] == pytest.approx(own["mean"] - last["mean"]) and "difference" not in last
    runs = [run for key, run in study.items() if key[0].startswith("demos")]
    same = transfer(runs, "demos > last-layer")["corpora"]["emodb"]["settings"]
    same.pop("demos > last-layer, final")
    assert {name: row[name] for name in same} == same  # as if this base were all there is
    several = seven["parts"]["7b"]
    assert [one["name"] for one in several["settings"]][:3] == ["scratch", "scratch, final", "A+V > adapters"]
    assert emonet2021_fig7.sentences(seven)[0].startswith(
        "Figure 7a: demos > adapters beats last-layer of the same base on 2 of 2 corpora"
    )


def test_figure_7_is_drawn(seven):
    drawn = emonet2021_fig7.figures(seven)
    assert list(drawn) == [f"figure_{part}_{name}" for part in ("7a", "7a_scratch", "7b") for name in ("devel", "test")]
    words = ["".join(node.itertext()) for node in ElementTree.fromstring(drawn["figure_7a_test"]).iter(f"{SVG}text")]
    assert "points of UAR against last-layer of the same base" in words and "last-layer" not in words
    cell = seven["parts"]["7a"]["corpora"]["emodb"]["settings"]["demos > adapters"]["test"]
    assert f"{100 * cell['difference']:+.1f}" in words
    titles = [one.title for one in emonet2021_fig7.tables(seven)]
    assert titles[0] == "EmoNet, Figure 7a: transfer, test UAR [%]" and titles[-1].startswith(
        "Published: EmoNet, Table"
    )


def test_figure_7_of_what_there_is(study, tmp_path):
    demos = [run for key, run in study.items() if key[0] in ("demos > adapters", "demos > last-layer")]
    found = emonet2021_fig7.find(demos)
    assert list(found["parts"]) == ["7a"]
    assert "No runs for 7b: bases of several corpora, against scratch." in emonet2021_fig7.sentences(found)
    adapters = [run for key, run in study.items() if key[0] == "demos > adapters"]
    mend = refused("no transfer that can be compared", emonet2021_fig7.find, adapters)
    assert "-m last-layer" in mend
    other = net(tmp_path, "demos > last-layer", "urdu", pattern(20, 48), preset="paper-50")
    match = r"last-layer tuning of demos is of several settings: demos > last-layer \(quick\), .* \(paper-50\)"
    assert refused(match, emonet2021_fig7.find, [*demos, other]) == "name the runs that shall count"


# ---------------------------------------------------------------- the pages


@pytest.mark.parametrize("name", [name for name in TABLES if name.startswith("emonet2021")])
def test_a_page_and_its_files(name, study, emoset):
    place = study["all"].folder.parents[1]
    found = page_and_files(name, place, emoset)
    figures = sorted(path.stem for path in (place / "reports").glob(f"table_{name}_*/figures/*.svg"))
    assert len(figures) == (6 if name.endswith("fig7") else 0)
    assert found["left_out"]


@pytest.mark.parametrize("name", ["emonet2021-table4", "emonet2021-fig7"])
def test_in_the_report_of_a_plan_every_number_leads_to_its_runs(name, study, tmp_path):
    runs = list(study.values())
    section = filled_in(name, runs, tmp_path / "sections" / "01-paper", "emoset run mine")
    rows = [Row(run.name, "mine", "done", "emoset train cnn", run.name, run.folder, 0.5, 0.5, 1.0) for run in runs]
    plan = About("Mine", "", "small", ["scratch: epochs 1"], {}, "emoset run mine", tmp_path / "events.jsonl")
    page = write_plan_page(tmp_path, plan, [section], rows).read_text("utf-8")
    anchors = dict(re.findall(r'<tr id="(run-\d+)"><td>([^<]+)</td>', page))
    groups = {key: re.findall(r'href="#(run-\d+)"', item)
              for key, item in re.findall(r'<li id="(runs-\d+)"(.*?)</li>', page, re.DOTALL)}  # fmt: skip
    ours = [cell for table in section.tables for row in table.sources() for cell in row if cell]
    assert {tuple(one.removesuffix(":final") for one in cell) for cell in ours} <= {
        *((one,) for one in anchors.values()), *(tuple(anchors[one] for one in group) for group in groups.values())
    }  # fmt: skip
    assert page.count('class="of"') == len(ours)
    both = {f"emodb_cnn-all-adapters_s{seed}" for seed in (0, 1)}
    assert any({anchors[one] for one in group} == both for group in groups.values())
    assert "Size small, reduced: scratch: epochs 1." in page
    assert page.count("<figure") == len(section.figures)
