"""Files: descriptions, and contents with ETag, Range and If-None-Match (RFC 9110)."""

import re
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from loadgen.simulators.dspace import hal
from loadgen.simulators.dspace.model import Bitstream
from loadgen.simulators.dspace.reading import readable_item
from loadgen.simulators.dspace.repository import Repository

CHUNK_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Bitstreams:
    """The endpoints below `/api/core/bitstreams`."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository

    def routes(self) -> list[Route]:
        """Return the routes; Starlette answers HEAD with each GET."""
        return [
            Route(hal.API + "/core/bitstreams/{uuid}", self.describe, methods=["GET"]),
            Route(hal.API + "/core/bitstreams/{uuid}/content", self.content, methods=["GET"]),
        ]

    async def describe(self, request: Request) -> Response:
        """Describe a bitstream."""
        return hal.answer(hal.bitstream(hal.base(request), self._readable(request)))

    async def content(self, request: Request) -> Response:
        """Send a bitstream's bytes, or the part of them that was asked for."""
        return content_response(self._readable(request), request)

    def _readable(self, request: Request) -> Bitstream:
        found = self.repository.bitstreams.get(request.path_params["uuid"])
        if found is None:
            raise hal.ApiError(404, "The resource could not be found")
        readable_item(self.repository, request, self.repository.owners[found.uuid])
        return found


def content_response(found: Bitstream, request: Request) -> Response:
    """Answer for a bitstream's content: 200, 206, 304 or 416."""
    etag = f'"{found.md5}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Content-Type": found.content_type,
        "Content-Disposition": f"attachment;filename*=UTF-8''{quote(found.name)}",
        "Cache-Control": "private, max-age=60",
    }
    if _matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers={"ETag": etag})
    asked = request.headers.get("range", "")
    if request.headers.get("if-range", etag) != etag:
        asked = ""
    try:
        part = _part(asked, found.size)
    except ValueError:
        return Response(
            status_code=416, headers={"ETag": etag, "Content-Range": f"bytes */{found.size}"}
        )
    if part is None:
        return _File(found.path, 0, found.size, 200, headers)
    first, last = part
    headers["Content-Range"] = f"bytes {first}-{last}/{found.size}"
    return _File(found.path, first, last - first + 1, 206, headers)


def _matches(header: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return header.strip() == "*" or etag in tags


def _part(header: str, size: int) -> tuple[int, int] | None:
    """Return the first and last byte asked for, None for all; ValueError when out of reach."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        start, end = max(size - int(last), 0), size - 1
    else:
        start, end = int(first), min(int(last or size - 1), size - 1)
    if start > end:
        raise ValueError(header)
    return start, end


class _File(Response):
    """Bytes of a file, read in pieces. The files are small and in the page cache: no thread."""

    def __init__(
        self, path: Path, offset: int, length: int, status: int, headers: dict[str, str]
    ) -> None:
        super().__init__(b"", status, headers | {"Content-Length": str(length)})
        self._path, self._offset, self._length = path, offset, length

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        left = self._length
        with self._path.open("rb") as file:
            file.seek(self._offset)
            while left:
                piece = file.read(min(left, CHUNK_BYTES))
                left -= len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
