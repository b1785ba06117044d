"""The page that explains a run: groups, surest mistakes, disagreements, each with its sound and its attention."""

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emoset_cli import __version__, files
from emoset_cli.report.explain import explain_tables, sentences
from emoset_cli.report.page import render, write_beside
from emoset_cli.report.tables import slug


def write_explain_page(
    folder: Path, found: dict[str, Any], sounds: Mapping[str, bytes], maps: Mapping[str, str], command: str
) -> Path:
    """Write ``report.html`` and, beside it, tables, ``explain.json`` and the maps (SVG).

    Args:
        folder: made if missing; files of ours in it are replaced one by one, each whole
        found: of `explain.explain`
        sounds: WAV files by utterance, heard in the page; none without them
        maps: pictures of attention by utterance
        command: that makes this page

    Returns:
        path of the page
    """
    from markupsafe import Markup

    tables = explain_tables(found)
    write_beside(folder, tables, {f"attention_{slug(name)}": drawn for name, drawn in maps.items()})
    files.write_json(folder / "explain.json", found)
    kinds = {
        "mistakes": f"Surest mistakes: {len(found['mistakes'])} of {found['n_mistakes']}",
        "disagreements": f"Where {found['other']} says something else: {len(found['disagreements'])} of "
        f"{found['n_disagreements']}",
        "right": "Surest right predictions, of each label in turn",
    }
    page = render(
        "explain.html.j2",
        title=f"Explained: {found['run']}",
        version=__version__,
        groups=tables[0],
        sentences=sentences(found),
        found=found,
        kinds={kind: title for kind, title in kinds.items() if found[kind]},
        sounds={name: f"data:audio/wav;base64,{b64encode(wav).decode()}" for name, wav in sounds.items()},
        maps={name: Markup(drawn) for name, drawn in maps.items()},
        corpora=sorted({row["corpus"] for kind in kinds for row in found[kind]}),
        command=command,
        ids={},
    )
    files.write_text(folder / "report.html", page)
    return folder / "report.html"
