"""Text from elsewhere, as it may be shown in a terminal.

A name, an error or a log line can hold escape sequences that repaint the screen, a line break that
forges the next line, or marks that turn the direction of writing.
"""

import unicodedata
from datetime import UTC, datetime
from typing import TypeVar


def clock(time: float) -> str:
    """Return Unix seconds as 08:01:10 UTC."""
    return f"{datetime.fromtimestamp(time, UTC):%H:%M:%S} UTC"


def format_ms(milliseconds: float | None) -> str:
    """Return milliseconds to three digits, "n/a" for None."""
    if milliseconds is None:
        return "n/a"
    return f"{milliseconds:,.0f}" if milliseconds >= 100 else f"{milliseconds:.3g}"


def format_seconds(seconds: float | None) -> str:
    """Return a duration in the unit that reads best: 0.42 ms, 17 ms, 2.01 s."""
    if seconds is None:
        return "n/a"
    return f"{seconds:,.3g} s" if seconds >= 1 else f"{format_ms(seconds * 1000)} ms"


def in_url(address: str) -> str:
    """Return a host's address as a URL has it: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


def encodable(text: str) -> str:
    """Return the same text; half a surrogate pair, which UTF-8 lacks, is shown as its code."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text


HARMLESS = "\n\t"
_SHOWN_AS_CODES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def plain(text: str) -> str:
    """Return text with whatever is no visible character shown as its code; lines stay lines."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if one in HARMLESS else _shown(one) for one in text)


def indented(text: str, by: str = "    ") -> str:
    """Return text as `plain` does, its later lines set in: none passes for a line of ours."""
    return plain(text).replace("\n", f"\n{by}")


def plain_line(text: str) -> str:
    """Return text on one line, as `plain` does."""
    return plain(text).replace("\n", "\\n").replace("\t", " ")


def _shown(one: str) -> str:
    if unicodedata.category(one) not in _SHOWN_AS_CODES:
        return one
    return one.encode("unicode_escape", "surrogatepass").decode("ascii")


SETTINGS_VALUES_MAX = 50_000
"""Of one run's settings or specification."""
DOCUMENT_VALUES_MAX = 200_000
"""Of a run's summary and the like: 1,024 machines take a fifth of it."""
BODY_VALUES_MAX = 10_000_000
"""Of one recorded body. Beyond it, a body is text and not JSON."""
LIST_VALUES = 20
Document = TypeVar("Document", str, bytes)


def require_few_values(document: Document, most: int) -> Document:
    """Return an untrusted JSON document of at most so many values. ValueError: it may have more.

    Three bytes (`[],`) can become two kilobytes, so a bound of bytes alone lets 8 MiB take
    gigabytes.

    A list or a map counts as much as twenty numbers, as it takes up to two kilobytes. Marks within
    texts count as well, so `most` needs room for them.
    """
    if isinstance(document, bytes):
        lists = document.count(b"[") + document.count(b"{")
        values = document.count(b",") + LIST_VALUES * lists
    else:
        lists = document.count("[") + document.count("{")
        values = document.count(",") + LIST_VALUES * lists
    if values > most:
        raise ValueError(f"it could contain {values:,} values, but the limit is {most:,}")
    return document
