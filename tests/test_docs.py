"""The docs against the program: what a page says exists, and what exists is in a page."""

import ast
import doctest
import re
import runpy
import shlex
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from emoset_cli import (
    checks,
    corpora,
    dimensions,
    feature_store,
    features,
    joins,
    labels,
    leaks,
    manifest,
    metrics,
    models,
    names,
    problems,
    protocols,
    segments,
    train,
)
from emoset_cli import (
    rows as utterance_rows,
)
from emoset_cli.cli.run_over import shipped
from emoset_cli.plan.schedule import EVENTS
from emoset_cli.plan.state import STATES
from emoset_cli.report.papers import TABLES
from emoset_cli.train.deep import settings

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
PAGES = sorted([*PROJECT.glob("README.md"), *DOCS.glob("*.md")])
PAGE = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
make_cli = runpy.run_path(str(DOCS / "make_cli.py"))


def blocks(name: str, *kinds: str) -> list[str]:
    return [text for kind, text in FENCE.findall(PAGE[name]) if kind in kinds]


def rows(name: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    body = PAGE[name].partition(f"\n{heading}")[2]
    assert body, f"{name} has no heading {heading}"
    table = re.search(r"^\|.*?(?=\n\n|\Z)", body, re.MULTILINE | re.DOTALL)
    assert table
    return [[cell.strip() for cell in re.split(r"(?<=\s)\|(?=\s)", line[1:-1])] for line in table[0].splitlines()[2:]]


def codes(cells: list[str]) -> list[str]:
    return [code for cell in cells for code in re.findall(r"`([^`]+)`", cell)]


# The command line


def tree() -> dict[str, Any]:
    """Every command by its whole name, groups too."""
    from typer.main import get_command

    from emoset_cli.cli.main import app

    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield name, command
        for word, inner in getattr(command, "commands", {}).items():
            yield from walk(f"{name} {word}", inner)

    return dict(walk("emoset", get_command(app)))


COMMANDS = tree()
OPTIONS = {
    name: {word for option in command.params for word in [*option.opts, *option.secondary_opts]} | {"--help", "-h"}
    for name, command in COMMANDS.items()
}


def split(words: list[str]) -> tuple[str, list[str]]:
    """The command that a line names, and what follows."""
    name = words[0]
    while len(words) > 1 and f"{name} {words[1]}" in COMMANDS:
        name, words = f"{name} {words[1]}", words[1:]
    return name, words[1:]


def lines() -> list[tuple[str, str]]:
    """Command lines of emoset in the code blocks of all pages."""
    found = []
    for name in PAGE:
        for text in blocks(name, "sh", "bash", "console", ""):
            for line in text.replace("\\\n", " ").splitlines():
                if line.removeprefix("$ ").startswith("emoset "):
                    found.append((name, re.sub(r" > [\w./-]+$", "", line.removeprefix("$ "))))  # without where it goes
    return found


def test_the_command_reference_is_what_its_generator_makes() -> None:
    assert make_cli["page"]() == PAGE["cli.md"], "run: python docs/make_cli.py"


def test_check_of_the_generator_notices_a_stale_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main = make_cli["main"]
    assert main(["--check"]) == 0
    monkeypatch.setitem(main.__globals__, "PAGE", tmp_path / "cli.md")
    assert main(["--check"]) == 1
    assert "docs/cli.md is stale: python docs/make_cli.py" in capsys.readouterr().err
    assert main([]) == 0 and main(["--check"]) == 0
    assert main(["--chekc"]) == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_in_the_reference_with_an_example(name: str) -> None:
    section = PAGE["cli.md"].partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert "Example: emoset " in section
    for option in COMMANDS[name].params:
        if getattr(option, "hidden", False):  # of other networks: refused with their names
            continue
        assert all(
            re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", section) for word in option.opts if word[0] == "-"
        )
        assert option.param_type_name == "argument" or option.help, f"{name} {option.opts} has no help"


@pytest.mark.parametrize(("page", "line"), [(page, line) for page, line in lines() if page != "cli.md"])
def test_a_command_line_in_a_page_is_accepted(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("EMOSET_WORKSPACE", "EMOSET_REGISTRY", "EMOSET_DEBUG"):
        monkeypatch.delenv(variable, raising=False)
    name, rest = split(shlex.split(line, comments=True))
    if name == "emoset":  # --version and the like would act when they are parsed
        assert rest and set(rest) <= OPTIONS[name], f"{page}: {line}"
        return
    given = COMMANDS[name].make_context(name, rest).params
    if given.get("feature"):
        features.find_feature(given["feature"])
    if given.get("labels"):
        assert set(given["labels"].split(",")) <= {"own", "common", *labels.spaces()}
    word = (given.get("partition") or "published").partition(":")[0]
    published = {name for corpus in corpora.load_corpora().values() for name in corpus.partitions}
    assert word in {*protocols.PROTOCOLS, *published} or word.endswith(".csv"), f"{page}: {line}"


def test_pages_show_command_lines() -> None:
    assert len(lines()) > 30


def test_commands_and_options_named_in_the_text_exist() -> None:
    everywhere = set().union(*OPTIONS.values()) | {"--check"}  # of docs/make_cli.py
    for name, text in PAGE.items():
        prose = FENCE.sub("", text)
        for command in re.findall(r"`(emoset [^`]+)`", prose):
            found, rest = split(command.split())
            options = {word for word in rest if re.fullmatch("--?[a-z][a-z-]*", word)}
            below = [known for inner, known in OPTIONS.items() if inner == found or inner.startswith(f"{found} ")]
            assert options <= set().union(*below), f"{name}: {command}"
            assert found != "emoset" or options or rest == ["..."], f"{name}: {command}"
        if name not in {"coming-from-emonet.md", "README.md"}:  # these name the options of others too
            unknown = set(re.findall(r"`(--[a-z-]+)", prose)) - everywhere
            assert not unknown, f"{name}: {unknown}"


# Registries: an entry that no page names fails here


def test_every_feature_set_is_in_the_table_with_its_size_and_source() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is deprecated, consider switching")  # eGeMAPS v01b
        sizes = {name: len(features.build(name)[0]) for name in features.FEATURES}
    table = rows("features.md", "## The sets")
    assert {codes([row[0]])[0]: int(row[3]) for row in table} == sizes
    assert {alias: codes([row[0]])[0] for row in table for alias in codes([row[1]])} == features.ALIASES
    assert {codes([row[0]])[0]: row[2] for row in table} == features.SETS
    assert all(re.search(r"\d{4}", row[4]) for row in table)


@pytest.mark.parametrize(
    ("name", "heading", "registry"),
    [
        ("partitions.md", "## Protocols", protocols.PROTOCOLS),
        ("baselines.md", "## Normalisation", train.NORMALISE),
        ("networks.md", "## Which there are", models.MODELS),
        ("networks.md", "## Modes", settings.MODES),
        ("networks.md", "## Budget", settings.PRESETS),
        ("evaluation.md", "## The scores", metrics.METRICS),
        ("evaluation.md", "## Tables of papers", TABLES),
        ("corpora.md", "## Label spaces", ["own", "common", *labels.spaces()]),
        ("exploration.md", "## Leaks", leaks.KINDS),
    ],
)
def test_every_entry_of_a_registry_is_in_its_table(name: str, heading: str, registry: Any) -> None:
    table = {code.partition(":")[0] for row in rows(name, heading) for code in codes([row[0]])}
    assert set(registry) <= table


def test_the_tables_of_plans_are_those_of_the_program() -> None:
    found = rows("plans.md", "## State")
    assert {codes([row[0]])[0]: row[1] for row in found} == STATES
    found = rows("plans.md", "## The event log")
    assert {codes([row[0]])[0]: tuple(codes([row[1]])) for row in found} == EVENTS
    found = rows("plans.md", "## Plans of papers")
    assert [codes([row[0]])[0] for row in found] == list(shipped())
    assert all(row[1] and row[2] for row in found)


def test_every_baseline_has_a_section() -> None:
    assert set(re.findall(r"^## `(\w+)`", PAGE["baselines.md"], re.MULTILINE)) == set(train.BASELINES)


def test_label_spaces_are_told_with_their_labels() -> None:
    table = {codes([row[0]])[0]: row[1] for row in rows("corpora.md", "## Label spaces")}
    for name, space in labels.spaces().items():
        assert table[name] == ", ".join(space.labels)


def kinds(module: Any) -> set[str]:
    """The kinds of problem that a module can report, from its source: a string before ``KEPT`` or ``LEFT_OUT`` in a
    tuple or a Problem, the first string among the arguments of ``_problem(...)``, a string that ``_kind`` returns or
    ``kind`` is."""

    def strings(*nodes: ast.AST) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.IfExp):
                yield from strings(node.body, node.orelse)

    found: set[str] = set()
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Tuple | ast.Call):
            items = node.elts if isinstance(node, ast.Tuple) else node.args
            for before, after in pairwise(items):
                action = after.body if isinstance(after, ast.IfExp) else after
                if isinstance(action, ast.Name) and action.id in {"KEPT", "LEFT_OUT"}:
                    found |= set(strings(before))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_problem":
            found |= set([*strings(*node.args)][:1])
        if isinstance(node, ast.FunctionDef) and node.name == "_kind":
            found |= {s for inner in ast.walk(node) if isinstance(inner, ast.Return) for s in strings(inner.value)}
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            first = node.targets[0].elts[0]
            if isinstance(first, ast.Name) and first.id == "kind" and isinstance(node.value, ast.Tuple):
                found |= set(strings(node.value.elts[0]))
    return found


