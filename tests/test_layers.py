"""Which module may import which, as design.md says: read from the source, nothing is imported."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "emoset_cli"

# Part of the package -> the parts it may import. A part is a module or a folder of modules; a folder's modules may
# import each other.
MAY_IMPORT = {
    "": set(),
    "errors": set(),
    "files": {"errors"},
    "ranks": {"errors"},
    "cores": {"ranks"},
    "pool": {"errors", "cores"},
    "parallel": {"cores", "pool"},
    "problems": set(),
    # the registry
    "templates": set(),
    "bounded": {"errors"},
    "yaml_tree": {"errors"},
    "yaml_schema": {"yaml_tree"},
    "registry_schema": {"yaml_schema"},
    "column_checks": {"yaml_tree", "templates"},
    "registry_checks": {"yaml_tree", "column_checks"},
    "cite": {"errors"},
    "corpora": {"errors", "yaml_tree", "yaml_schema", "registry_schema", "registry_checks", "cite"},
    "labels": {"errors", "yaml_tree", "yaml_schema"},
    # recordings
    "levels": set(),
    "audio": {"levels"},
    "store": {"errors", "files", "parallel", "audio"},
    "models": {"errors", "ranks"},
    "features": {"errors", "audio", "models", "cores"},
    # a corpus folder becomes a table of utterances
    "names": {"problems", "templates", "bounded", "corpora", "store"},
    "tables": {"errors", "templates", "bounded", "corpora"},
    "joins": {"errors", "problems", "templates", "corpora", "audio", "names", "tables"},
    "dimensions": {"problems", "corpora", "joins"},
    "rows": {"errors", "problems", "templates", "corpora", "names", "joins", "dimensions"},
    "checks": {"problems", "corpora", "audio"},
    "segments": {"problems", "corpora", "levels", "audio", "store", "checks"},
    "manifest": {"errors", "problems", "corpora", "audio", "store", "names", "joins", "rows", "segments"},
    "prepare": {
        "errors", "files", "problems", "corpora", "levels", "audio", "store", "checks", "segments", "manifest",
        "dimensions",
    },
    "extraction": set(),
    "feature_store": {"errors", "files", "ranks", "extraction", "parallel", "features", "store", "prepare"},
    "frame_store": {
        "errors", "files", "ranks", "extraction", "parallel", "features", "store", "prepare", "feature_store",
    },
    # what the tables of prepared corpora make
    "balance": set(),
    "partition": {"errors", "files"},
    "leaks": {"corpora", "partition"},
    "aggregate": {"errors", "partition"},
    "languages": {"errors", "aggregate", "partition"},
    "protocols": {"errors", "corpora", "balance", "partition", "leaks", "languages"},
    "explore": {"errors", "labels", "levels"},
    "embed": {"errors"},
    # entries for corpora that the registry does not know, and other tools' files
    "propose": {"errors", "yaml_tree", "corpora", "audio", "tables", "manifest"},
    "exchange": {"errors", "files", "corpora", "audio", "store", "tables", "manifest", "partition", "prepare"},
    # training, results
    "metrics": {"errors"},
    "stats": {"metrics"},
    "concordance": {"metrics", "stats"},
    "probe": {"metrics", "stats"},
    "shared": {"errors", "files"},
    "runs": {"errors", "files", "shared"},
    "calibration": {"errors", "files", "runs", "shared"},
    "keeping": {"errors", "files", "runs"},
    "synth": {"errors", "files"},
    "train": {
        "", "errors", "files", "ranks", "cores", "parallel", "corpora", "labels", "partition", "leaks", "protocols",
        "aggregate", "prepare", "feature_store", "frame_store", "metrics", "runs", "shared", "store", "models", "audio",
        "concordance",
    },
    "predict": {
        "errors", "files", "cores", "pool", "labels", "levels", "audio", "models", "features", "checks", "manifest",
        "feature_store", "runs", "shared", "calibration", "train",
    },
    "report": {
        "", "errors", "files", "labels", "explore", "metrics", "stats", "concordance", "probe", "runs", "calibration",
    },
    "share": {
        "", "errors", "files", "cite", "corpora", "store", "models", "prepare", "runs", "shared", "calibration",
        "train", "predict", "report",
    },
    # options of commands in YAML; plans of searches and of runs
    "knobs": {"errors"},
    "knob_reader": {"errors", "yaml_tree", "yaml_schema", "knobs"},
    "search": {"errors", "files", "yaml_tree", "yaml_schema", "knobs", "knob_reader", "runs"},
    "plan": {"errors", "files", "yaml_tree", "yaml_schema", "knobs", "knob_reader", "pool", "runs"},
}  # fmt: skip
MAY_IMPORT["doctor"] = {
    "",
    "errors",
    "files",
    "cores",
    "audio",
    "models",
    "features",
    "feature_store",
    "frame_store",
    "corpora",
    "labels",
    "partition",
    "prepare",
    "store",
    "runs",
    "keeping",
    "plan",
}
MAY_IMPORT["cli"] = set(MAY_IMPORT)  # everything
MAY_IMPORT["__main__"] = {"cli"}

# What only some parts may import at all, also inside functions.
ONLY = {
    "typer": {"cli"},
    "rich": {"cli"},
    "click": set(),
    "soundfile": {"audio", "synth"},
    "soxr": {"audio"},
    "opensmile": {"features"},
    "sklearn": {"train", "embed", "probe"},
    "umap": {"embed"},
    "statsmodels": {"stats"},
    "scipy": {"stats"},
    "matplotlib": {"report"},
    "jinja2": {"report"},
    "PIL": {"report"},
    "markupsafe": {"report"},
    "joblib": {"pool"},
    "distributed": {"pool"},
    "dask": set(),
    "safetensors": {"train", "models", "synth", "predict", "share", "doctor"},
    "torch": {"models", "features", "train", "synth", "ranks", "predict", "share", "doctor"},
    "torchaudio": {"models"},
    "torchvision": {"models", "synth"},
    "transformers": {"models", "synth"},
    "peft": {"models"},
    "huggingface_hub": {"models", "share"},
    "onnx": {"share"},
    "onnxruntime": {"share"},
    "onnxscript": {"share"},
    "accelerate": {"train"},
    "tensorboard": {"train"},
    "yaml": {"yaml_tree", "runs", "exchange", "search", "report"},
    "optuna": {"search"},
    "regex": {"bounded"},
    "openpyxl": {"tables"},
    "audformat": {"exchange"},
    "audeer": set(),
    # These run code that a file holds.
    "pickle": set(),
    "marshal": set(),
    "shelve": set(),
    "dill": set(),
    "cloudpickle": set(),
}
# These take long to import: only inside the function that needs them.
LAZY = {"torch", "pandas", "sklearn", "scipy", "statsmodels", "matplotlib", "opensmile", "soundfile", "soxr", "pyarrow",
        "joblib", "jinja2", "markupsafe", "safetensors", "regex", "openpyxl", "audformat", "torchaudio", "torchvision",
        "accelerate", "optuna", "transformers", "huggingface_hub", "umap", "peft", "distributed",
        "onnx", "onnxruntime", "onnxscript", "PIL"}  # fmt: skip
# Networks and what trains them are torch through and through: others import these modules inside functions.
TORCH = ("models/", "train/deep/", "share/graph", "share/onnx_files", "share/same")
# Loaded by every `--help`: these may not even import numpy or yaml at the top.
LIGHT = {"", "cli", "errors", "files", "ranks", "runs", "shared", "train/__init__", "features/__init__",
         "models/__init__", "train/deep/__init__", "train/deep/settings", "search/__init__", "search/space",
         "report/__init__", "report/paper_names"}  # fmt: skip


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


def test_the_table_allows_no_more_than_is_used():
    used = {part: set() for part in MAY_IMPORT}
    for path in modules():
        names = (name for name, _, _ in imports(path) if name.split(".")[0] == "emoset_cli")
        used[part_of(name_of(path))] |= {part_of(name) for name in names}
    unused = {part: below - used[part] for part, below in MAY_IMPORT.items() if part != "cli" and below - used[part]}
    assert unused == {}


def test_train_and_report_never_import_each_other():
    assert "report" not in MAY_IMPORT["train"]
    assert "train" not in MAY_IMPORT["report"]


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_packages_are_imported_where_they_belong(path):
    own = part_of(name_of(path))
    for name, line, at_top in imports(path):
        package = name.split(".")[0]
        assert package not in ONLY or own in ONLY[package], f"{path.name}:{line}: {package} is for {ONLY[package]} only"
        inside = path.relative_to(PACKAGE).with_suffix("").as_posix()
        lazy = (
            LAZY - {"torch", "torchaudio", "safetensors"} if inside.startswith(TORCH) and inside not in LIGHT else LAZY
        )
        assert not (at_top and package in lazy), f"{path.name}:{line}: import {package} in the function that needs it"
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
    def handed_over(node):  # by a worker process, to the one that gave it the job
        return (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) == "failed"
            and part_of(name_of(path)) in {"pool", "cli"}
        )

    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{path.name}:{node.lineno}: a bare except"
            if isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}:
                again = any(isinstance(inner, ast.Raise) or handed_over(inner) for inner in ast.walk(node))
                assert again, f"{path.name}:{node.lineno}: except {node.type.id} that does not raise again"


SAFE_LOADERS = {"SafeLoader", "CSafeLoader"}


def code_that_a_file_could_run(tree):
    """(line, what) of each call that may run code a file holds: of pickle's kind, by YAML tags, or eval and exec."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in {"joblib", "yaml"}:
            loads = [alias.name for alias in node.names if "load" in alias.name and alias.name not in SAFE_LOADERS]
            yield from ((node.lineno, f"{node.module}.{name}") for name in loads)
        if not isinstance(node, ast.Call):
            continue
        function = ast.unparse(node.func)
        options = {option.arg: ast.unparse(option.value) for option in node.keywords}
        plain = function.rpartition(".")[2] == "eval" and not node.args  # a network's evaluation mode
        if function.rpartition(".")[2] in {"eval", "exec", "read_pickle", "unsafe_load", "full_load"} and not plain:
            yield node.lineno, function
        if function in {"joblib.load", "pickle.load", "pickle.loads", "dill.load"}:
            yield node.lineno, function
        if function == "torch.load" and options.get("weights_only") != "True":
            yield node.lineno, function
        if options.get("allow_pickle", "False") != "False":
            yield node.lineno, f"{function}, allow_pickle"
        if function in {"yaml.load", "yaml.load_all"}:
            named = node.args[1:] + [option.value for option in node.keywords if option.arg == "Loader"]
            words = {getattr(part, "attr", getattr(part, "id", None)) for one in named for part in ast.walk(one)}
            words |= {part.value for one in named for part in ast.walk(one) if isinstance(part, ast.Constant)}
            if not (named and words & SAFE_LOADERS and words <= {*SAFE_LOADERS, "yaml", "getattr", None}):
                yield node.lineno, f"{function} without a safe loader"


def test_nothing_that_is_read_can_run_code():
    found = {
        path.name: told
        for path in modules()
        if (told := [*code_that_a_file_could_run(ast.parse(path.read_text("utf-8")))])
    }
    assert found == {}


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("yaml.load(text)", 1), ("yaml.load(text, yaml.Loader)", 1), ("yaml.load(text, Loader=yaml.FullLoader)", 1),
        ("yaml.load(text, Loader=getattr(yaml, 'CSafeLoader', yaml.UnsafeLoader))", 1), ("yaml.unsafe_load(text)", 1),
        ("yaml.load(text, Loader=getattr(yaml, 'CSafeLoader', yaml.SafeLoader))", 0), ("yaml.safe_load(text)", 0),
        ("numpy.load(path, allow_pickle=True)", 1), ("numpy.load(path, allow_pickle=False)", 0),
        ("from joblib import load", 1), ("joblib.load(path)", 1), ("pandas.read_pickle(path)", 1), ("eval(text)", 1),
        ("model.eval()", 0), ("torch.load(path)", 1), ("torch.load(path, weights_only=True)", 0),
    ],
)  # fmt: skip
def test_what_can_run_code_is_seen(source, count):
    assert len([*code_that_a_file_could_run(ast.parse(source))]) == count
