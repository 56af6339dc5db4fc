"""How answers look: HAL links and embedded objects, pages of a list, and DSpace's error body."""

import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from loadgen.simulators.dspace.model import Bitstream, Bundle, Collection, Community, Item

API = "/server/api"
Json = dict[str, object]
T = TypeVar("T")
DEFAULT_PAGE_SIZE = 20
LARGEST_PAGE_SIZE = 100


class ApiError(Exception):
    """An answer that is not a success, with DSpace's error body."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def answer(body: object, status: int = 200) -> Response:
    """Return a HAL response."""
    return Response(json.dumps(body), status, media_type="application/hal+json")


def error(status: int, message: str, path: str) -> Response:
    """Return DSpace's error body."""
    names = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
    body = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "status": status,
        "error": names.get(status, "Unprocessable Entity" if status == 422 else "Error"),
        "message": message,
        "path": path,
    }
    return Response(json.dumps(body), status, media_type="application/json;charset=UTF-8")


def base(request: Request) -> str:
    """Return the URL of the REST API as this visitor reaches it."""
    return f"{request.url.scheme}://{request.headers.get('host', 'localhost')}{API}"


def links(prefix: str, *names: str) -> dict[str, dict[str, str]]:
    """Return `self` and the links below it."""
    return {"self": {"href": prefix}} | {name: {"href": f"{prefix}/{name}"} for name in names}


def page_request(request: Request) -> tuple[int, int]:
    """Return the page number (from zero) and size; what makes no sense counts as not given.

    So Spring Data reads them, which DSpace leaves it to: no value of either is an error.
    """
    number = _whole(request.query_params.get("page", ""))
    size = _whole(request.query_params.get("size", ""))
    return max(number, 0), min(size, LARGEST_PAGE_SIZE) if size > 0 else DEFAULT_PAGE_SIZE


def _whole(text: str) -> int:
    """Return a whole number of Java's int; 0 for any other text."""
    if not re.fullmatch(r"[+-]?\d{1,10}", text, re.ASCII):
        return 0
    number = int(text)
    return number if -(2**31) <= number < 2**31 else 0


def page(request: Request, entries: Sequence[T], name: str, render: Callable[[T], object]) -> Json:
    """Return one page of a list as `_embedded.<name>`, `page` and its links."""
    number, size = page_request(request)
    pages = math.ceil(len(entries) / size)
    shown = entries[number * size : (number + 1) * size]
    return {
        "_embedded": {name: [render(entry) for entry in shown]},
        "_links": _page_links(request, number, size, pages),
        "page": {
            "size": size,
            "totalElements": len(entries),
            "totalPages": pages,
            "number": number,
        },
    }


def _page_links(request: Request, number: int, size: int, pages: int) -> dict[str, Json]:
    others = [(k, v) for k, v in request.query_params.multi_items() if k not in {"page", "size"}]
    here = base(request).removesuffix(API) + request.url.path

    def href(page_number: int) -> Json:
        query = urlencode([*others, ("page", str(page_number)), ("size", str(size))])
        return {"href": f"{here}?{query}"}

    made = {"self": href(number), "first": href(0), "last": href(max(pages - 1, 0))}
    if number + 1 < pages:
        made["next"] = href(number + 1)
    if number > 0:
        made["prev"] = href(number - 1)
    return made


def _named(
    one: Community | Collection | Item | Bundle | Bitstream, handle: str | None = None
) -> Json:
    """Return what every object of a repository has."""
    return {
        "uuid": one.uuid,
        "name": one.name,
        "handle": handle,
        "metadata": {"dc.title": [{"value": one.name}]},
    }


def community(api: str, one: Community) -> Json:
    """Return a community."""
    here = f"{api}/core/communities/{one.uuid}"
    return {
        "id": one.uuid,
        **_named(one, one.handle),
        "type": "community",
        "_links": links(here, "collections", "subcommunities", "parentCommunity"),
    }


def collection(api: str, one: Collection) -> Json:
    """Return a collection."""
    here = f"{api}/core/collections/{one.uuid}"
    return {
        "id": one.uuid,
        **_named(one, one.handle),
        "archivedItemsCount": len(one.items),
        "type": "collection",
        "_links": links(here, "parentCommunity", "license"),
    }


def item(api: str, one: Item) -> Json:
    """Return an item."""
    here = f"{api}/core/items/{one.uuid}"
    return {
        "id": one.uuid,
        **_named(one, one.handle),
        "metadata": one.metadata,
        "inArchive": one.in_archive,
        "discoverable": True,
        "withdrawn": False,
        "lastModified": one.last_modified,
        "entityType": None,
        "type": "item",
        "_links": links(here, "bundles", "owningCollection", "thumbnail"),
    }


def bundle(api: str, one: Bundle) -> Json:
    """Return a bundle."""
    here = f"{api}/core/bundles/{one.uuid}"
    return {
        **_named(one),
        "type": "bundle",
        "_links": links(here, "bitstreams", "item", "primaryBitstream"),
    }


def bitstream(api: str, one: Bitstream, bundle_name: str = "ORIGINAL") -> Json:
    """Return a bitstream's description."""
    here = f"{api}/core/bitstreams/{one.uuid}"
    return {
        "id": one.uuid,
        **_named(one),
        "bundleName": bundle_name,
        "sizeBytes": one.size,
        "checkSum": {"checkSumAlgorithm": "MD5", "value": one.md5},
        "sequenceId": None,
        "type": "bitstream",
        "_links": links(here, "content", "bundle", "format", "thumbnail"),
    }
