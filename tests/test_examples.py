"""The worked examples of the docs, done as the pages say: in a copy of the package, by the commands of the pages."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REAL = {"emodb,ravdess": "demo-cora,demo-aria", "emodb": "demo-cora"}  # the page's corpora -> those that are here
NAMED = {"new-feature.md": "feature: level", "new-model.md": "model: tdnn"}
SMALL = {"tdnn": ["-e", "1", "-spe", "1", "-bs", "4", "--precision", "fp32"]}


def follow(page: str, copy: Path) -> list[list[str]]:
    """Do in a copy of the package what a page says, and answer its commands, on corpora that are here."""
    text = (PROJECT / "docs" / page).read_text("utf-8")
    shutil.copytree(PROJECT / "emoset_cli", copy / "emoset_cli", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(PROJECT / "corpora.yaml", copy / "emoset_cli" / "corpora.yaml")
    code = [block for kind, block in FENCE.findall(text) if kind == "python"]
    files = re.findall(r"`(emoset_cli/\S+\.py)`[^`]*(?=```python)", text)
    assert len(files) == len(code) == 2  # a new module, and the line or entry of its registry
    assert not (copy / files[0]).exists()
    (copy / files[0]).write_text(code[0], "utf-8")
    with (copy / files[1]).open("a", encoding="utf-8") as registry:
        registry.write("\n" + code[1])
    lines = [line.split()[1:] for kind, block in FENCE.findall(text) if kind == "shell" for line in block.splitlines()]
    return [[REAL.get(word, word) for word in line] for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["new-feature.md", "new-model.md"])
def test_the_worked_example_of_a_page_works(page, tmp_path, prepared):
    commands = follow(page, tmp_path / "copy")
    assert len(commands) >= 2
    workspace = shutil.copytree(prepared, tmp_path / "workspace")
    words = [
        [*line, *SMALL.get(line[1] if len(line) > 1 else "", []), "--workers", "1", "-d", str(workspace), "--json"]
        if line[0] != "evaluate"
        else [*line, "-d", str(workspace), "--json"]
        for line in commands
    ]
    code = f"from emoset_cli.cli.main import main\nprint([main(words) for words in {words!r}])"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "copy"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path / "copy",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str([0] * len(words)), done.stderr
    configs = [path.read_text("utf-8") for path in workspace.glob("runs/*/config.yaml")]
    assert configs
    assert all(NAMED[page] in config for config in configs)
