"""What the shell sees: completion by Tab, one line instead of a traceback, no colours where they are not wanted."""

import os
import re
import subprocess
import sys

import pytest
import typer

from emoset_cli.cli import complete
from emoset_cli.cli.main import app, main

RUN = [sys.executable, "-c", "from emoset_cli.cli.main import main; main()"]
CLEAN = {name: value for name, value in os.environ.items() if name != "NO_COLOR" and not name.startswith("EMOSET")}
# After what words, the Tab key offers what and what not. {w} is a workspace.
OFFERS = {
    "cor": ({"corpora"}, {"prepare"}),
    "train cnn --la": ({"--labels"}, {"--layers", "--task"}),
    "train svm -d {w} -t ": ({"demo-aria", "demo-brio", "demo-cora"}, {"emodb"}),
    "train svm -d {w} -t demo-aria,": ({"demo-aria,demo-brio", "demo-aria,demo-cora"}, {"demo-aria,demo-aria"}),
    "train cnn -d {w} --unseen demo-c": ({"demo-cora"}, {"demo-aria"}),
    "extract egemaps -d {w} demo-b": ({"demo-brio"}, {"demo-aria"}),
    "extract eg": ({"egemaps", "egemaps-v02"}, {"compare"}),
    "prepare emod": ({"emodb="}, {"emodb"}),
    "corpora show em": ({"emodb", "emovo"}, {"iemocap"}),
    "corpora cite emodb rav": ({"ravdess"}, {"emodb"}),
    "train svm --labels th": ({"three-class", "three-class-parry"}, {"arousal"}),
    "train svm --labels arousal,v": ({"arousal,valence"}, {"valence"}),
    "train svm --partition l": ({"loso", "losgo", "loco", "lolo"}, {"speakers"}),
    "prepare --partition ali": ({"alisamir2022"}, set()),
    "run z": ({"zhu2020"}, {"svm-features"}),
    "search s": ({"svm-features"}, {"zhu2020"}),
    "table zhu": ({"zhu2020"}, {"parry2022"}),
    "plot embedding --on t": (set(), {"test"}),  # told by no table of words: the shell offers files
}