def test_every_kind_of_problem_is_in_the_table_and_no_other() -> None:
    told = {codes([row[0]])[0] for row in rows("corpora.md", "## Problems that prepare finds")}
    assert told == set().union(*map(kinds, (checks, dimensions, joins, manifest, names, segments, utterance_rows)))
    assert len(told) >= 27


def test_problems_are_left_out_or_kept_as_the_table_says() -> None:
    assert {row[1] for row in rows("corpora.md", "## Problems that prepare finds")} == {
        problems.LEFT_OUT,
        problems.KEPT,
    }


def test_every_audio_extension_is_named() -> None:
    sentence = (
        PAGE["corpora.md"].partition("Audio files are found by their extension (in any case): ")[2].partition(".")[0]
    )
    assert set(re.split(r",\s+", sentence)) == corpora_extensions()


def corpora_extensions() -> set[str]:
    from emoset_cli.audio import EXTENSIONS

    return set(EXTENSIONS)


def test_the_page_counts_the_corpora_of_the_registry() -> None:
    entries = {key: entry for key, entry in corpora.load_corpora().items() if not key.startswith("demo-")}
    understood = [entry for entry in entries.values() if entry.path]
    ready = sum(not entry.needs for entry in understood)
    assert f"{len(entries)} corpora are in the registry" in PAGE["corpora.md"]
    assert f"Known corpora: {len(entries)}," in PAGE["README.md"]
    first, second, third = (row[0] for row in rows("corpora.md", "## What is known"))
    assert f": {ready}," in first and f": {len(understood) - ready}," in second
    assert f": {len(entries) - len(understood)}," in third
    assert all(entry.needs for entry in entries.values() if not entry.path)


