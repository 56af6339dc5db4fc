"""Text from elsewhere, as it may be shown in a terminal.

A name, an error or a log line can hold escape sequences that repaint the screen, a line break that
forges the next line, or marks that turn the direction of writing.
"""

import unicodedata

HARMLESS = "\n\t"
_SHOWN_AS_CODES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def plain(text: str) -> str:
    """Return text with whatever is no visible character shown as its code; lines stay lines."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if one in HARMLESS else _shown(one) for one in text)


def plain_line(text: str) -> str:
    """Return text on one line, as `plain` does."""
    return plain(text).replace("\n", "\\n").replace("\t", " ")


def _shown(one: str) -> str:
    if unicodedata.category(one) not in _SHOWN_AS_CODES:
        return one
    return one.encode("unicode_escape", "surrogatepass").decode("ascii")
