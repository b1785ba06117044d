"""Pictures of embeddings: projections, silhouettes against scikit-learn, the rule of a paper, and the page."""

import json
import re
import shutil
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_report import Page

from emoset_cli import embed, runs
from emoset_cli.errors import EmosetError
from emoset_cli.prepare import read_utterances
from emoset_cli.report.embedding_page import groups_of
from emoset_cli.report.plots_embedding import OTHERS, scatter
from emoset_cli.train.deep import use
from emoset_cli.train.deep.embedded import embedded

ARIA, CORA = "demo-aria", "demo-cora"
ALL = f"{ARIA}+{CORA}_cnn"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def place(crossed, tmp_path_factory):
    """A copy of `crossed` to write reports to."""
    return Path(shutil.copytree(crossed, tmp_path_factory.mktemp("plot") / "w"))


def clouds(seed=0, each=12, width=6):
    """Three well separated groups."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(10 * number, 1, (each, width)) for number in range(3)]).astype(np.float32)
    return values, [name for name in "abc" for _ in range(each)]


# ---------------------------------------------------------------- projections and silhouettes


def project_groups(method):
    """What holds of every projection."""
    values, names = clouds()
    with warnings.catch_warnings(action="error"):
        points, numbers = embed.project(values, method, 3)
    assert points.shape == (36, 2) and np.isfinite(points).all()
    assert np.array_equal(points, embed.project(values, method, 3)[0])
    assert embed.silhouettes(points, {"name": names})[0]["silhouette"] > 0.5
    assert set(numbers) == ({"explained"} if method == "pca" else set())
    few = values[::7]
    assert embed.project(few[:5], method)[0].shape == (5, 2)
    with pytest.raises(EmosetError, match=r"4 utterances make no picture, at least 5 are needed\n.*--on all"):
        embed.project(few[:4], method)


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_a_projection_is_repeatable_and_keeps_groups_apart(method):
    project_groups(method)


@pytest.mark.slow
def test_umap_is_a_projection_like_the_others_and_does_not_chatter(emoset, place):
    """All of UMAP in one test: it takes a while to compile, in each process anew."""
    project_groups("umap")
    name = next(name for name in runs.list_runs(place) if name.startswith(f"{CORA}_cnn"))
    answer = plot(emoset, place, name=f"{name}:final")
    folder = Path(re.search(r"page: (.*)\n", answer.err)[1]).parent
    assert f"note: all utterances are of {CORA}: no panel by corpus" in answer.err
    assert "n_jobs" not in answer.err and "Warning" not in answer.err
    assert [path.name for path in (folder / "figures").iterdir()] == ["embedding_label.svg"]
    assert f"one corpus only: {CORA}" in answer.out and "Silhouettes" in answer.out


def test_pca_is_that_of_the_covariance():
    values, _ = clouds(1)
    points, numbers = embed.project(values, "pca")
    centred = values.astype(float) - values.mean(0)
    variances = np.linalg.eigvalsh(np.cov(centred.T))[::-1]
    assert np.allclose(points.var(0, ddof=1), variances[:2], rtol=1e-5)
    assert numbers["explained"] == pytest.approx(variances[:2].sum() / variances.sum(), rel=1e-5)


def test_silhouettes_are_those_of_scikit_learn_and_of_the_definition():
    from sklearn.metrics import silhouette_score

    values, names = clouds(2)
    rng = np.random.default_rng(0)
    mixed = rng.choice(["x", "y", ""], len(values)).astype(str).tolist()
    found = embed.silhouettes(values, {"label": names, "mixed": mixed})
    assert found[0] == {
        "by": "label", "groups": 3, "n": 36, "note": "",
        "silhouette": pytest.approx(silhouette_score(values, names, metric="euclidean")),
    }  # fmt: skip
    known = np.array(mixed) != ""
    expected = silhouette_score(values[known], np.array(mixed)[known], metric="euclidean")
    assert found[1]["silhouette"] == pytest.approx(expected) and found[1]["n"] == known.sum()
    far = np.linalg.norm(values[:, None].astype(float) - values[None], axis=2)
    codes = np.array(names)
    each = []
    for row, own in enumerate(codes):
        a = far[row, codes == own].sum() / ((codes == own).sum() - 1)
        b = min(far[row, codes == other].mean() for other in "abc" if other != own)
        each.append((b - a) / max(a, b))
    assert found[0]["silhouette"] == pytest.approx(np.mean(each), rel=1e-5)


def test_where_there_is_no_silhouette_it_says_why():
    values, _ = clouds()
    groups = {"corpus": ["emodb"] * 36, "speaker": [""] * 36, "utterance": [str(n) for n in range(36)]}
    found = {one["by"]: (one["silhouette"], one["note"]) for one in embed.silhouettes(values, groups)}
    assert found == {
        "corpus": (None, "one corpus only: emodb"),
        "speaker": (None, "no speaker is known"),
        "utterance": (None, "each utterance is of another utterance"),
    }


def test_what_cannot_be_projected_is_told():
    with pytest.raises(EmosetError, match=r"unknown projection 'lda'"):
        embed.project(clouds()[0], "lda")
    with pytest.raises(EmosetError, match=r"the embeddings of all utterances are the same"):
        embed.project(np.ones((9, 3), np.float32), "umap")


def test_the_rule_of_the_paper():
    labels = {"cafe": ["anger", "fear", "joy"], "emodb": ["anger", "anxiety", "joy"]}
    rows = [
        ("anger", "anger", "test", True),
        ("anger", "joy", "test", False),  # wrong
        ("fear", "fear", "test", False),  # of one corpus
        ("anxiety", "anxiety", "test", False),
        ("joy", "joy", "devel", False),
        ("joy", "joy", "test", True),
    ]
    table = pd.DataFrame(rows, columns=["truth", "prediction", "partition", "kept"])
    assert embed.shown(table, labels, "alisamir2022").tolist() == table["kept"].tolist()
    assert embed.shown(table, labels, "").all()
    with pytest.raises(EmosetError, match=r"unknown rule 'mine'"):
        embed.shown(table, labels, "mine")
    with pytest.raises(EmosetError, match=r"shows nothing: no two corpora share a label"):
        embed.shown(table, {"cafe": labels["cafe"]}, "alisamir2022")
    with pytest.raises(EmosetError, match=r"shows nothing: no test utterance with a shared label is right"):
        embed.shown(table.iloc[1:5], labels, "alisamir2022")


# ---------------------------------------------------------------- a run's utterances


@pytest.mark.slow
def test_each_utterance_goes_through_its_own_corpus(place):
    run = runs.find_run(place, ALL)
    table, values = embedded(run, place, ["train", "test"], device="cpu")
    assert set(table["partition"]) == {"train", "test"} and values.dtype == np.float32
    network = use.open_network(run, "1", "cpu")
    for corpus in (ARIA, CORA):
        rows = (table["corpus"] == corpus).to_numpy()
        whole = read_utterances(place, corpus).set_index("utterance", drop=False).loc[table["utterance"][rows]]
        assert np.allclose(values[rows], use.embeddings(network, place, whole, corpus), atol=1e-4)
        best = use.probabilities(network, place, whole, corpus).argmax(1)
        agree = np.array(network.labels(corpus))[best] == table["prediction"][rows]
        assert agree.mean() > 0.95  # of those in train exactly; others were predicted in other batches
    said = run.predictions().set_index("utterance")["prediction"]
    test = table[table["partition"] == "test"]
    assert (said.loc[test["utterance"]].to_numpy() == test["prediction"].to_numpy()).all()


def test_folds_are_networks_of_their_own(place):
    run = runs.find_run(place, ALL)
    two = replace(run, config=run.config | {"partition": run.config["partition"] | {"folds": ["a", "b"]}})
    with pytest.raises(EmosetError, match=r"has 2 folds, and each a network of its own\n.*choose one, as --fold a"):
        embedded(two, place, ["test"])
    with pytest.raises(EmosetError, match=r"unknown fold of .* 'c'"):
        embedded(two, place, ["test"], "c")


# ---------------------------------------------------------------- drawing


@settings(deadline=None, max_examples=20)
@given(
    points=st.lists(st.tuples(*[st.floats(-1e6, 1e6, allow_nan=False)] * 2), min_size=5, max_size=40),
    groups=st.lists(st.sampled_from([f"group {n}" for n in range(40)] + ["", "<b>"]), min_size=40, max_size=40),
)
def test_every_utterance_is_drawn_within_the_frame(points, groups):
    groups = groups[: len(points)]
    drawn = ElementTree.fromstring(scatter(points, groups, ["a <b> & c"] * len(points), "a < b"))
    dots = [one for one in drawn if one.get("class") == "dot"]
    assert [int(one.get("data-i")) for one in dots] == list(range(len(points)))
    for dot in dots:
        numbers = [float(n) for part in dot.iter() for key in ("cx", "cy", "d") for n in
                   re.findall(r"-?\d+\.\d", part.get(key) or "")]  # fmt: skip
        assert numbers and all(0 <= number <= 440 for number in numbers)
    counted = [int(one.get("data-g")) for one in drawn if one.get("class") == "key"]
    assert counted == sorted(set(counted)) and {int(one.get("data-g")) for one in dots} == set(counted)


def test_groups_differ_in_colour_and_shape_and_the_smallest_are_others():
    groups = [f"g{n:02d}" for n in range(30) for _ in range(2 if n < 24 else 1)]
    drawn = scatter([(n, n % 7) for n in range(len(groups))], groups, groups, "many")
    keys = [one for one in ElementTree.fromstring(drawn) if one.get("class") == "key"]
    looks = [(mark.tag, mark.get("fill"), len(mark.get("d") or "")) for key in keys for mark in key.iter()
             if mark.tag in (f"{SVG}circle", f"{SVG}path")]  # fmt: skip
    assert len(keys) == 25 and len({look[:2] for look in looks[:6]}) == 6
    assert ElementTree.tostring(keys[-1], "unicode").count(OTHERS) == 2 and "6 utterances" in drawn


def test_speakers_are_told_apart_by_their_corpus():
    table = pd.DataFrame({"corpus": ["a", "b", "b"], "speaker": ["1", "1", ""], "truth": ["x", "y", "z"]})
    assert groups_of(table, "speaker") == ["a/1", "b/1", ""] and groups_of(table, "label") == ["x", "y", "z"]


# ---------------------------------------------------------------- the command


def plot(emoset, place, *words, name=ALL):
    answer = emoset("plot", "embedding", name, "--device", "cpu", "-d", place, *words)
    assert answer.code == 0, answer.err
    return answer


def test_the_page_needs_nothing_and_the_files_hold_all(emoset, place, tmp_path):
    colors = "label,corpus,speaker,gender,prediction"
    answer = plot(emoset, place, "--method", "pca", "--on", "all", "--color", colors, "--json", "-o", tmp_path / "p")
    found = answer.json()
    folder = tmp_path / "p"
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not page.open and page.tags.count("script") == 2
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert re.findall(r"""(?:https?:)?//[^\s"'<]+\.[^\s"'<]+""", text.replace("http://www.w3.org/2000/svg", "")) == []
    assert "url(" not in text and "@import" not in text and "src=" not in text
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', text, re.DOTALL)[1])
    table = pd.read_csv(folder / "embedding.csv", dtype={"speaker": str})
    values = np.load(folder / "embeddings.npy", allow_pickle=False)
    assert len(facts) == len(table) == found["n"] == len(values) and values.shape[1] == found["width"]
    first = table.iloc[0]
    assert first["utterance"] in facts[0] and first["truth"] in facts[0] and f"speaker {first['speaker']}" in facts[0]
    points, numbers = embed.project(values, "pca")
    assert np.allclose(table[["x", "y"]], points, rtol=1e-4, atol=1e-4)
    assert found["explained"] == numbers["explained"]
    wide = pd.read_csv(folder / "embeddings.csv")
    assert wide["utterance"].tolist() == table["utterance"].tolist()
    assert np.array_equal(wide.drop(columns="utterance").to_numpy(np.float32), values)
    for color in colors.split(","):
        drawn = ElementTree.parse(folder / "figures" / f"embedding_{color}.svg").getroot()
        assert sum(one.get("class") == "dot" for one in drawn) == len(table)
    from sklearn.metrics import silhouette_score

    own = {one["by"]: one["silhouette"] for one in found["silhouettes"]}
    names = {"label": table["truth"], "corpus": table["corpus"], "speaker": table["corpus"] + "/" + table["speaker"]}
    assert own == {by: pytest.approx(silhouette_score(values, names[by], metric="euclidean")) for by in names}
    assert json.loads((folder / "embedding.json").read_text()) == {k: v for k, v in found.items() if k != "page"}
    assert (folder / "results.csv").read_text().startswith("by,groups,n,silhouette,note\nlabel,")