def test_the_label_space_of_the_page_is_accepted(tmp_path: Path) -> None:
    (space,) = [text for text in blocks("corpora.md", "yaml") if "  map:" in text]
    file = tmp_path / "label_spaces.yaml"
    file.write_text(space, encoding="utf-8")
    assert labels.map_labels(["boredom", "joy", "pain"], labels.spaces(file)["calm-or-not"]) == [
        "calm",
        "not-calm",
        None,
    ]


def test_the_table_of_the_page_reads_a_line_of_iemocap(tmp_path: Path) -> None:
    from emoset_cli.corpora import Table
    from emoset_cli.tables import read_records

    (text,) = [text for text in blocks("corpora.md", "yaml") if text.startswith("tables:")]
    table = Table(**yaml.safe_load(text)["tables"]["evaluation"])
    file = tmp_path / "Ses01F_impro01.txt"
    line = "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.0000]\n"
    file.write_text(f"% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n{line}C-E2:\tNeutral;\t()\n")
    (record,) = read_records(file, table, "the page")
    assert [record[name] for name in ("name", "emotion", "v", "a", "d")] == [
        "Ses01F_impro01_F000", "neu", "2.5000", "2.5000", "2.0000",
    ]  # fmt: skip


# Links and other people's machines


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", PAGE[page.name])):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGE)
def test_a_page_names_no_machine_of_ours(page: str) -> None:
    registries = "|".join(["python" + "hosted", "py" + "pi"])  # in two: this file names none itself
    assert not re.search(rf"/work\b|/tmp/|/root\b|/home/|{registries}|index-url|localhost", PAGE[page])


