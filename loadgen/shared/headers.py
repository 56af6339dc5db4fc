"""Which names and values HTTP can carry as a header (RFC 9110, 5.1 and 5.5)."""

import re

_NAME = re.compile(r"[!#$%&'*+.^`|~\w-]+", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def is_header(name: str, value: str) -> bool:
    """Tell whether a header of this name and value can be sent."""
    return _NAME.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None
