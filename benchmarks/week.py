"""A week of use in some minutes: hundreds of commands on one workspace, killed, interrupted, two at a time.

Meanwhile recordings come, go and change, and files of the workspace are cut or deleted. Whatever happens, a command
answers as a user may expect; in the end the workspace is whole, and each run is what an undisturbed one would be.
"""

import argparse
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from common import PROJECT, claim, conclude
from week_life import FEW, STATES, Life, everything
from week_processes import Command, Ended, blow, linger, load, together

_OWN = {"all", "recordings", "aside", "w", "quiet", "out", "tmp", "home", "said", "plan.yaml", "search.yaml"}
_ALONE = ("--workers", "1", "-q")
_KILLED, _TWO, _DISTURBED, _NOTICED = 0.4, 0.25, 0.12, 0.7  # shares of the commands


class Week:
    """A week: its places, what was done, what was wrong."""

    def __init__(self, place: Path, seed: int) -> None:
        self.place, self.rng = place, random.Random(seed)
        self.life = Life(place, self.rng)
        self.ended: list[Ended] = []
        self.faults: list[str] = []
        self.disturbances: Counter[str] = Counter()
        self.checks: dict[str, int] = {}
        self._usual: dict[str, float] = {}  # seconds of a command of a kind
        self._pids: list[int] = []
        for name in ("tmp", "home", "said"):
            (place / name).mkdir(parents=True)

    # ---------------- commands

    def begin(self, kind: str, words: list[str], struck: bool = False) -> Command:
        """Start a command, with a blow at a random moment if it is ``struck``."""
        how = blow(self.rng, self._usual.get(kind, 1.0)) if struck else ("", 0.0)
        command = Command(words, kind, self.place / "said", *how)
        self._pids.append(command.pid)
        return command

    def note(self, found: list[Ended], counted: bool = True) -> None:
        """Keep how commands ended."""
        for one in found:
            if not one.blow and one.outcome == "exit 0":
                self._usual[one.kind] = 0.5 * (self._usual.get(one.kind, one.seconds) + one.seconds)
            if one.fault:
                self.faults.append(f"{one.fault}: {one.outcome}: {' '.join(one.words)}\n{one.err[-1500:]}")
            if counted:
                self.ended.append(one)

    def do(self, words: list[str], well: bool = True) -> Ended:
        """A command left alone, which must end well; not counted."""
        (one,) = together([self.begin("other", words)])
        self.note([one], counted=False)
        if well and one.outcome != "exit 0" and not one.fault:
            self.faults.append(f"it must end well: {one.outcome}: {' '.join(words)}\n{one.err[-1500:]}")
        return one

    def live(self, count: int) -> None:
        """So many commands, with all that goes wrong."""
        self.life.begin()
        self.note(together([self.begin("prepare", self._prepare(self.life.workspace))]))
        self.note(together([self.begin("extract", ["extract", "egemaps", "-q", "-d", str(self.life.workspace)])]))
        while len(self.ended) < count:
            if self.rng.random() < _DISTURBED:
                self.disturbances[re.sub("demo-....", "a corpus", self.life.disturb())] += 1
                if self.rng.random() < _NOTICED:
                    self._repair()
            two = self.rng.random() < _TWO
            chosen = [self.life.command() for _ in range(1 + two)]
            if two and self.rng.random() < 0.3:
                chosen[1] = chosen[0]
            commands = [self.begin(kind, words, self.rng.random() < _KILLED) for kind, words in chosen]
            found = together(commands)
            self.note(found)
            for one in found if not two else []:
                self._heed(one)

    def _repair(self) -> None:
        """What a user does who has noticed that recordings or features changed."""
        workspace = str(self.life.workspace)
        self.note(together([self.begin("prepare", self._prepare(self.life.workspace))]))
        for feature in ("egemaps", "gemaps"):
            words = ["extract", feature, *_ALONE, "-d", workspace]
            self.note(together([self.begin("extract", words, self.rng.random() < _KILLED)]))

    def _heed(self, one: Ended) -> None:
        """What a doctor says while nothing else is at work: damage only where it was done by hand."""
        if one.kind == "doctor" and not one.blow and one.outcome in {"exit 0", "exit 1"} and one.out:
            for part in _damaged(one.out):
                if part["part"] not in self.life.disturbed:
                    self.faults.append(f"damaged by no one: {part}")

    # ---------------- the end

    def end(self, brief: bool) -> None:
        """See that nobody works on, that the workspace is or can be made whole, and that its runs are right."""
        workspace = self.life.workspace
        self.faults += [f"lives on: {line}" for line in linger(self._pids, 90.0)]
        one = self.do(["doctor", "--json", "-d", str(workspace)], well=False)
        found = _damaged(one.out)
        self.checks["damaged parts that doctor named, all of them by hand"] = len(found)
        self.faults += [f"damaged by no one: {part}" for part in found if part["part"] not in self.life.disturbed]
        for part in found:
            self.do([*_mend(part["mend"]), "-q", "-d", str(workspace)])
        for key in FEW:
            self.life.change(key, STATES[0])
        self.do(self._prepare(workspace))
        for feature in ("egemaps", "gemaps"):
            self.do(["extract", feature, *_ALONE, "-d", str(workspace)])
        for words in everything(workspace, self.place, brief):
            self.do(words)
        one = self.do(["doctor", "--json", "-d", str(workspace)])
        states = (
            Counter(part["state"] for part in json.loads(one.out)["workspace"]["checked"]) if one.out else Counter()
        )
        self.checks |= {f"{state} in the end": count for state, count in states.items()}
        self._compare(workspace)
        self._astray()

    def _prepare(self, workspace: Path) -> list[str]:
        where = [f"{key}={folder}" for key, folder in self.life.recordings.items()]
        return ["prepare", *where, *_ALONE, "-d", str(workspace)]

    def _compare(self, workspace: Path) -> None:
        """Every finished run, and the features, against a workspace to which nothing happens."""
        quiet = self.place / "quiet"
        state_of = {}
        for state in reversed(STATES):
            for key in FEW:
                self.life.change(key, state)
            self.do(self._prepare(quiet))
            state_of |= {_json(quiet / "corpora" / key / "prepare.json")["data"]: (key, state) for key in FEW}
        from emoset_cli import runs

        left = {}
        for name in self.life.runs():
            folder = workspace / "runs" / name
            if (folder / "done.json").is_file():
                data = runs.find_run(workspace, name).config["data"]
                left[name] = dict(state_of.get(digest, ("?", "?")) for digest in data.values())
        self.checks["finished runs compared"] = len(left)
        self.checks["of them on changed recordings"] = sum(set(own.values()) != {STATES[0]} for own in left.values())
        while left:
            wanted = dict.fromkeys(FEW, STATES[0]) | max(left.values(), key=len)
            for key, state in wanted.items():
                self.life.change(key, state)
            self.do(self._prepare(quiet))
            for feature in ("egemaps", "gemaps"):
                self.do(["extract", feature, *_ALONE, "-d", str(quiet)])
            if set(wanted.values()) == {STATES[0]}:
                self._same(workspace, quiet, [path.relative_to(quiet) for path in quiet.glob("features/*/*.npy")])
            for words in everything(quiet, self.place):
                if any(own.items() <= wanted.items() and not (quiet / "runs" / name / "done.json").is_file()
                       for name, own in left.items()):  # fmt: skip
                    self.do(words)
            for name, own in list(left.items()):
                if (quiet / "runs" / name / "done.json").is_file():
                    made = sorted(path.relative_to(quiet) for path in (quiet / "runs" / name).rglob("*"))
                    self._same(workspace, quiet, [path for path in made if (quiet / path).is_file()])
                elif own.items() <= wanted.items():
                    self.faults.append(f"no undisturbed command makes {name} {own}")
                else:
                    continue
                del left[name]
            if not set(map(str, left)) or any(state == "?" for own in left.values() for state in own.values()):
                self.faults += [f"run on data that never were: {name} {own}" for name, own in left.items()]
                break

    def _same(self, workspace: Path, quiet: Path, paths: list[Path]) -> None:
        for path in paths:
            if not (workspace / path).is_file() or (workspace / path).read_bytes() != (quiet / path).read_bytes():
                self.faults.append(f"not as undisturbed: {path}")
        self.checks["files compared"] = self.checks.get("files compared", 0) + len(paths)

    def _astray(self) -> None:
        """Files where none belong."""
        self.faults += [f"astray: {path.name}" for path in self.place.iterdir() if path.name not in _OWN]
        for name in ("tmp", "home", "aside", "said"):
            self.faults += [f"left in {name}: {path.name}" for path in (self.place / name).iterdir()
                            if not path.name.startswith("torchinductor")]  # fmt: skip
        for key, folder in self.life.recordings.items():
            own = {path.relative_to(self.place / "all" / key) for path in (self.place / "all" / key).rglob("*")}
            found = {path.relative_to(folder) for path in folder.rglob("*")}
            self.faults += [f"astray among the recordings: {path}" for path in sorted(found - own)]


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _damaged(out: str) -> list[dict[str, str]]:
    return [part for part in json.loads(out)["workspace"]["checked"] if part["state"] == "damaged"] if out else []


