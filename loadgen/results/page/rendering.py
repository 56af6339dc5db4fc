"""Renders the pages of `templates/` with jinja2: whatever comes from outside is escaped.

A page is one file that opens offline. Its content security policy lets the browser load nothing,
and run and apply only the scripts and styles whose hashes it names: those of `templates/`. Data
reaches a script as a JSON block, which is never run.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from loadgen.shared.text import format_ms, format_seconds

STYLES = ("vendor/uPlot.min.css", "page.css")
SCRIPTS = ("vendor/uPlot.iife.min.js", "charts.js")


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


def render(template: str, script: str, values: Mapping[str, object]) -> str:
    """Render a page with its script. A name that the template uses and `values` lacks is an error.

    The template finds the policy, styles and scripts as `policy`, `styles` and `scripts`.
    """
    styles = [_asset(name) for name in STYLES]
    scripts = [_asset(name) for name in (*SCRIPTS, script)]
    policy = (
        f"default-src 'none'; style-src {_hashes(styles)}; script-src {_hashes(scripts)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    given = {"policy": policy, "styles": styles, "scripts": scripts, **values}
    return _environment().get_template(template).render(given) + "\n"


def _asset(name: str) -> Markup:
    text = files(__package__).joinpath("templates", *name.split("/")).read_text()
    return Markup(text)  # noqa: S704  a file of ours


def _hashes(texts: Sequence[str]) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
