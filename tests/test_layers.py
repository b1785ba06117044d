"""Which module may import which, as design.md says: read from the source, nothing is imported."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "emoset_cli"

# Part of the package -> the parts it may import. A part is a module or a folder of modules; a folder's modules may
# import each other.
MAY_IMPORT = {
    "": set(),
    "errors": set(),
    "files": {"errors"},
    "parallel": {"errors"},
    "yaml_tree": {"errors"},
    "yaml_schema": {"errors", "yaml_tree"},
    "registry_checks": {"errors", "yaml_tree", "yaml_schema"},
    "corpora": {"errors", "yaml_tree", "yaml_schema", "registry_checks"},
    "labels": {"errors", "yaml_tree", "yaml_schema"},
    "audio": {"errors"},
    "store": {"errors", "files", "parallel", "audio"},
    "features": {"errors", "audio"},
    "manifest": {"errors", "corpora", "audio", "store"},
    "checks": {"audio", "corpora", "manifest"},
    "prepare": {"errors", "files", "corpora", "audio", "store", "manifest", "checks"},
    "balance": {"errors"},
    "partition": {"errors", "files"},
    "protocols": {"errors", "corpora", "balance", "partition"},
    "feature_store": {"errors", "files", "parallel", "features", "prepare", "store"},
    "metrics": {"errors"},
    "stats": {"errors", "metrics"},
    "runs": {"errors", "files"},
    "synth": {"errors", "files"},
    "train": {
        "", "errors", "files", "parallel", "corpora", "labels", "partition", "protocols", "prepare", "feature_store",
        "metrics", "runs",
    },
    "report": {"errors", "files", "metrics", "stats", "runs"},
}  # fmt: skip
MAY_IMPORT["cli"] = set(MAY_IMPORT)  # everything

# What only some parts may import at all, also inside functions.
ONLY = {
    "typer": {"cli"},
    "rich": {"cli"},
    "click": set(),
    "soundfile": {"audio", "synth"},
    "soxr": {"audio"},
    "opensmile": {"features"},
    "sklearn": {"train", "metrics", "stats"},
    "statsmodels": {"stats"},
    "scipy": {"stats"},
    "matplotlib": {"report"},
    "jinja2": {"report"},
    "joblib": {"parallel"},
    "pickle": set(),
}
# These take long to import: only inside the function that needs them.
LAZY = {"torch", "pandas", "sklearn", "scipy", "statsmodels", "matplotlib", "opensmile", "soundfile", "soxr", "pyarrow",
        "joblib", "jinja2", "markupsafe", "safetensors"}  # fmt: skip
# Loaded by every `--help`: these may not even import numpy or yaml at the top.
LIGHT = {"", "cli", "errors", "files", "runs", "train/__init__", "features/__init__"}


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def part_of(name):
    """``emoset_cli.train.svm`` -> ``train``; ``emoset_cli`` -> the package itself."""
    return [*name.split("."), ""][1]


def name_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """(module, line, whether at the top level) of each import; ``from package import module`` counts as the module."""
    tree = ast.parse(path.read_text("utf-8"))
    typing = {
        id(n)
        for i in ast.walk(tree)
        if isinstance(i, ast.If) and "TYPE_CHECKING" in ast.dump(i.test)
        for n in ast.walk(i)
    }
    inner = {id(node) for outer in ast.walk(tree) if isinstance(outer, ast.FunctionDef) for node in ast.walk(outer)}
    for node in ast.walk(tree):
        if id(node) in typing:  # names for the type checker only
            continue
        found = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            found = [node.module]
            if node.module.split(".")[0] == "emoset_cli":
                folder = PACKAGE.parent / node.module.replace(".", "/")
                named = [alias.name for alias in node.names]
                below = [n for n in named if (folder / f"{n}.py").is_file() or (folder / n).is_dir()]
                found = [f"{node.module}.{name}" for name in below] + ([node.module] if len(below) < len(named) else [])
        for name in found:
            yield name, node.lineno, id(node) not in inner


def test_each_module_has_its_line_in_the_table():
    assert {part_of(name_of(path)) for path in modules()} == set(MAY_IMPORT)


def test_the_table_has_no_circle():
    for part, below in MAY_IMPORT.items():
        seen, todo = set(), set(below)
        while todo:
            seen |= todo
            todo = set().union(*(MAY_IMPORT[other] for other in todo)) - seen
        assert part not in seen or part == "cli", part


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_of_the_package_follow_the_table(path):
    own = part_of(name_of(path))
    for name, line, _ in imports(path):
        if name.split(".")[0] == "emoset_cli":
            assert part_of(name) in MAY_IMPORT[own] | {own}, f"{path.name}:{line}: {own} may not import {name}"


def test_train_and_report_never_import_each_other():
    assert "report" not in MAY_IMPORT["train"]
    assert "train" not in MAY_IMPORT["report"]


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_packages_are_imported_where_they_belong(path):
    own = part_of(name_of(path))
    for name, line, at_top in imports(path):
        package = name.split(".")[0]
        assert package in {*sys.stdlib_module_names, "emoset_cli"} or package not in ONLY or own in ONLY[package], (
            f"{path.name}:{line}: {package} is for {ONLY[package]} only"
        )
        assert not (at_top and package in LAZY), f"{path.name}:{line}: import {package} in the function that needs it"
        inside = path.relative_to(PACKAGE).with_suffix("").as_posix()
        if own in LIGHT or inside in LIGHT:
            assert not (at_top and package in {"numpy", "yaml"}), f"{path.name}:{line}: --help would load {package}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_only_the_command_line_talks_and_exits(path):
    if part_of(name_of(path)) == "cli":
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"print", "exit", "quit", "input"}, (
                f"{path.name}:{node.lineno}: {node.func.id}()"
            )
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in {"sys", "os"}:
            assert node.attr not in {"exit", "stdout", "stderr", "stdin", "_exit"}, (
                f"{path.name}:{node.lineno}: {node.attr}"
            )


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_no_error_is_swallowed(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{path.name}:{node.lineno}: a bare except"
            if isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}:
                again = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                assert again, f"{path.name}:{node.lineno}: except {node.type.id} that does not raise again"


def test_nothing_is_read_with_pickle():
    for path in modules():
        text = path.read_text("utf-8")
        for word in ("pickle.load", "joblib.load", "allow_pickle=True", "yaml.load(", "eval(", "exec("):
            assert word not in text, f"{path.name}: {word}"
