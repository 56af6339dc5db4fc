"""Decodes a body's content codings: gzip, deflate, br, zstd, and stacks of them (RFC 9110, 8.4).

And knows which charset a body is in, whatever a server says of it.
"""

import codecs
import sys
import zlib
from collections.abc import Callable, Sequence
from typing import Protocol

import brotli
from geventhttpclient.header import Headers
from requests.utils import _parse_content_type_header

from loadgen.scenario.http.errors import ContentError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_TEXT_DEFAULT = "ISO-8859-1"
_GZIP = 16 + zlib.MAX_WBITS
_CODEC_ERRORS = (zlib.error, zstd.ZstdError, brotli.error)


class _Decompressor(Protocol):
    """What zlib and zstd have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _Brotli:
    """Brotli's decompressor with the names of the others."""

    unused_data = b""

    def __init__(self) -> None:
        self._brotli = brotli.Decompressor()
        self._begun = False

    @property
    def eof(self) -> bool:
        return bool(self._brotli.is_finished())

    def decompress(self, data: bytes) -> bytes:
        begun, self._begun = self._begun, True
        try:
            decoded: bytes = self._brotli.process(data)
        except brotli.error:
            if begun:
                raise
            return self._without_rest(data)
        return decoded

    def _without_rest(self, data: bytes) -> bytes:
        """Decode the part of a body that is brotli's; brotli.error when there is none."""
        low, high = 0, len(data)
        while low < high - 1:
            middle = (low + high) // 2
            self._brotli = brotli.Decompressor()
            try:
                decoded: bytes = self._brotli.process(data[:middle])
            except brotli.error:
                high = middle
                continue
            if self._brotli.is_finished():
                return decoded
            low = middle
        raise brotli.error("it is not Brotli data")


class _Deflate:
    """zlib, as the standard says, or the raw deflate that some servers send instead."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj()
        self._undecided = b""
        self._decided = False

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        return b""

    def decompress(self, data: bytes) -> bytes:
        if not self._decided:
            self._undecided += data
            if len(self._undecided) < 2:
                return b""
            data, self._decided = self._undecided, True
            if (data[0] << 8 | data[1]) % 31 or data[0] & 15 != zlib.DEFLATED:
                self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        return self._inflate.decompress(data)


_MEMBER_BEGINS: dict[str, tuple[bytes, ...]] = {
    "gzip": (b"\x1f\x8b",),
    "x-gzip": (b"\x1f\x8b",),
    "zstd": (b"\x28\xb5\x2f\xfd", *(bytes([0x50 + n, 0x2A, 0x4D, 0x18]) for n in range(16))),
}
"""What a further member or frame begins with; whatever else follows the first is ignored."""
_CODINGS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": lambda: zlib.decompressobj(_GZIP),
    "x-gzip": lambda: zlib.decompressobj(_GZIP),
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": zstd.ZstdDecompressor,
}


# What servers write there although it changes no byte; browsers and curl's users see the body.
_NO_CODINGS = {
    "",
    "identity",
    "none",
    "null",
    "binary",
    "utf-8",
    "utf8",
    "7bit",
    "8bit",
    "aws-chunked",
}


class _Stage:
    """One coding; gzip and zstd may be several members or frames after each other."""

    def __init__(self, coding: str) -> None:
        if coding not in _CODINGS:
            known = ", ".join(_CODINGS)
            raise ContentError(
                f"the body has the Content-Encoding {coding!r}, but only {known} can be decoded"
            )
        self._coding = coding
        self._decompressor = _CODINGS[coding]()
        self._beginnings = _MEMBER_BEGINS.get(coding, ())
        self._after = b""

    def decode(self, data: bytes) -> bytes:
        decoded = []
        data, self._after = self._after + data, b""
        while data:
            if self._decompressor.eof and not self._begin_next(data):
                break
            decoded.append(self._decompressor.decompress(data))
            data = self._decompressor.unused_data
        return b"".join(decoded)

    def _begin_next(self, data: bytes) -> bool:
        """Say whether `data` is a further member; if not, all is ignored, as gzip(1) does."""
        if data.startswith(self._beginnings):
            self._decompressor = _CODINGS[self._coding]()
            return True
        if any(beginning.startswith(data) for beginning in self._beginnings):
            self._after = data  # too short to tell
        else:
            self._beginnings = ()
        return False

    def finish(self) -> None:
        if not self._decompressor.eof:
            raise ContentError(f"the body is cut off: its {self._coding} data is incomplete")


class Decoder:
    """Decodes a body piece by piece. `codings` is Content-Encoding's values, in their order."""

    def __init__(self, codings: Sequence[str]) -> None:
        names = [name.strip().lower() for name in ",".join(codings).split(",")]
        applied = [name for name in names if name not in _NO_CODINGS]
        self._stages = [_Stage(name) for name in reversed(applied)]
        self._started = False

    def decode(self, part: bytes) -> bytes:
        """Return what `part` adds to the body; ContentError if it is not so encoded."""
        self._started = self._started or bool(part)
        try:
            for stage in self._stages:
                part = stage.decode(part)
        except _CODEC_ERRORS as error:
            raise ContentError(
                f"the body can't be decoded as its Content-Encoding says: {error}"
            ) from error
        return part

    def finish(self) -> None:
        """Raise ContentError if the body has ended too early. An empty body is none at all."""
        if self._started:
            for stage in self._stages:
                stage.finish()


def decode(body: bytes, codings: Sequence[str]) -> bytes:
    """Return a whole body decoded; ContentError if it is not so encoded."""
    if not codings:
        return body
    decoder = Decoder(codings)
    decoded = decoder.decode(body)
    decoder.finish()
    return decoded


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
