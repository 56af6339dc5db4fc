"""Which charset a body is in, whatever a server says of it."""

import codecs

from geventhttpclient.header import Headers
from requests.utils import _parse_content_type_header

_TEXT_DEFAULT = "ISO-8859-1"


def _content_type(headers: Headers | None) -> tuple[str, str]:
    """Return media type and charset of the last Content-Type, "" for what is not said."""
    values = headers.getlist("content-type") if headers is not None else []
    if not values:
        return "", ""
    kind, parameters = _parse_content_type_header(values[-1])
    charset = parameters.get("charset", "")
    return kind.lower(), charset.strip("\"' ") if isinstance(charset, str) else ""


def charset_of(headers: Headers | None) -> str | None:
    """Return the charset that a response declares, None if it does not."""
    return _content_type(headers)[1] or None


def default_charset(headers: Headers | None) -> str | None:
    """Return what `requests` takes for text and JSON that declare none; None: guess."""
    kind, _ = _content_type(headers)
    if kind.startswith("text/"):
        return _TEXT_DEFAULT
    return "utf-8" if kind == "application/json" else None


def known_charset(name: str | None) -> str:
    """Return `name` if it is a charset that Python can decode, else UTF-8."""
    try:
        if name and codecs.lookup(name)._is_text_encoding:
            b"a".decode(name, "replace")
            codecs.getincrementaldecoder(name)
            return name
    except (LookupError, ValueError):
        pass
    return "utf-8"


def to_text(content: bytes, charset: str) -> str:
    """Return bytes as text: replacement characters for what does not decode."""
    return content.decode(known_charset(charset), "replace")
