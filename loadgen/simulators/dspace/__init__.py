"""A DSpace 7+ repository: its REST contract, and pages that use it as DSpace's own UI does.

    /server/api/...   the REST API (authn, reading, bitstreams, submission, statistics)
    /, /search, ...   pages for a browser (pages)

`model` has the objects, `repository` makes and keeps them, `search` finds them, `hal` renders
them, `security` guards them. The contract is DSpace/RestContract; what is not in it, is not here.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from loadgen.simulators.dspace import hal, pages
from loadgen.simulators.dspace.authn import Authentication
from loadgen.simulators.dspace.bitstreams import Bitstreams
from loadgen.simulators.dspace.reading import Reading
from loadgen.simulators.dspace.repository import Repository
from loadgen.simulators.dspace.security import Accounts, Security
from loadgen.simulators.dspace.statistics import Statistics
from loadgen.simulators.dspace.submission import Submission
from loadgen.simulators.state import Counted, TargetState


def build(seed: int, clock: Callable[[], float] = time.time) -> ASGIApp:
    """Return the application. `clock` gives Unix seconds; tokens expire by it."""
    repository = Repository(seed)
    accounts = Accounts(seed, clock)
    submission = Submission(repository)
    statistics = Statistics(repository)
    groups = (
        Bitstreams(repository),
        Reading(repository),
        Authentication(accounts),
        submission,
        statistics,
    )
    rest = [route for group in groups for route in group.routes()]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        repository.close()

    app = Starlette(
        routes=[*rest, *pages.routes()],
        exception_handlers={hal.ApiError: _answer_error, 404: _answer_error, 405: _answer_error},
        lifespan=lifespan,
    )

    def details() -> dict[str, object]:
        restricted = next(item for item in repository.items.values() if item.restricted)
        return {
            "communities": len(repository.communities),
            "collections": len(repository.collections),
            "items": len(repository.items),
            "bitstreams": len(repository.bitstreams),
            "drafts": len(submission.drafts),
            "deposited": submission.deposited,
            "uploaded_bytes": submission.uploaded_bytes,
            "views": statistics.views,
            "restricted_item": restricted.uuid,
            "collection_with_workflow": next(
                one.uuid for one in repository.collections.values() if one.workflow
            ),
        }

    return Counted(Security(app, accounts), TargetState("dspace", seed, details))


async def _answer_error(request: Request, fault: Exception) -> Response:
    status = getattr(fault, "status", 0) or getattr(fault, "status_code", 500)
    response = hal.error(status, str(fault), request.url.path)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'password realm="DSpace REST API"'
    return response
