"""What is a secret, by its name, its form or its place in an address.

A segment of a path is one if its form is a key's, or if it looks random and is long, or is beside a
word that such addresses have: `/reset/3f…9c/confirm`, `/accounts/activate/MQ/c5d-9f…/`.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus

SHORTEST_BESIDE_A_WORD, SHORTEST_RANDOM, SHORTEST_ALONE = 8, 16, 32

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
_WORD = re.compile(
    r"(reset|activat|confirm|verif|validat|invit|magic|token|unsubscribe|opt-?out|recover|forgot"
    r"|passw|secret|signed|shared?$|hook|onetime|one-time|otp|unlock|redeem|claim|apikey|api-key"
    r"|impersonat|register|registration|signup|sign-up|signin|sign-in|login|sso|private$|guest"
    r"|bot$|capability|ticket$|access$|accept|decline|approv|passcode|passkey|handoff|one-click"
    r"|^join$)",
    re.IGNORECASE,
)
# What has a long name of this kind because of what it contains.
_CONTENT = re.compile(
    r"(commits?|trees?|blobs?|raw|sha\d*|md5|digests?|objects?|manifests?|ipfs|cache|static|assets"
    r"|media|images?|img|thumbs?|_next|chunks|builds?|layers?|revisions?|hash(es)?|tx|address"
    r"|blocks?)",
    re.IGNORECASE,
)
# Parameters that hold a key in many programs, and those whose long values are none.
_SHORT_NAME = re.compile(r"k|t|s|key|code|auth|hmac|nonce|state|policy|assertion", re.IGNORECASE)
_PUBLIC = re.compile(
    r"_?v|ver(sion)?|rev|etag|_|cb|ref|utm_\w+|\w*clid|_g[al]\w*|ids?|\w+_?ids?|q|query|search|url"
    r"|cursor|after|before|page\w*|continuation|filter|fields|sort|operationName|variables"
    r"|extensions|variant|integrity|redirect\w*|next|return\w*",
    re.IGNORECASE,
)
_HEX = re.compile(r"[0-9a-fA-F]{32,}|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{12,}", re.IGNORECASE)
_LONGEST_HEX_OF_AN_ID = 32
_PLAIN = re.compile(r"[\w.~+=:,!$@-]+", re.ASCII)
_ENDING = re.compile(r"(?<=[^.])\.(\w{1,5}|tar\.\w+)$")
_UUID = re.compile(r"\{?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?", re.IGNORECASE)
# A letter beside a digit, or a capital after at most two small letters: rare in words.
_CHANGE = re.compile(r"(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)|(?<![a-z]{3})(?<=[a-z])(?=[A-Z])")
# Words rarely have all three.
_ALL_KINDS = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)")
_BASE64 = re.compile(r"[\w-]{2,}={0,2}", re.ASCII)
_PARAMETER = re.compile(r";([^;=/]+)=([^;/]+)")


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


@dataclass(frozen=True)
class Token:
    """A secret at `start` to `end` of a path, and what it is called, such as "reset token"."""

    start: int
    end: int
    name: str


def looks_random(text: str, shortest: int = SHORTEST_RANDOM, share: float = 0.22) -> bool:
    """Tell whether a text was drawn at random, and isn't words, a date or a number.

    `share` is how often at least a letter is beside a digit, or a capital where words have none.
    """
    text = unquote(text)
    if len(text) < shortest or not _PLAIN.fullmatch(text):
        return False
    changes = len(_CHANGE.findall(text))
    if _ALL_KINDS.match(text):
        share = min(share, 0.16)
    return _HEX.fullmatch(text) is not None or (changes >= 3 and changes >= share * len(text))


def tokens(path: str) -> Iterator[Token]:
    """Yield the secrets of a URL's path (without its query), in order."""
    segments = path.split("/")
    start = 0
    for number, segment in enumerate(segments):
        yield from _in_segment(segments, number, start)
        start += len(segment) + 1


def without_tokens(path: str) -> str:
    """Return a path that may be shown: each secret is `{token}`."""
    for token in reversed(list(tokens(path))):
        path = f"{path[: token.start]}{{token}}{path[token.end :]}"
    return path


