"""How to cite a corpus: its citation as a BibTeX entry, and as one line for people."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from emoset_cli.errors import EmosetError

if TYPE_CHECKING:
    from emoset_cli.corpora import Corpus

_ESCAPED = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}  # fmt: skip
_VERBATIM = {"doi", "url"}  # packages read these as they are


def bibtex(corpus: "Corpus") -> str:
    r"""The BibTeX entry of a corpus, with the key ``emodb2005``: the corpus and the year of the paper, where known.

    What LaTeX would take for a command is escaped; braces that a citation holds in pairs stay, for they keep a name
    together. The title is in double braces: BibTeX styles would make EMO-DB a small emo-db.

    Raises:
        EmosetError: if the registry has no citation of it

    Example:
        >>> from emoset_cli.corpora import load_corpora
        >>> print(bibtex(load_corpora()["nemo"]))
        @inproceedings{nemo2024,
          author = {I. Christop},
          title = {{nEMO: Dataset of Emotional Speech in Polish}},
          booktitle = {LREC-COLING},
          year = {2024},
        }
    """
    fields = dict(corpus.citation)
    if not fields:
        known = f" ({corpus.reference})" if corpus.reference else ""
        where = f"see {corpus.obtain}, or add" if corpus.obtain else "add"
        raise EmosetError(
            f"the registry has no citation of {corpus.key}{known}",
            f"{where} 'citation: {{...}}' to it in your corpora.yaml",
        )
    kind = fields.pop("type")
    lines = [f"  {name} = {_value(name, text)}," for name, text in fields.items()]
    return "\n".join([f"@{kind}{{{corpus.key}{fields.get('year', '')},", *lines, "}"])


def told(citation: Mapping[str, str]) -> str:
    """A citation in one line.

    Example:
        >>> told({"author": "B. Roe and others", "title": "Mood", "journal": "Moods", "year": "2001"})
        'B. Roe et al., "Mood", Moods, 2001'
    """
    names = [name.strip() for name in citation.get("author", "").split(" and ") if name.strip()]
    authors = ", ".join(name for name in names if name != "others") + (" et al." if "others" in names else "")
    volume, number = citation.get("volume", ""), citation.get("number", "")
    parts = [
        authors,
        f'"{citation["title"]}"' if "title" in citation else "",
        " ".join(part for part in (citation.get("journal", ""), volume + (f"({number})" if number else "")) if part),
        *(citation.get(name, "") for name in ("booktitle", "howpublished")),
        f"PhD thesis, {citation['school']}" if "school" in citation else "",
        *(citation.get(name, "") for name in ("publisher", "pages", "year")),
        f"doi {citation['doi']}" if "doi" in citation else "",
    ]
    return re.sub(r"(?<!\\)[{}]", "", ", ".join(part for part in parts if part)).replace("--", "-")


def _value(name: str, text: str) -> str:
    if not _balanced(text):
        text = text.replace("{", "").replace("}", "")
    if name not in _VERBATIM:
        text = "".join(_ESCAPED.get(letter, letter) for letter in text)
    return f"{{{{{text}}}}}" if name == "title" else f"{{{text}}}"


def _balanced(text: str) -> bool:
    depth = 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            return False
    return depth == 0
