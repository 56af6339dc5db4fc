"""Renders the pages of `templates/` with jinja2: whatever comes from outside is escaped.

A value that is markup of our own making comes as `Markup`; everything else is text.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from loadgen.shared.text import format_ms, format_seconds


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "seconds": format_seconds,
        "ms": format_ms,
        "number": lambda value: f"{value:,}",
    }
    return environment


def render(template: str, values: Mapping[str, object]) -> str:
    """Render a page. A name that the template uses and `values` lacks is an error."""
    return _environment().get_template(template).render(values) + "\n"


def asset(name: str) -> Markup:
    """Return a style sheet or script of `templates/` to stand in a page as it is."""
    return Markup(files(__package__).joinpath("templates", name).read_text())  # noqa: S704  our own file
