"""Names by which fields, headers and query parameters hold secrets."""

import re

_PASSWORD = re.compile(
    r"passw(or)?d|passphrase|passcode|(^|[^a-z])(pass|pwd|passwd)\d?\W*$|(Pass|Pwd)$", re.IGNORECASE
)
_USER = re.compile(
    r"(^|[\W_])(user([_-]?(name|id))?|login([_-]?(name|id))?|e?mail|account|uid)\W*$", re.IGNORECASE
)
_SECRET = re.compile(
    r"authorization|api[-_]?key|secret|token|signature|credential|^x-.*-key$"
    r"|^(otp|pin|cvv|cvc|sig|sid|jwt|session_?id|phpsessid|jsessionid"
    r"|aspsessionid\w*|asp\.net_sessionid|connect\.sid)$",
    re.IGNORECASE,
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
