"""``emoset evaluate --cross``: corpora through each other's heads, predicted where they are not yet, then scored."""

import shlex
from pathlib import Path
from typing import Any

from emoset_cli.cli.common import answer, chosen_corpora, each, finish, say
from emoset_cli.errors import EmosetError, unknown


def cross_evaluate(
    workspace: Path, names: list[str] | None, on: list[str], space: str, published: str, device: str, out: Path | None,
    as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """What `emoset_cli.cli.results.evaluate` does with ``--cross``."""
    from emoset_cli import labels as label_spaces
    from emoset_cli import runs
    from emoset_cli.report.settings import is_network
    from emoset_cli.train.deep.members import taught_heads

    known = label_spaces.spaces(label_spaces.own_file(workspace))
    if space not in known:
        raise unknown("label space", space, known)
    if published:
        check_published(published)
    further = chosen_corpora(on, workspace) if on else []
    found, well = each(names or runs.list_runs(workspace), lambda name: runs.find_run(workspace, name))
    found = [run for run in {run.name: run for run in found}.values() if names or is_network(run)]
    able, all_able = each(found, lambda run: (run, taught_heads(run)))
    if not able and (found or not well):
        finish(False)
    options = [*(names or []), "--cross", *(["--on", ",".join(on)] if on else []), "--space", space]
    options += ["--published", published] if published else []
    command = f"emoset evaluate {shlex.join(options)}"
    section = crossed(able, further, workspace, known[space], device, out, command, quiet, published)
    say(f"report: {section.page}", quiet)
    answer({"report": str(section.page), **section.value}, section.tables, as_json)
    finish(well and all_able)


def crossed(
    able: list[Any], further: list[str], workspace: Path, space: Any, device: str, out: Path | None, command: str,
    quiet: bool, published: str = "",
) -> Any:  # fmt: skip
    """Corpora through each other's heads, as a `Section` with its page.

    Args:
        able: runs with what heads they have
        further: corpora that no run was trained on
        workspace: where the corpora lie
        space: a label space
        device: to predict on
        out: folder of the page; None for one of its own
        command: that makes the page
        quiet: say nothing
        published: name of a paper whose figures shall stand beside; "" for none
    """
    from emoset_cli.files import digest
    from emoset_cli.report import cross_pairs
    from emoset_cli.report.cross import cross
    from emoset_cli.report.cross_page import confusions, write_cross_page
    from emoset_cli.report.cross_published import with_published
    from emoset_cli.report.cross_tables import ambiguity_tables, cross_tables, tested
    from emoset_cli.report.section import Section

    methods, lonely = cross_pairs.without_pairs(cross_pairs.methods(able), further)
    for method in lonely:
        say(f"note: {method.name}: {', '.join(method.corpora)} alone makes no pair of corpora", quiet)
    if not methods:
        raise EmosetError(
            "these runs make no pair of corpora" if able else f"{workspace} holds no finished run of a network",
            "name a run of emoset train --multi-task, runs on several corpora, or other corpora with --on",
        )
    files = _predict(methods, further, workspace, device, quiet)
    result = cross(methods, files, space, further)
    result = with_published(result, published) if published else result
    used = [run.name for method in methods for run in method.runs]
    folder = out or workspace / "reports" / f"cross_{digest(used, further, space.name, published, length=8)}"
    page = write_cross_page(folder, result, command)
    return Section("Across corpora", [*cross_tables(result), *ambiguity_tables(result)], result, confusions(result),
                   tested(result), pages={"across corpora": page})  # fmt: skip


def check_published(name: str) -> None:
    """Refuse a paper of which no figures of pairs of corpora are known."""
    from emoset_cli.report.paper_names import CROSS

    if name not in CROSS:
        raise unknown("paper with figures across corpora", name, CROSS)


def _predict(methods: list[Any], further: list[str], workspace: Path, device: str, quiet: bool) -> dict[Any, Path]:
    """The file of each pair that is not within a corpus."""
    from emoset_cli.report.cross_pairs import WITHIN, pairs
    from emoset_cli.train.deep.cross import crossing, predict_crossing

    files = {}
    for pair in (pair for method in methods for pair in pairs(method, further)):
        if pair.kind != WITHIN:
            say(f"{pair.corpus} through the head {pair.member.head} of {pair.member.run.name}", quiet)
            one = crossing(pair.member.run, pair.member.head, pair.corpus, workspace, pair.other)
            files[pair.key] = predict_crossing(one, workspace, device)
    return files
