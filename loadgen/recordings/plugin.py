"""The har2locust plugin: `har2locust --plugins loadgen.recordings.plugin` loads it by this name.

har2locust reads the entries, filters them by its own plugins (.urlignore works), renders our
template with what `pages_of` returns, and hands the source to `format_source`.
"""

from typing import Any

from har2locust.plugin import entriesprocessor, outputstringprocessor

from loadgen.recordings.exchange import is_load
from loadgen.recordings.har import Entry
from loadgen.recordings.session import Writer
from loadgen.shared.made_source import format_source


@entriesprocessor
def static_files_left_out(entries: list[Entry]) -> None:
    """Leave static files out, whatever browser recorded them."""
    entries[:] = [entry for entry in entries if is_load(entry)]


@entriesprocessor
def pages_of(entries: list[Entry]) -> dict[str, Any]:
    """Return the session, correlated and without secrets, for the template."""
    return {"session": Writer(entries).session() if entries else None}


outputstringprocessor(format_source)