def address_tokens(address: str) -> Iterator[Token]:
    """Yield the secrets of a path with its query, in order."""
    path, mark, query = address.partition("?")
    yield from tokens(path)
    start = len(path) + len(mark)
    beside = has_word(path)
    for piece in query.split("&"):
        name, equals, raw = piece.partition("=")
        called, value, begin = unquote_plus(name), unquote_plus(raw), start + len(name + equals)
        if raw and is_query_secret(called, value, beside=beside):
            yield Token(begin, start + len(piece), called)
        elif value.startswith(("/", "http://", "https://")):
            yield from _nested(value, raw, begin)
        start += len(piece) + 1


def _nested(address: str, raw: str, start: int) -> Iterator[Token]:
    """Yield the secrets of an address in a query, where `raw` has it encoded."""
    for token in address_tokens(address):
        place = raw.find(address[token.start : token.end])
        if place >= 0:
            end = place + token.end - token.start
            yield Token(start + place, start + end, token.name)


def has_word(path: str) -> bool:
    """Tell whether a path has a word that addresses with secrets have."""
    return any(map(_WORD.search, path.split("/")))


def is_query_secret(name: str, value: str, *, beside: bool = False) -> bool:
    """Tell whether a parameter of a query is a secret, by its name or by its form.

    `beside`: its path has a word that addresses with secrets have.
    """
    if names_secret(name) or is_secret(value):
        return True
    if _PUBLIC.fullmatch(name):
        return False
    if beside or _WORD.search(name) or _SHORT_NAME.fullmatch(name):
        return _is_random_beside_a_word(value) or _UUID.fullmatch(value) is not None
    alone = len(value) >= SHORTEST_ALONE and looks_random(value)
    return alone and not _CONTENT.fullmatch(name)


def is_user(segment: str) -> bool:
    """Tell whether a segment is a number in base64, as Django writes a user's before a token."""
    if not _BASE64.fullmatch(segment):
        return False
    try:
        text = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except (binascii.Error, ValueError):
        return False
    return text.isdigit()


def _in_segment(segments: list[str], number: int, start: int) -> Iterator[Token]:
    segment = segments[number]
    whole, mark, _ = segment.partition(";")
    if len(whole) >= SHORTEST_BESIDE_A_WORD:
        ending = _ENDING.search(whole)
        found = secret_value(whole)
        if found:
            yield Token(start + found[0], start + found[1], _called(segments, number))
        elif _is_token(segments, number, whole[: ending.start()] if ending else whole):
            end = start + (ending.start() if ending else len(whole))
            yield Token(start, end, _called(segments, number))
    for match in _PARAMETER.finditer(segment) if mark else ():
        if names_secret(match[1]) or is_secret(match[2]):
            yield Token(start + match.start(2), start + match.end(2), match[1])


def _is_token(segments: list[str], number: int, segment: str) -> bool:
    is_uuid = _UUID.fullmatch(segment) is not None
    if _word(segments, number):
        return is_uuid or _is_random_beside_a_word(segment)
    of_content = any(_CONTENT.fullmatch(one) for one in segments[:number])
    is_hex = _HEX.fullmatch(segment) is not None
    is_id = is_uuid or (is_hex and len(segment) <= _LONGEST_HEX_OF_AN_ID)
    if is_id or of_content or not looks_random(segment):
        return False
    after = segments[number + 1] if number + 1 < len(segments) else ""
    return len(segment) >= SHORTEST_ALONE or _WORD.search(after) is not None


def _is_random_beside_a_word(segment: str) -> bool:
    return looks_random(segment, SHORTEST_BESIDE_A_WORD, 0.15)


def _word(segments: list[str], number: int) -> str:
    """Return the segment with a word before this one, or before a user or a token before it."""
    for before in reversed(segments[:number]):
        beside = _is_random_beside_a_word(before)
        if not beside and _WORD.search(before):
            return before
        if not (beside or is_user(before) or before.isdigit() or _UUID.fullmatch(before)):
            return ""
    return ""


def _called(segments: list[str], number: int) -> str:
    word = _word(segments, number)
    return "token" if word in {"", "token"} else f"{word} token"
