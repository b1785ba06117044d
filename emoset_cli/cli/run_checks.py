"""What is wrong with a plan is told before anything starts: all of it at once, each with its mend."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from emoset_cli.cli import deep, learn, search_options
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.models import MODELS

_SHOWN = 20  # mistakes in one message
# Options that decide on which utterances a run learns what, beside its corpora.
_DATA = ("partition", "labels", "subset", "aggregate", "pool", "unseen", "multi_task", "normalise", "repeat")


def refuse(plan: Any, mistakes: list[tuple[str, EmosetError]]) -> None:
    """Raise one error for all mistakes, each with where it is; do nothing if there are none.

    Raises:
        EmosetError: with the mend of the mistake where there is one only, else with a mend on each line
    """
    if not mistakes:
        return
    if len(mistakes) == 1:
        ((where, error),) = mistakes
        raise EmosetError(f"plan {plan.name}, {where}: {error.problem}", error.mend)
    lines = [f"  {where}: {error.problem} ({error.mend})" for where, error in mistakes[:_SHOWN]]
    lines += [f"  ... and {len(mistakes) - _SHOWN} more"] if len(mistakes) > _SHOWN else []
    problem = "\n".join([f"plan {plan.name} cannot be run so, for {len(mistakes)} reasons", *lines])
    raise EmosetError(problem, "mend these, or leave sets of runs out by --only, corpora by --corpora")


def of_corpora(keys: Iterable[str], unseen: Iterable[str], there: Iterable[str], known: Any, workspace: Path) -> list:
    """Mistakes in the corpora that a plan is run over: unknown, not prepared, both trained on and unseen."""
    keys, unseen, there = [*keys], [*unseen], [*there]
    needed = list(dict.fromkeys([*keys, *unseen]))
    mistakes = [("corpora", unknown("corpus", key, known)) for key in needed if key not in known]
    missing = [key for key in needed if key in known and key not in there]
    if missing:
        mend = f"emoset prepare {' '.join(f'{key}=FOLDER' for key in missing)}"
        owned = _owned(keys, unseen, there)
        mend += f"; or run it on those you own: {owned}" if owned else ""
        count = f"{len(missing)} of its {len(needed)} corpora {'is' if len(missing) == 1 else 'are'}"
        mistakes.append(("corpora", EmosetError(f"{count} not prepared in {workspace}: {', '.join(missing)}", mend)))
    for key in [key for key in keys if key in unseen]:
        mistakes.append(("corpora", EmosetError(f"{key} cannot be both trained on and unseen", "leave one out")))
    return mistakes


def of_jobs(jobs: list[Any], machine: dict[str, Any]) -> list[tuple[str, EmosetError]]:
    """Mistakes that jobs would end with, so far as options, corpora, partitions and label spaces tell.

    Args:
        jobs: those to be done
        machine: workspace, registry, device and tensorboard
    """
    found: dict[tuple[str, str], list[str]] = {}
    asked: dict[str, EmosetError | None] = {}

    def ask(job: Any, what: str, question: Callable[[], Any]) -> None:
        if what not in asked:
            asked[what] = _answer(question)
        if error := asked[what]:
            found.setdefault((error.problem, error.mend), []).append(f"{job.set} ({'+'.join(job.corpora)})")

    for job in jobs:
        for word in [word for word in job.words if word.startswith("@")]:
            ask(job, word, partial(_made, word))
        if job.words[0] != "train":
            continue
        train = job.words[1]
        given = search_options.given(train, list(job.words[2:])) | machine
        begun, network = given.get("initial_model") is not None, train in MODELS
        if network:
            fixed = {name: value for name, value in given.items() if name not in {"task", "seed", "initial_model"}}
            ask(job, "device", partial(_machine, given))
            ask(job, f"options {train} {begun} {fixed}", partial(deep.check_options, train, given, begun))
        data = {name: given.get(name) for name in _DATA}
        question = partial(deep.check, given) if network else partial(learn.check, train, given)
        ask(job, f"data {network} {job.corpora} {data}", question)
    return [(_places(places), EmosetError(*told)) for told, places in found.items()]


def _answer(question: Callable[[], Any]) -> EmosetError | None:
    try:
        question()
    except EmosetError as error:
        return error
    return None


def _made(word: str) -> None:
    """Refuse a thing that nobody can make on the spot."""
    from emoset_cli.synth.models import MADE

    if word[1:] not in MADE:
        raise unknown("thing that is made on the spot", word, [f"@{name}" for name in MADE])


def _machine(given: dict[str, Any]) -> None:
    """Refuse a device that is not there, and TensorBoard where it is not installed."""
    from emoset_cli.models.hardware import choose_precision
    from emoset_cli.train.deep.board import require

    choose_precision("auto", given["device"])
    if given["tensorboard"]:
        require()


def _places(places: list[str]) -> str:
    several = list(dict.fromkeys(places))
    return ", ".join(several[:3]) + (f" and {len(several) - 3} more" if len(several) > 3 else "")


def _owned(keys: list[str], unseen: list[str], there: list[str]) -> str:
    """Options that run a plan over prepared corpora alone; "" if there are none for it."""
    have = [key for key in keys if key in there] or [key for key in there if key not in unseen]
    left = [key for key in unseen if key in there] or [key for key in there if key not in have]
    if not unseen:
        left = []
    elif not left:
        have, left = have[:-1], have[-1:]
    words = [f"--corpora {','.join(have)}"] if have != keys else []
    words += [f"--unseen {','.join(left)}"] if left != unseen else []
    return " ".join(words) if have else ""
