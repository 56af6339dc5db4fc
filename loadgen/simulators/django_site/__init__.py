"""A Django application: Django's own auth, sessions and CSRF middleware, SQLite (WAL), a JWT API.

    /                          index
    /accounts/login|logout/    Django's own views
    /lists/<variant>/          four list pages: recent, titles, categories, authors
    /entries/new/              a form with a CSRF token; /entries/<id>/ shows what it made
    /api/token/, /api/token/refresh/, /api/entries/   djangorestframework with simplejwt

The database is migrated and filled from the seed at start, in a directory that goes with the
process. One process serves one site: Django's settings are the process's own.
"""

import os
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from loadgen.simulators.state import Counted, TargetState

_Message = MutableMapping[str, Any]


def build(seed: int) -> ASGIApp:
    """Return the application over a new database."""
    directory = tempfile.TemporaryDirectory(prefix="django-site-")
    database = f"{directory.name}/site.sqlite3"
    os.environ["DJANGO_SETTINGS_MODULE"] = "loadgen.simulators.django_site.settings"
    os.environ["DJANGO_SITE_DATABASE"] = database
    os.environ["DJANGO_SITE_SEED"] = str(seed)
    application = _start(seed)

    def details() -> dict[str, object]:
        # Django's own connection may not be used from an event loop.
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            tables = {"users": "auth_user", "sessions": "django_session", "entries": "site_entry"}
            counts: dict[str, object] = {
                name: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
                for name, table in tables.items()
            }
        connection.close()
        return counts

    state = TargetState("django_site", seed, details)
    return Counted(_Lifespan(application, directory.cleanup), state)


def _start(seed: int) -> ASGIApp:
    import django  # noqa: PLC0415 - settings are read when Django is first used
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    call_command("migrate", verbosity=0)
    from django.core.asgi import get_asgi_application  # noqa: PLC0415

    from loadgen.simulators.django_site.seed import fill  # noqa: PLC0415

    fill(seed)
    application: ASGIApp = get_asgi_application()
    return application


class _Lifespan:
    """Answers ASGI's lifespan messages, which Django doesn't know, and cleans up at the end."""

    def __init__(self, app: ASGIApp, cleanup: Callable[[], None]) -> None:
        self.app = app
        self.cleanup = cleanup

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self.app(scope, receive, send)

    async def _live(
        self,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.cleanup()
        await send({"type": "lifespan.shutdown.complete"})