def tab(*words, shell="bash", **more):
    """What one press of Tab prints, in this shell's way of asking."""
    asked = {
        "bash": {"COMP_WORDS": " ".join(["emoset", *words]), "COMP_CWORD": str(len(words))},
        "zsh": {"_TYPER_COMPLETE_ARGS": " ".join(["emoset", *words])},
        "fish": {"_TYPER_COMPLETE_ARGS": " ".join(["emoset", *words]), "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    return CLEAN | asked | {"_EMOSET_COMPLETE": f"complete_{shell}"} | more


def offered(capfd, monkeypatch, line, **more):
    words = line.split(" ")
    for name, value in tab(*words, **more).items():
        monkeypatch.setenv(name, value)
    capfd.readouterr()
    assert main([]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    return set(out.split())


@pytest.mark.parametrize("line", OFFERS)
def test_tab_offers_what_fits(capfd, monkeypatch, trained, line):
    wanted, others = OFFERS[line]
    found = offered(capfd, monkeypatch, line.format(w=trained))
    assert wanted <= found
    assert not others & found
    assert all(word.startswith(line.rpartition(" ")[2]) for word in found)


def test_tab_offers_runs_those_unfinished_only_where_they_can_be_meant(capfd, monkeypatch, results):
    half = results / "runs" / "demo-cora_half"
    half.mkdir()
    finished = {path.name for path in (results / "runs").iterdir()} - {half.name}
    for line in ("evaluate -d {w} ", "compare -d {w} demo-cora_svm ", "train cnn -d {w} -im ", "runs diff -d {w} "):
        assert offered(capfd, monkeypatch, line.format(w=results)) == finished
    assert offered(capfd, monkeypatch, f"runs rm -d {results} demo-cora_h") == {half.name}


def test_tab_heeds_the_workspace_of_the_environment_and_the_users_registry(capfd, monkeypatch, trained, tmp_path):
    assert offered(capfd, monkeypatch, "extract egemaps demo-a", EMOSET_WORKSPACE=str(trained)) == {"demo-aria"}
    own = tmp_path / "own.yaml"
    own.write_text("mine: {language: deu, path: '(?P<label>a)(?P<speaker>b)', labels: {a: anger}}\n", "utf-8")
    assert offered(capfd, monkeypatch, f"corpora show --registry {own} mi") == {"mine"}
    own.write_text("mine: {langwidge: deu}\n", "utf-8")
    assert offered(capfd, monkeypatch, f"corpora show --registry {own} mi") == set()


def test_tab_loads_nothing_heavy_and_serves_each_shell(trained):
    code = (
        "import sys\nfrom emoset_cli.cli.main import main\nmain([])\n"
        "print('@', *{'pandas', 'torch', 'sklearn', 'scipy', 'matplotlib', 'rich'} & set(sys.modules))"
    )
    for shell in ("bash", "zsh", "fish"):
        asked = tab("runs", "show", "-d", str(trained), "demo-cora_s", shell=shell)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=asked)
        out, _, loaded = done.stdout.rpartition("@")
        assert "demo-cora_svm-egemaps-v02_standard_" in out, (shell, done.stderr)
        assert loaded.split() == [], shell


@pytest.mark.parametrize(
    ("shell", "told"), [("bash", "COMP_WORDS"), ("zsh", "compdef"), ("fish", "complete --command")]
)
def test_the_shell_is_told_how_to_ask(shell, told):
    done = subprocess.run(RUN, capture_output=True, text=True, env=CLEAN | {"_EMOSET_COMPLETE": f"source_{shell}"})
    assert told in done.stdout
    assert "emoset" in done.stdout


def test_every_line_of_the_words_serves_some_command():
    def named(group, path=""):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from named(command, f"{path}{name} ")
                continue
            for parameter in command.params:
                for word in [*parameter.opts, parameter.metavar, parameter.name]:
                    yield word
                    yield f"{path}{name} {word}"

    there = set(named(typer.main.get_command(app)))
    assert set(complete.WORDS) <= there, set(complete.WORDS) - there


# ---------------- tracebacks


@pytest.fixture
def broken(monkeypatch):
    """Let `emoset runs list` fail as only a mistake of ours can."""

    def fail(error):
        monkeypatch.setattr("emoset_cli.runs.list_folders", lambda workspace: (_ for _ in ()).throw(error))

    return fail


def test_a_fault_of_ours_is_two_lines(emoset, broken):
    broken(KeyError("no\nsuch thing"))
    answer = emoset("runs", "list", "--json")
    assert (answer.code, answer.out) == (1, "")
    first, second = answer.err.splitlines()
    assert first == "error: KeyError: 'no\\nsuch thing'"
    assert second.startswith("  mend: this is a fault of emoset: EMOSET_DEBUG=1 before the same command")


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_with_debug_a_fault_shows_where(emoset, broken, monkeypatch, value):
    broken(ZeroDivisionError("in our code"))
    monkeypatch.setenv("EMOSET_DEBUG", value)
    with pytest.raises(ZeroDivisionError):  # Python prints the traceback of what leaves the program
        emoset("runs", "list")


@pytest.mark.parametrize("value", ["0", "false", ""])
def test_debug_may_be_switched_off_by_the_environment(emoset, broken, monkeypatch, value):
    broken(ZeroDivisionError("in our code"))
    monkeypatch.setenv("EMOSET_DEBUG", value)
    assert emoset("runs", "list").code == 1


def test_want_of_memory_is_no_fault(emoset, broken):
    broken(MemoryError())
    assert emoset("runs", "list").err.splitlines()[0] == "error: the memory does not suffice"


# ---------------- colours


def on_terminal(*words, **more):
    """What a command writes to a terminal."""
    import pty

    ours, theirs = pty.openpty()
    environment = CLEAN | {"TERM": "xterm-256color", "COLUMNS": "100"} | more
    process = subprocess.Popen([*RUN, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    said = b""
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not block:
            break
        said += block
    os.close(ours)
    process.wait()
    return said.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo terminals")
@pytest.mark.parametrize(
    "words", [["corpora", "list"], ["corpora", "list", "--help"], ["corpora", "lst"]], ids=" ".join
)
def test_colours_are_for_terminals_that_want_them(words):
    colour = r"\x1b\[[0-9;]*3[0-9]"
    plain = on_terminal(*words, NO_COLOR="1")
    assert not re.search(colour, plain)
    if "--help" in words:
        assert re.search(colour, on_terminal(*words))
    piped = subprocess.run([*RUN, *words], capture_output=True, text=True, env=CLEAN | {"TERM": "xterm-256color"})
    assert "\x1b" not in piped.stdout + piped.stderr
