"""Names by which fields, headers and query parameters hold secrets."""

import re

_PASSWORD = re.compile(
    r"passw(or)?d|passphrase|passcode|(^|[^a-z])(pass|pwd|passwd)\d?\W*$|(Pass|Pwd)$", re.IGNORECASE
)
_USER = re.compile(
    r"(^|[\W_])(user([_-]?(name|id))?|login([_-]?(name|id))?|e?mail|account|uid)\W*$", re.IGNORECASE
)
_SECRET = re.compile(
    r"authorization|csrf|xsrf|(subscription|access|private|client)[-_]?key|api[-_]?key|secret|token|signature|credential|^x-.*-key$"
    r"|^(otp|pin|cvv|cvc|sig|sid|jwt|session_?id|phpsessid|jsessionid"
    r"|aspsessionid\w*|asp\.net_sessionid|connect\.sid)$",
    re.IGNORECASE,
)

# Headers are few, so that more of their names tell.
_SECRET_HEADER = re.compile(
    r"(^|[-_])auth(entication)?([-_]|$)|session|cookie|passw|(^|[-_])(key|pwd|access|sid)$",
    re.IGNORECASE,
)
# How the makers of keys let them begin, so that one that was lost can be found.
_SECRET_VALUE = re.compile(
    r"ey[\w-]{8,}\.ey[\w-]+\.[\w-]*|AIza[\w-]{30,}|(AKIA|ASIA)[0-9A-Z]{16}"
    r"|\b[srp]k_(live|test)_\w{10,}|\bgh[opsru]_\w{30,}|github_pat_\w{20,}|glpat-[\w-]{15,}"
    r"|\bxox[abeprs]-[\w-]{10,}|\bsk-[\w-]{20,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bya29\.[\w-]{10,}"
)


def names_password(name: str) -> bool:
    """Tell whether a field of this name holds a password."""
    return _PASSWORD.search(name) is not None


def names_user(name: str) -> bool:
    """Tell whether a field of this name holds who logs in."""
    return _USER.search(name) is not None


def names_secret(name: str) -> bool:
    """Tell whether what has this name is a key or a token."""
    return _SECRET.search(name) is not None


def names_secret_header(name: str) -> bool:
    """Tell whether what a header of this name holds is a key, a token or who is logged in."""
    return names_secret(name) or _SECRET_HEADER.search(name) is not None


def is_secret(value: str) -> bool:
    """Tell whether a value is a key or a token by its form, whatever its name."""
    return _SECRET_VALUE.search(value) is not None


def secret_value(text: str) -> tuple[int, int] | None:
    """Return where in a text the first key or token stands, found by its form."""
    found = _SECRET_VALUE.search(text)
    return found.span() if found else None
