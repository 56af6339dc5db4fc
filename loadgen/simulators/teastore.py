"""A simulated TeaStore: its paths, pages with product ids, and the published regression of times.

Every request takes what `loadgen.simulators.service` predicts from what is in flight around it.
Sessions, logins and carts are kept for each cookie, so a cart page shows what was put in. Source:
DescartesResearch/TeaStore for paths and pages, jtpgames/Locust_Scripts for the model.
"""

import random

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Scope

from loadgen.shared.errors import UsageError
from loadgen.simulators.asgi import TimedTarget
from loadgen.simulators.clock import ModelClock
from loadgen.simulators.service import TEASTORE_COEFFICIENTS, RegressionLaw
from loadgen.simulators.state import Counted, TargetState
from loadgen.simulators.teastore_pages import PAGES, PREFIX, ShopSession

KINDS = {
    "Index": 0,
    "Login": 1,
    "LoginAction": 2,
    "Category": 3,
    "Product": 4,
    "CartAction": 5,
    "Cart": 6,
    "Profile": 7,
}
PATHS = {
    f"{PREFIX}/": "Index",
    f"{PREFIX}/login": "Login",
    f"{PREFIX}/loginAction": "LoginAction",
    f"{PREFIX}/category": "Category",
    f"{PREFIX}/product": "Product",
    f"{PREFIX}/cartAction": "CartAction",
    f"{PREFIX}/cart": "Cart",
    f"{PREFIX}/profile": "Profile",
}
POSTED = {"LoginAction", "CartAction"}

COOKIE = "sessionBlob"


def build(seed: int = 42, *, speed: float = 1.0) -> ASGIApp:
    """Make the application. `speed` is model seconds in a real second, above 0."""
    if speed <= 0:
        raise UsageError(f"speed is {speed}; it must be above 0; 1 means real time")
    store = TeaStore(seed, ModelClock(speed))

    def details() -> dict[str, object]:
        return {"speed": speed, "sessions": len(store.sessions)}

    state = TargetState("teastore", seed, details, store.sessions.clear)
    return Counted(store, state, name=kind_of)


def kind_of(scope: Scope) -> str:
    """Return the path within the store; unknown paths share one kind."""
    path: str = scope["path"]
    return path.removeprefix(PREFIX) if path in PATHS else "(unknown)"


class TeaStore(TimedTarget):
    """The ASGI application."""

    def __init__(self, seed: int, clock: ModelClock) -> None:
        self.clock = clock
        self.clock.start()
        self.law = RegressionLaw(TEASTORE_COEFFICIENTS, KINDS)
        self.sessions: dict[str, ShopSession] = {}
        self._cookies = random.Random(seed)

    async def respond(self, request: Request) -> Response:
        """Answer one request, when its time has passed."""
        kind = PATHS.get(request.url.path)
        if kind is None:
            return PlainTextResponse("no such page\n", 404)
        if kind in POSTED and request.method != "POST":
            return PlainTextResponse("send a POST\n", 405, {"allow": "POST"})
        await self.law.serve(kind, self.clock)
        cookie = request.cookies.get(COOKIE, "")
        known = cookie in self.sessions
        if not known:
            cookie = f"{self._cookies.getrandbits(128):032x}"
            self.sessions[cookie] = ShopSession()
        response = PAGES[kind](request.query_params, self.sessions[cookie])
        if not known:
            response.set_cookie(COOKIE, cookie, path=PREFIX, httponly=True)
        return response