@pytest.mark.parametrize(
    "page",
    [
        page
        for page in PAGE
        if page not in {"cli.md", "results.md", "speed.md", "transfer-results.md", "embedding-results.md", "README.md"}
    ],
)
def test_a_page_keeps_to_the_line_length(page: str) -> None:
    long = [line for line in PAGE[page].splitlines() if len(line) > 120 and "|" not in line and "](" not in line]
    assert not long


@pytest.mark.parametrize("page", PAGE)
def test_python_sessions_in_a_page_are_true(page: str) -> None:
    for number, text in enumerate(blocks(page, "python")):
        if ">>>" in text:
            test = doctest.DocTestParser().get_doctest(text, {}, f"{page}-{number}", page, 0)
            assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


def test_scikit_learn_agrees_with_the_example_of_the_uar() -> None:
    from sklearn.metrics import balanced_accuracy_score

    table = rows("evaluation.md", "anger and sadness:")
    truth, prediction = (list(column) for column in zip(*table, strict=True))
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        theirs = balanced_accuracy_score(truth, prediction)
    assert theirs == metrics.uar(truth, prediction, ["anger", "sadness"]) == 0.75


# The worked example of docs/corpora.md, and what the other pages say of its files


@pytest.fixture(scope="module")
def hallway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The invented corpus as the page describes it, beside the registry taken from the page."""
    folder = tmp_path_factory.mktemp("docs")
    (entry,) = [text for text in blocks("corpora.md", "yaml") if text.startswith("hallway:")]
    (folder / "my-corpora.yaml").write_text(entry, encoding="utf-8")
    rng = np.random.default_rng(0)
    people = (("S01", "F"), ("S02", "M"), ("S03", "F"), ("S04", "M"))
    fade = np.linspace(1, 0, 6400) ** 2
    for (who, gender), label, intensity, text in product(people, ("ang", "joy", "neu", "sad"), ("lo", "hi"), "12"):
        file = folder / "hallway" / "rec" / f"{who}{gender}_{label}_{intensity}_t0{text}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, 0.02 * fade * rng.standard_normal(6400), 16000)
    return folder


def in_workspace(line: str, folder: Path, workspace: Path) -> list[str]:
    """A command line of a page, with its places replaced by those of the test."""
    line = line.replace("~/corpora/hallway", str(folder / "hallway"))
    return [*shlex.split(line.replace("my-corpora.yaml", str(folder / "my-corpora.yaml")))[1:], "-d", str(workspace)]


def test_the_worked_example_works(hallway: Path, tmp_path: Path, emoset: Callable[..., Any]) -> None:
    (line,) = [line for page, line in lines() if page == "corpora.md" and "hallway=" in line]
    result = emoset(*in_workspace(line, hallway, tmp_path), "--strict", "--json")
    assert result.code == 0, result.err
    (corpus,) = result.json()["corpora"]
    assert (
        corpus["utterances"] == 64 and corpus["speakers"] == 4 and corpus["female"] == 2 and corpus["language"] == "deu"
    )
    assert corpus["problems"] == {} and corpus["partition"]["name"] == "ours"
    assert set(corpus["labels"]) == {"anger", "joy", "neutral", "sadness"}


def test_the_worked_example_is_as_short_as_promised() -> None:
    (entry,) = [text for text in blocks("corpora.md", "yaml") if text.startswith("hallway:")]
    assert len([line for line in entry.splitlines() if not line.strip().startswith("#")]) <= 12
    assert yaml.safe_load(entry)["hallway"]["default_partition"] == "ours"


@pytest.mark.parametrize("where", ["environment", "workspace"])
def test_the_other_places_of_a_users_registry(
    where: str, hallway: Path, tmp_path: Path, emoset: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "environment":
        monkeypatch.setenv("EMOSET_REGISTRY", str(hallway / "my-corpora.yaml"))
    else:
        (tmp_path / "corpora.yaml").write_bytes((hallway / "my-corpora.yaml").read_bytes())
    keys = [row["key"] for row in emoset("corpora", "list", "--json", "-d", tmp_path).json()]
    assert "hallway" in keys and "emodb" in keys


@pytest.mark.parametrize("row", rows("corpora.md", "## YAML traps"), ids=lambda row: row[0])
def test_a_yaml_trap_is_refused_and_its_mend_accepted(row: list[str], tmp_path: Path) -> None:
    from emoset_cli.errors import EmosetError

    written, mended = codes([row[0]])[0], codes([row[2]])[0]
    entry = "hallway: {{language: deu, path: '(?P<speaker>.)_(?P<label>.+)$', labels: {{x: {}, y: joy}}}}\n"
    file = tmp_path / "corpora.yaml"
    file.write_text(entry.format(written), encoding="utf-8")
    kind = {"nothing": "nothing"}.get(row[1], row[1].partition(" (")[0].replace("false", "true or false"))
    kind = "true or false" if kind == "true" else kind
    with pytest.raises(EmosetError, match=rf"{written} is {kind}.* to YAML, not a text\n.*quote it"):
        corpora.load_corpora(file)
    file.write_text(entry.format(mended), encoding="utf-8")
    assert corpora.load_corpora(file)["hallway"].labels["x"] == yaml.safe_load(mended)


@pytest.mark.parametrize(
    ("place", "heading"),
    [
        ("zzz: 1", "## Every key of an entry"),
        ("tables: {t: {zzz: 1}}", "**Tables.**"),
        ("partitions: {p: {zzz: 1}}", None),
        ("partitions: {p: {folds: {f: {zzz: 1}}}}", None),
        ("subsets: {s: {c: {zzz: 1}}}", None),
        ("count: {zzz: 1}", None),
        ("speakers: {zzz: 1}", None),
    ],
)
def test_every_key_of_the_registry_is_explained(place: str, heading: str | None, tmp_path: Path) -> None:
    from emoset_cli.errors import EmosetError

    file = tmp_path / "corpora.yaml"
    file.write_text(f"hallway: {{{place}}}\n", encoding="utf-8")
    with pytest.raises(EmosetError, match="unknown key 'zzz'") as caught:
        corpora.load_corpora(file)
    known = set(caught.value.mend.partition("known: ")[2].split(", "))
    body = PAGE["corpora.md"].partition("## Every key of an entry")[2].partition("## YAML traps")[0]
    words = set(re.findall(r"\w+", " ".join(codes([FENCE.sub("", body)]))))
    assert known <= words, known - words
    if heading:
        told = {codes([row[0]])[0] for row in rows("corpora.md", heading) if codes([row[0]])}
        assert told == known


def test_the_feature_of_the_page_can_be_added(
    hallway: Path, tmp_path: Path, emoset: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, line = blocks("features.md", "python")
    module = types.ModuleType("emoset_cli.features.level")
    exec(source, module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(features, "FEATURES", dict(features.FEATURES))
    monkeypatch.setattr(feature_store, "_built", {})
    exec(line, {"FEATURES": features.FEATURES, "Feature": features.Feature})
    registry = ["--registry", hallway / "my-corpora.yaml"]
    assert emoset("prepare", f"hallway={hallway / 'hallway'}", *registry, "-d", tmp_path).code == 0
    result = emoset("extract", "level", "--workers", 1, "--json", "-d", tmp_path)
    assert result.code == 0, result.err
    assert result.json()[0]["features"] == 2 and result.json()[0]["without_features"] == 0


def test_every_file_column_and_setting_of_a_workspace_is_explained(
    hallway: Path, tmp_path: Path, emoset: Callable[..., Any]
) -> None:
    registry = ["--registry", hallway / "my-corpora.yaml"]
    common = ["-d", tmp_path, "-q"]
    assert emoset("prepare", f"hallway={hallway / 'hallway'}", *registry, *common).code == 0
    assert emoset("extract", "gemaps", "--workers", 1, *common).code == 0
    assert emoset("train", "forest", "-f", "gemaps", "--workers", 1, *registry, *common).code == 0
    network = [
        "train",
        "cnn",
        "-nf",
        "2",
        "-N",
        "1",
        "-nm",
        "16",
        "-w",
        "1",
        "--preset",
        "quick",
        "-e",
        "1",
        "--precision",
        "fp32",
        "--tensorboard",
    ]
    assert emoset(*network, "--workers", 1, *registry, *common).code == 0
    assert emoset("evaluate", *common).code == 0
    assert emoset("transfer", *common).code == 0
    assert emoset("corpora", "stats", *common, *registry).code == 0
    aggregate = emoset("corpora", "aggregate", "--labels", "arousal", *common, *registry, "--name", "NAME")
    assert aggregate.code == 0, aggregate.err
    plan = tmp_path / "plan.yaml"
    plan.write_text("train: forest\noptions: {feature: gemaps}\nspace: {normalise: {choice: [train]}}\n", "utf-8")
    assert emoset("search", plan, "--trials", 1, *registry, *common).code == 0
    page = PAGE["workspace.md"]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            name = path.name.replace("hallway", "emodb")
            several = f"{path.parent.name}/*{path.suffix}"
            assert name in page or several in page, path
    import pandas as pd

    told = set(codes([FENCE.sub("", page)]))
    run, other = sorted((tmp_path / "runs").iterdir(), reverse=True)
    for folder in (run, other):
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        assert set(config) <= told, set(config) - told
    table = pd.read_parquet(tmp_path / "corpora" / "hallway" / "utterances.parquet")
    assert set(table.columns) - {"intensity"} <= told  # a group of the example
    for file in (
        other / "history.csv",
        other / "seen.csv",
        run / "predictions.csv",
        tmp_path / "corpora" / "hallway" / "problems.csv",
        next(tmp_path.glob("searches/*/trials.csv")),
    ):
        columns = set(file.read_text(encoding="utf-8").splitlines()[0].split(","))
        columns = {re.sub("^(score|probability)_.*", r"\1_LABEL", column) for column in columns}
        columns = {re.sub("^devel_uar:.*", "devel_uar:HEAD", column) for column in columns}
        assert columns - {"normalise"} <= told, columns - told  # the option searched here


def test_the_site_has_every_page_once() -> None:
    def pages(node: Any) -> list[str]:
        if isinstance(node, str):
            return [node]
        return [page for inner in (node.values() if isinstance(node, dict) else node) for page in pages(inner)]

    listed = pages(yaml.safe_load((PROJECT / "mkdocs.yml").read_text("utf-8"))["nav"])
    assert sorted(listed) == sorted(path.name for path in DOCS.glob("*.md"))