def _mend(told: str) -> list[str]:
    """The command of a mend."""
    words = told.partition("emoset ")[2].partition(", ")[0].split()
    return [*words, *(["--force"] if "--force" in told and "--force" not in words else [])]


def week(place: Path, count: int, seed: int, brief: bool = False) -> Week:
    """Live a week in a folder of its own: environment and working folder of this process are changed for good.

    Args:
        place: does not exist yet
        count: commands
        seed: of every choice
        brief: train less in the end
    """
    found = Week(place, seed)
    for name in [name for name in os.environ if name.startswith("EMOSET_")]:
        del os.environ[name]
    os.environ |= {"HOME": str(place / "home"), "TMPDIR": str(place / "tmp"), "OMP_NUM_THREADS": "1"}
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    tempfile.tempdir = None
    os.chdir(place / "home")
    load()
    found.live(count)
    found.end(brief)
    return found


def counts(ended: list[Ended]) -> dict[str, Counter[str]]:
    """How often commands of each kind ended in which way."""
    found: dict[str, Counter[str]] = {}
    for one in ended:
        how = "FAULT" if one.fault else one.outcome
        found.setdefault(one.kind, Counter())[how] += 1
    return dict(sorted(found.items()))


def main() -> None:
    """Live a week; print what was done and how it ended, and every fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=300, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of every choice")
    parser.add_argument("--place", type=Path, help="a folder that is not there yet; it is then kept")
    options = parser.parse_args()
    place = options.place or Path(tempfile.mkdtemp(prefix="week-")) / "week"
    place = place.resolve()
    start = time.monotonic()
    found = week(place, options.commands, options.seed)
    seconds = time.monotonic() - start
    if not options.place:
        os.chdir(PROJECT)
        shutil.rmtree(place.parent, ignore_errors=True)
    ways = ["exit 0", "exit 1", "exit 130", "killed"]
    rows: list[list[object]] = [
        [kind, ends.total(), *(ends[way] for way in ways), ends.total() - sum(ends[way] for way in ways)]
        for kind, ends in counts(found.ended).items()
    ]
    rows.append(["all", *(sum(int(str(row[column])) for row in rows) for column in range(1, 7))])
    blows = Counter(one.blow for one in found.ended if one.blow)
    said = Counter(re.sub(r"'[^']*'|\S*[/_]\S*|\d+", "…", line) for one in found.ended if one.outcome == "exit 1"
                   for line in one.err.splitlines() if line.startswith("error: "))  # fmt: skip
    for fault in found.faults:
        print(f"\nFAULT {fault}")
    print(f"\nblows: {dict(blows)}; disturbances: {dict(found.disturbances)}; checks: {found.checks}")
    heads = ["command", "times", "done", "told what is wrong", "interrupted", "killed", "faults"]
    claims = [claim("faults", len(found.faults), "", "0", 0)]
    title = f"A week of {len(found.ended)} commands in {seconds:.0f} s"
    raw = {"seed": options.seed, "blows": dict(blows), "disturbances": dict(found.disturbances)}
    raw |= {"checks": found.checks, "faults": found.faults, "errors": dict(said.most_common())}
    conclude("week", title, heads, rows, claims, **raw)
    sys.exit(bool(found.faults))


if __name__ == "__main__":
    main()
