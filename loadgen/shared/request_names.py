"""One name for each kind of request: what changes from one call to the next is left out.

Locust keeps a row of statistics for each name, and every row becomes a metric series, so a name
must not carry an identifier. Scenarios, simulators and recordings group paths by the same rule.
"""

import re

from loadgen.shared.secret_names import is_user, looks_random, tokens

_DIGIT = re.compile(r"\d")
UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_UUID = re.compile(UUID)
_NUMBER = re.compile(r"(?<=/)\d+(?=/|$)")
_HASH = re.compile(r"(?<=/)(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{16,}(?=/|$)")


_LONG = re.compile(r"[^/]{8}")


def group_path(path: str) -> str:
    """Replace each identifier in a URL path: `/items/7/edit` becomes `/items/{id}/edit`.

    UUIDs become `{uuid}`, whole segments of digits `{id}`, long hexadecimal segments `{hash}`, and
    what else looks random or is a secret `{token}`. The query string is dropped.
    """
    bare = path.partition("?")[0]
    if _LONG.search(bare) is not None:
        bare = _without_tokens(bare)
    if _DIGIT.search(bare) is None:
        return bare
    return _HASH.sub("{hash}", _NUMBER.sub("{id}", _UUID.sub("{uuid}", bare)))


def _without_tokens(path: str) -> str:
    """Replace secrets, and what else looks random, unless it is grouped by a name of its own."""
    for token in reversed(list(tokens(path))):
        before, text = path[: token.start], path[token.start : token.end]
        if _UUID.fullmatch(text) or (
            _HASH.fullmatch("/" + text, 1) and path[token.end :][:1] in "/"
        ):
            continue
        head, slash, user = before[:-1].rpartition("/")
        if before.endswith("/") and user and is_user(user):
            before = f"{head}{slash}{{id}}/"
        path = f"{before}{{token}}{path[token.end :]}"
    return "/".join(map(_grouped, path.split("/")))


def _grouped(segment: str) -> str:
    if len(segment) < 16 or "{" in segment or _UUID.search(segment) or not looks_random(segment):
        return segment
    return segment if _HASH.fullmatch("/" + segment, 1) else "{token}"
