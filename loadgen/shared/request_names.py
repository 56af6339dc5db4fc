"""One name for each kind of request: what changes from one call to the next is left out.

Locust keeps a row of statistics for each name, and every row becomes a metric series, so a name
must not carry an identifier. Scenarios, simulators and recordings group paths by the same rule.
"""

import re

_DIGIT = re.compile(r"\d")
UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_UUID = re.compile(UUID)
_NUMBER = re.compile(r"(?<=/)\d+(?=/|$)")
_HASH = re.compile(r"(?<=/)(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{16,}(?=/|$)")


def group_path(path: str) -> str:
    """Replace each identifier in a URL path: `/items/7/edit` becomes `/items/{id}/edit`.

    UUIDs become `{uuid}`, whole segments of digits `{id}`, long hexadecimal segments `{hash}`.
    The query string is dropped.
    """
    bare = path.partition("?")[0]
    if _DIGIT.search(bare) is None:
        return bare
    return _HASH.sub("{hash}", _NUMBER.sub("{id}", _UUID.sub("{uuid}", bare)))
