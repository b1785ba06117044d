"""Tables of papers from runs: cells worked by hand, marks against the stats module, what does not fit, the command."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from attribute_runs import LABELS, finish, heard, segments, utterances
from test_report import Page

from emoset_cli import metrics, stats
from emoset_cli.errors import EmosetError
from emoset_cli.report import paper_names
from emoset_cli.report.papers import TABLES, parry2022, zhu2020
from emoset_cli.report.papers.paper import published

BOTH = {"emodb": ["joy", "anger"], "crema-d": ["joy", "anger"], "urdu": ["joy", "anger"]}


def refused(match, call, *args):
    with pytest.raises(EmosetError, match=match) as caught:
        call(*args)
    return caught.value.mend


# ---------------------------------------------------------------- Zhu & Sato 2020


def folds(corpus, *hits):
    """A fold for each list of hits, each of other utterances."""
    return [row for number, own in enumerate(hits)
            for row in utterances(corpus, own, fold=str(number + 1), start=6 * number)]  # fmt: skip


def net(folder, setting, rows, seed=0, posteriors=None, approach="adversarial", pieces=None, **config):
    said = None
    if posteriors is not None:
        said = heard(rows, "corpus", [row["corpus"] for row in rows], posteriors)
        of_pieces = [0.8 if row["corpus"] == "emodb" else 0.79 for row in rows]
        said += heard(rows, "corpus", [row["corpus"] for row in rows], of_pieces, unit="segment")
        config["classes"] = {"corpus": ["crema-d", "emodb"]}
    further = {"segments": segments(rows, pieces)} if pieces else None
    return finish(folder, setting, rows, seed, attributes=said, approach=approach, further=further, **config)


@pytest.fixture(scope="module")
def zhu(tmp_path_factory):
    """The four rows of the paper; two repetitions of two folds of the multiple classifier and of the adversarial."""
    place = tmp_path_factory.mktemp("zhu") / "w" / "runs"
    emodb, crema = [[1, 1, 1], [1, 0, 1]], [[1, 1], [1, 0]]
    made = [net(place / "emodb_acrnn_s0", "acrnn scratch", folds("emodb", *emodb))]
    made += [net(place / "crema_acrnn_s0", "acrnn scratch", folds("crema-d", *crema))]
    for seed in (0, 1):
        own = [[1, 1, 1], [1, 0, seed]]
        rows = folds("emodb", *own) + folds("crema-d", *crema)
        made.append(net(place / f"all_acrnn_s{seed}", "acrnn all", rows, seed))
        posteriors = [0.9, 0.7, 0.8, 0.9, 0.2, 0.3] + [0.9] * 4
        pieces = [[1, 0]] * 3 + [[1]] * 3 + [[0], [1], [1], [1]]
        made.append(net(place / f"all_acrnn-adversarial_s{seed}", "acrnn all + adversarial corpus", rows, seed,
                        posteriors, pieces=pieces))  # fmt: skip
    rows = folds("emodb", *emodb) + folds("crema-d", *crema)
    made.append(net(place / "all_acrnn-train_s0", "acrnn all + train corpus", rows, 0, [1.0] * 10, "train"))
    return made


def test_the_rows_are_the_papers(zhu):
    found = zhu2020.find(zhu)
    assert [row["model"] for row in found["rows"]] == [
        "mono-corpus emodb", "mono-corpus crema-d", "multiple emotion classifier", "+ corpus discriminator",
        "+ adversarial",
    ]  # fmt: skip
    assert found["corpora"] == ["emodb", "crema-d"] and found["left_out"] == [] == found["uneven"]
    assert found["chance"] == {"emodb": pytest.approx(1 / 3), "crema-d": 0.5}
    assert [len(row["seeds"]) for row in found["rows"]] == [1, 1, 2, 1, 2]


def test_a_cell_is_the_mean_over_the_folds_of_all_repetitions(zhu):
    row = zhu2020.find(zhu)["rows"][2]
    own = row["units"]["utterance"]
    of_emodb = [1, 1 / 3, 1, 2 / 3]  # seed 0: folds 1 and 2, seed 1: the same
    assert own["folds"] == 2 and own["corpora"]["emodb"]["wa"]["values"] == pytest.approx(of_emodb)
    assert own["corpora"]["emodb"]["wa"]["mean"] == pytest.approx(np.mean(of_emodb))
    assert own["corpora"]["emodb"]["wa"]["sd"] == pytest.approx(np.std(of_emodb, ddof=1))
    assert own["corpora"]["emodb"]["definite"] is None
    pooled = own["corpora"]["emodb"]["pooled"]
    assert pooled["wa"]["values"] == pytest.approx([4 / 6, 5 / 6]) and pooled["n"]["mean"] == 6
    assert pooled["uar"]["values"] == pytest.approx([4 / 6, 5 / 6])
    joint = [(a + b) / 2 for a, b in zip(of_emodb, [1, 0.5, 1, 0.5], strict=True)]
    assert own["mean"]["wa"]["values"] == pytest.approx(joint)
    assert row["units"]["segment"] is None
    mono = zhu2020.find(zhu)["rows"][0]["units"]["utterance"]
    assert mono["mean"] == {"wa": None, "uar": None} and set(mono["corpora"]) == {"emodb"}


def test_r_cor_is_of_the_unit_and_segments_stand_apart(zhu):
    found = zhu2020.find(zhu)
    row = found["rows"][-1]
    utterance, segment = row["units"]["utterance"]["corpora"]["emodb"], row["units"]["segment"]["corpora"]["emodb"]
    assert utterance["definite"]["values"] == pytest.approx([2 / 3, 1 / 3] * 2)
    assert segment["definite"]["values"] == [1.0] * 4
    assert row["units"]["segment"]["corpora"]["crema-d"]["definite"]["values"] == [0.0] * 4
    assert segment["wa"]["values"] == pytest.approx([0.5, 1.0] * 2) and segment["pooled"]["n"]["mean"] == 9
    ours = zhu2020.tables(found)
    assert [table.title.rpartition(": ")[2] for table in ours[:2]] == ["segments", "utterances"]
    assert [row[0] for row in ours[0].cells()] == ["+ adversarial"]
    cells = dict(zip([column.name for column in ours[1].columns], ours[1].cells()[-1], strict=True))
    assert cells["emodb r_cor [%]"] == "50.0 ± 19.2" and cells["repetitions"] == cells["folds"] == "2"
    assert cells["budget"].startswith("quick") and cells["crema-d WA [%]"] == "75.0 ± 28.9"


def test_what_the_paper_published_stands_in_a_block_of_its_own(zhu):
    (*_, table) = zhu2020.tables(zhu2020.find(zhu))
    assert table.title.startswith("Published") and len(table.rows) == 5
    assert table.cells()[-1] == ["+ adversarial", "77.9", "77.2", "91.1", "79.5", "73.1", "98.9", "78.7", "75.2"]
    assert table.cells()[0][4:] == ["–"] * 5
    for own in published("zhu2020")["rows"].values():  # the paper's means are those of its corpora
        if "mean" in own:
            for place in (0, 1):
                mean = (own["EmoDB"][place] + own["CREMA-D"][place]) / 2
                assert mean == pytest.approx(own["mean"][place], abs=0.00051)


def test_runs_that_do_not_fit_are_named_with_the_reason(zhu, tmp_path):
    rows = folds("emodb", [1, 1, 1]) + folds("crema-d", [1, 1])
    said = heard(rows, "gender", ["female"] * 5, [0.9] * 5)
    gender = finish(tmp_path / "gender", "acrnn all + train gender", rows, attributes=said, approach="train",
                    classes={"gender": ["female", "male"]})  # fmt: skip
    mtl = net(tmp_path / "mtl", "acrnn all + mtl corpus", rows, posteriors=[1] * 5, approach="mtl")
    alone = net(tmp_path / "alone", "acrnn scratch + train corpus", rows[:3], posteriors=[1] * 3, approach="train")
    shared = finish(tmp_path / "shared", "acrnn three-class", rows, labels={key: ["a", "b"] for key in LABELS})
    tuned = net(tmp_path / "tuned", "all > finetune", rows, initial={"run": "x", "corpora": ["emodb"]})
    svm = finish(tmp_path / "svm", "svm", rows[:3], mode=None)
    svm.config.pop("mode")
    others = [gender, mtl, alone, shared, tuned, svm]
    found = zhu2020.find([*zhu, *others])
    assert {one["run"]: one["why"] for one in found["left_out"]} == {
        "gender": "its attributes are gender, and the table is about corpus alone",
        "mtl": "its approach is mtl, not train or adversarial",
        "alone": "with one corpus there is nothing to discriminate",
        "shared": "its corpora share a head",
        "tuned": "it starts from another run",
        "svm": "it is no network",
    }
    assert "Left out, because it is no network: svm." in zhu2020.tables(found)[0].note
    refused(r"no run fits the table: gender: its attributes are gender", zhu2020.find, others)


def test_two_runs_of_one_row_and_seed_are_refused_and_rows_of_one_name_told_apart(zhu, tmp_path):
    rows = folds("emodb", [1, 1, 1], [1, 0, 1])
    again = net(tmp_path / "again", "acrnn scratch", rows)
    mend = refused(r"'emodb_acrnn_s0' and 'again' are both 'acrnn scratch' with seed 0", zhu2020.find, [*zhu, again])
    assert mend == "name the one that shall count"
    longer = net(tmp_path / "longer", "acrnn scratch", rows[:-1], preset="paper")
    found = zhu2020.find([*zhu, longer])
    names = [row["model"] for row in found["rows"] if row["role"] == "mono"]
    assert names == ["mono-corpus emodb (acrnn scratch (quick))", "mono-corpus crema-d",
                     "mono-corpus emodb (acrnn scratch (paper))"]  # fmt: skip
    assert found["uneven"] == ["emodb"] and "different utterances of emodb" in zhu2020.sentences(found)[0]


# ---------------------------------------------------------------- Parry et al. 2022


def wild(folder, names, approach, seed, shares, n=120, unseen=("urdu",)):
    """A run with a shared head: in domain emodb and crema-d, unseen urdu; ``shares`` of right ones in each domain."""
    rng = np.random.default_rng([seed, *map(ord, f"{approach}{names}")])
    inside = [row | {"partition": "within"} for corpus in ("emodb", "crema-d")
              for row in utterances(corpus, rng.random(n // 2) < shares[0], BOTH[corpus])]  # fmt: skip
    test = utterances("urdu", rng.random(n) < shares[1], BOTH["urdu"], language="urd")
    said = heard(test, names[0], ["x"] * n, [0.9] * n) if names else None
    partition = {"name": "speakers", "seed": seed, "folds": ["1"], "unseen": list(unseen)}
    setting = "cnn-lstm three-class" + (f" + {approach} {'+'.join(names)}" if names else "")
    config = {"corpora": list(BOTH), "labels": BOTH, "partition": partition, "model": "cnn-lstm"}
    return finish(folder, setting, test, seed, attributes=said, approach=approach, heads={"three-class": ["x"]},
                  classes={name: ["x", "y"] for name in names}, further={"within": inside}, **config)  # fmt: skip


@pytest.fixture(scope="module")
def parry(tmp_path_factory):
    place = tmp_path_factory.mktemp("parry") / "w" / "runs"
    cells = {
        ("", ()): (0.7, 0.5), ("gr", ("language",)): (0.7, 0.95), ("mtl", ("gender",)): (0.4, 0.5),
        ("gr", ("speaker", "corpus")): (0.7, 0.1), ("ad", ("gender", "language", "corpus", "speaker")): (0.7, 0.5),
    }  # fmt: skip
    return {
        (approach, names, seed): wild(place / f"cnn-lstm-{approach}-{''.join(names)}_s{seed}", names, approach, seed, s)
        for (approach, names), s in cells.items()
        for seed in (0, 1)
    }


def test_a_cell_is_the_mean_over_seeds_and_its_mark_is_of_mcnemar_and_holm(parry):
    found = parry2022.find(parry.values())
    assert list(found["domains"]) == ["in domain", "urdu"] and found["unseen"] == ["urdu"]
    p = {}
    for seed in (0, 1):
        a, b = parry["", (), seed], parry["gr", ("language",), seed]
        of_seed = []
        for pair in ((a.within(), b.within()), (a.predictions(), b.predictions())):
            hits = [(table["truth"] == table["prediction"]).to_numpy() for table in pair]
            of_seed.append(stats.mcnemar(*hits).p)
        p[seed] = stats.holm(of_seed)
    for place, domain in enumerate(("in domain", "urdu")):
        cell = found["domains"][domain]["GR"]["L"]
        assert cell["pairs"] == 2 and [one["p_holm"] for one in cell["tests"]] == [p[0][place], p[1][place]]
        own = [parry["gr", ("language",), seed] for seed in (0, 1)]
        said = [run.predictions() if place else run.within() for run in own]
        uars = [metrics.uar(table["truth"], table["prediction"], BOTH["urdu"]) for table in said]
        assert cell["mean"] == pytest.approx(np.mean(uars)) and cell["sd"] == pytest.approx(np.std(uars, ddof=1))
    assert found["domains"]["urdu"]["GR"]["L"]["mark"] == "+" and found["domains"]["urdu"]["GR"]["C+S"]["mark"] == "−"
    assert found["domains"]["in domain"]["MTL"]["G"]["mark"] == "−"
    assert found["sizes"]["urdu"]["n"] == 120 and found["sizes"]["in domain"]["n_speakers"] == 8
    assert "GR L" in found["above"] and "GR C+S" not in found["above"]


def test_the_tables_have_the_papers_rows_and_columns(parry):
    found = parry2022.find(parry.values())
    urdu, inside, *theirs = parry2022.tables(found)
    published_tess = [dict(zip([column.name for column in theirs[0].columns], row, strict=True))
                      for row in theirs[0].cells()]  # fmt: skip
    assert [column.name for column in urdu.columns] == ["approach", "no attributes", "G", "L", "C+S", "C+S+G+L"]
    assert [row[0] for row in urdu.cells()] == ["baseline", "MTL", "GR", "AD"]
    assert re.fullmatch(r"\d\d\.\d ± \d\.\d \(2\) \+2/2", urdu.cells()[2][3])
    assert urdu.cells()[0][2:] == ["–"] * 4 and "± " in urdu.cells()[0][1]
    assert "unseen urdu" in urdu.title and "in domain" in inside.title and "120 utterances" in urdu.note
    assert [table.title for table in theirs] == [
        f"Published: Parry et al. 2022, {name}, UA [%]" for name in ("TESS", "CREMA-D", "in domain")
    ]
    shown = [published_tess[2][name] for name in ("approach", "C", "L", "S+L", "C+S+G+L")]
    assert shown == ["GR", "54.7", "50.1", "55.5", "51.7"]
    assert theirs[0].cells()[0][:2] == ["baseline", "49.5"] and len(theirs[0].columns) == 12
    assert "GR L" in parry2022.sentences(found)[0]


def test_what_the_paper_says_of_its_numbers_holds_of_ours():
    """Section 5: GR with L, and five combinations, are above the baseline on both corpora; three of them are shown."""
    both = [published("parry2022")["ua"][name] for name in ("TESS", "CREMA-D")]
    above = {(approach, names) for approach in ("MTL", "GR", "AD") for names in both[0][approach]
             if all(own[approach][names] > own["baseline"]["none"] for own in both)}  # fmt: skip
    assert above == {("GR", "L"), ("GR", "S+L"), ("GR", "G+L"), ("GR", "C+S+L"), ("MTL", "G+L")}


def test_without_an_unseen_corpus_the_test_is_in_domain(tmp_path):
    rows = [row for key in ("emodb", "crema-d") for row in utterances(key, [1, 0, 1, 1], BOTH[key])]
    common = {"labels": {key: BOTH[key] for key in ("emodb", "crema-d")}}
    base = finish(tmp_path / "base", "cnn-lstm three-class", rows, **common)
    said = heard(rows, "gender", ["female"] * 8, [0.9] * 8)
    gr = finish(tmp_path / "gr", "cnn-lstm three-class + gr gender", rows, attributes=said, approach="gr",
                classes={"gender": ["female", "male"]}, **common)  # fmt: skip
    found = parry2022.find([base, gr])
    assert list(found["domains"]) == ["in domain"] and found["domains"]["in domain"]["GR"]["G"]["mean"] == 0.75
    assert found["above"] == [] and "No unseen corpus" in parry2022.sentences(found)[0]


def test_what_cannot_be_compared_is_left_out_and_named(parry, tmp_path):
    other = wild(tmp_path / "fewer", ("language",), "mtl", 0, (0.5, 0.5), n=60)
    unseen = wild(tmp_path / "unseen", ("language",), "ad", 0, (0.5, 0.5), unseen=())
    rows = utterances("emodb", [1, 1]) + utterances("crema-d", [1, 1])
    own = finish(tmp_path / "own", "acrnn all", rows)
    loco = finish(tmp_path / "loco", "x", rows, labels={key: ["anger", "joy", "fear"] for key in LABELS},
                  partition={"name": "loco", "folds": ["1"]})  # fmt: skip
    train = wild(tmp_path / "train", ("language",), "train", 0, (0.5, 0.5))
    age = wild(tmp_path / "age", ("age",), "mtl", 0, (0.5, 0.5))
    svm = finish(tmp_path / "svm", "svm", rows)
    svm.config.pop("mode")
    one = finish(tmp_path / "one", "cnn-lstm three-class", rows[:2])
    found = parry2022.find([*parry.values(), other, unseen, own, loco, train, age, svm, one])
    why = {}
    for one in found["left_out"]:
        why.setdefault(one["run"], []).append(one["why"])
    where = "it tests other utterances or truths ({}) than the baseline of its seed"
    assert why == {
        "svm": ["it is no network"],
        "one": ["it is trained on one corpus"],
        "own": ["its corpora have labels of their own, so that no UAR is of all together"],
        "loco": ["its partition loco has no domain"],
        "train": ["its approach is train, not mtl, gr, ad"],
        "age": ["its attributes are age"],
        "unseen": ["it is of other corpora than 'cnn-lstm--_s0'"],
        "fewer": [where.format("in domain"), where.format("urdu")],
    }
    assert "L" not in found["domains"]["urdu"]["MTL"] and "Left out" in parry2022.tables(found)[0].note


def test_cells_that_mix_settings_are_refused(parry, tmp_path):
    runs = list(parry.values())
    refused(r"no run without attributes, to compare the others with", parry2022.find, runs[2:])
    again = wild(tmp_path / "again", (), "", 0, (0.5, 0.5))
    match = r"'cnn-lstm--_s0' and 'again' are both 'cnn-lstm three-class' with seed 0"
    assert refused(match, parry2022.find, [*runs, again]) == "name the one that shall count"
    again.config["preset"] = "paper"
    match = r"'cnn-lstm--_s0' \(.*quick\)\) and 'again' \(.*paper\)\) are the same approach and attributes"
    assert refused(match, parry2022.find, [*runs, again]) == "name the runs that shall count"


# ---------------------------------------------------------------- the registry and the command


@pytest.mark.parametrize("name", ["zhu2020", "parry2022"])
def test_a_page_and_its_files(name, zhu, parry, emoset):
    made = {"zhu2020": zhu, "parry2022": list(parry.values())}[name]
    page_and_files(name, made[0].folder.parents[1], emoset)


def page_and_files(name, place, emoset):
    """Fill in a table with all runs of a workspace and look at what it wrote; answers what was found."""
    answer = emoset("table", name, "-d", place, "--json")
    assert answer.code == 0, answer.err
    found = answer.json()
    page = Path(found["report"])
    text = page.read_text(encoding="utf-8")
    read = Page(text)
    assert not read.open and all(link.startswith("#") and link[1:] in read.ids for link in read.links)
    assert TABLES[name].source in text and f"emoset table {name}" in text and "Published" in text
    kept = json.loads((page.parent / "table.json").read_text(encoding="utf-8"))
    assert kept == {key: value for key, value in found.items() if key not in ("report", "table")}
    tables = TABLES[name].tables(kept)
    assert (page.parent / "results.md").read_text(encoding="utf-8").count("\n## ") == len(tables) - 1
    assert r"\toprule" in (page.parent / "results.tex").read_text(encoding="utf-8")
    assert len(pd.read_csv(page.parent / "results.csv")) == len(tables[0].rows)
    before = page.read_bytes()
    shown = emoset("table", name, "-d", place)
    assert shown.code == 0 and page.read_bytes() == before and str(page) in shown.err
    assert "Published" in shown.out and "±" in shown.out
    return found


def test_each_table_has_its_line_of_help(emoset):
    assert list(paper_names.TABLES) == list(TABLES)
    told = "".join(c for c in emoset("table", "--help").out if c not in "│ \n")  # the box breaks long names
    assert all(name + ":" in told for name in TABLES)


def test_mistakes_are_told(emoset, zhu, tmp_path):
    place = zhu[0].folder.parents[1]
    for words, told in ((["zhu"], "unknown table 'zhu'"), (["zhu2020", "nothing"], "unknown run 'nothing'"),
                        (["parry2022"], "no run without attributes that fits")):  # fmt: skip
        answer = emoset("table", *words, "-d", place)
        assert (answer.code, answer.out) == (1, "") and f"error: {told}" in answer.err and "\n  mend: " in answer.err
    answer = emoset("table", "zhu2020", "-d", tmp_path)
    assert answer.code == 1 and "holds no finished run of a network" in answer.err
