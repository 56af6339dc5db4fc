"""The smallest target: every path answers 200 with 36 bytes, so any locustfile finds something."""

from typing import TYPE_CHECKING

from loadgen.simulators.state import Counted, TargetState

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

BODY = b"hello from the bundled test target!\n"
_HEAD = [(b"content-type", b"text/plain"), (b"content-length", str(len(BODY)).encode())]


async def answer(scope: "Scope", receive: "Receive", send: "Send") -> None:
    """Read the request to its end and answer it."""
    if scope["method"] not in ("GET", "HEAD"):
        while (await receive()).get("more_body"):
            pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEAD})
    await send({"type": "http.response.body", "body": BODY})


def build(seed: int) -> "ASGIApp":
    """Return the application; the seed changes nothing here."""
    return Counted(answer, TargetState("hello", seed))
