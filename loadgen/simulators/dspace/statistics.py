"""Usage events: a client says that somebody looked at something."""

import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loadgen.simulators.dspace import hal
from loadgen.simulators.dspace.repository import Repository

TYPES = ("item", "collection", "community", "bitstream", "site")


class Statistics:
    """`/api/statistics`; `views` counts the events."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.views = 0

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route(hal.API + "/statistics/viewevents", self.view, methods=["POST"])]

    async def view(self, request: Request) -> Response:
        """Record a view; 400 when the body is malformed, 422 when the target is unknown."""
        try:
            body = json.loads(await request.body())
            target, kind = body["targetId"], body["targetType"]
        except (ValueError, KeyError, TypeError) as fault:
            raise hal.ApiError(400, "A view event has targetId and targetType") from fault
        if str(kind).lower() not in TYPES or not self._exists(str(target)):
            raise hal.ApiError(422, f"There is no {kind} {target}")
        self.views += 1
        return Response(status_code=201)

    def _exists(self, target: str) -> bool:
        known = self.repository
        return any(
            target in table
            for table in (known.items, known.bitstreams, known.collections, known.communities)
        )
