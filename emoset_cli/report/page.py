"""One HTML page that needs no other file: templates that share their look (``base.html.j2``) are filled in here."""

import re
from importlib.resources import files as resources
from typing import Any


def render(template: str, **values: Any) -> str:
    """Fill in a template of this folder; a name it uses and nobody gives is our mistake and raises."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    from emoset_cli.report.tables import percent

    folder = resources("emoset_cli.report")
    environment = Environment(
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "breaks": breaks}
    return environment.get_template(template).render(**values)


def breaks(name: str) -> Any:
    """The name, escaped, with places where a line may break: the names of runs are long."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([_+])", r"\1<wbr>", str(escape(name))))