def test_the_script_of_the_page_is_javascript(emoset, place, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here")
    plot(emoset, place, "--method", "pca", "-o", tmp_path / "p", "-q")
    text = (tmp_path / "p" / "report.html").read_text(encoding="utf-8")
    script = tmp_path / "page.js"
    script.write_text(re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1])
    assert subprocess.run([node, "--check", script], capture_output=True, check=False).returncode == 0


def test_the_same_command_writes_the_same_bytes(emoset, place):
    words = ["--method", "tsne", "--rule", "alisamir2022", "--seed", 2, "-q", "--json"]
    folder = Path(plot(emoset, place, *words).json()["page"]).parent
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found = plot(emoset, place, *words).json()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == kept
    table = pd.read_csv(folder / "embedding.csv")
    assert (table["truth"] == table["prediction"]).all() and set(table["partition"]) == {"test"}
    assert found["rule"] == "alisamir2022" and found["n"] == len(table)
    labels = runs.find_run(place, ALL).config["labels"]
    assert set(table["truth"]) <= set(labels[ARIA]) & set(labels[CORA])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--method", "lda"], "unknown projection 'lda'"),
        (["--on", "dev"], "unknown choice of --on 'dev'"),
        (["--color", "label,age"], "unknown color 'age'"),
        (["--rule", "mine"], "unknown rule 'mine'"),
        (["--rule", "alisamir2022", "--on", "all"], "rule alisamir2022 is about test utterances, not all"),
        (["--fold", "7"], "unknown fold of"),
        (["--device", "tpu"], "unknown device 'tpu'"),
    ],
)
def test_a_mistake_is_told_in_two_lines(emoset, place, words, told):
    answer = emoset("plot", "embedding", ALL, *words, "-d", place)
    assert (answer.code, answer.out) == (1, "") and f"error: {told}" in answer.err and "\n  mend: " in answer.err
