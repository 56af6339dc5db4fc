"""The har2locust plugin: `har2locust --plugins loadgen.recordings.plugin` loads it by this name.

har2locust reads the entries, filters them by its own plugins (.urlignore works), renders our
template with what `pages_of` returns, and hands the source to `format_source`.
"""

import subprocess
import sys
from typing import Any

from har2locust.plugin import entriesprocessor, outputstringprocessor

from loadgen.recordings.har import Entry, is_load
from loadgen.recordings.session import Writer

RUFF = [sys.executable, "-m", "ruff"]


@entriesprocessor
def static_files_left_out(entries: list[Entry]) -> None:
    """Leave static files out, whatever browser recorded them."""
    entries[:] = [entry for entry in entries if is_load(entry)]


@entriesprocessor
def pages_of(entries: list[Entry]) -> dict[str, Any]:
    """Return the session, correlated and without secrets, for the template."""
    return {"session": Writer(entries).session() if entries else None}


@outputstringprocessor
def format_source(text: str) -> str:
    """Sort the imports, drop those that are not used, and format."""
    options = ["--isolated", "--quiet", "--line-length", "100"]
    for command in (["check", "--fix", "--select", "F401,I"], ["format"]):
        text = subprocess.run(
            [*RUFF, *command, *options, "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text
