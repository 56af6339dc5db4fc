"""Pages for a browser. Each is the same shell; `assets/app.js` fills it from the REST API.

As with DSpace's own UI, a page load brings a few static files, and then requests with the CSRF
token in a header and the JWT in another: what a recording of a session has to cope with.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

_FILES = Path(__file__).with_name("assets")
_PATHS = (
    "/",
    "/home",
    "/search",
    "/login",
    "/logout",
    "/mydspace",
    "/communities/{uuid}",
    "/collections/{uuid}",
    "/items/{uuid}",
    "/items/{uuid}/edit",
    "/workspaceitems/{number:int}/edit",
)


def routes() -> list[BaseRoute]:
    """Return the pages' routes."""
    shell = (_FILES / "shell.html").read_bytes()

    async def page(_: Request) -> Response:
        return Response(shell, media_type="text/html; charset=utf-8")

    made: list[BaseRoute] = [Route(path, page, methods=["GET"]) for path in _PATHS]
    made.append(Mount("/assets", StaticFiles(directory=_FILES)))
    return made
