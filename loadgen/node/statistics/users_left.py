"""Where users are that have not ended when they should have: read from their greenlets' frames."""

from collections.abc import Collection, Iterator
from pathlib import Path
from types import FrameType

import gevent

PLACE_CHARACTERS_MAX = 120
_SOCKET_MODULES = (
    *("gevent._socket", "gevent.ssl", "gevent._ssl"),
    *("loadgen.scenario.http", "loadgen.scenario.websocket_wire"),
)
# The packages that call a user's code; the first frame of any other package is the locustfile's,
# or a library's.
_CALLERS = ("locust", "gevent", "greenlet", "loadgen")


def waits_for_answer(user: gevent.Greenlet) -> bool:
    """Tell whether a user's greenlet stands in a socket's call."""
    return any(_module(frame).startswith(_SOCKET_MODULES) for frame in _frames(user))


def held_up(users: Collection[gevent.Greenlet]) -> str:
    """Return how many users there are and where one of them is; empty without users.

    The place is the function of the locustfile that Locust has called, such as `on_stop`, with the
    line that it has reached.
    """
    if not users:
        return ""
    places = filter(None, map(_place, users))
    return f"{len(users):,} of its users, one in {next(places, 'code of Locust')}"


def _place(user: gevent.Greenlet) -> str:
    for frame in reversed(list(_frames(user))):
        if _module(frame).partition(".")[0] not in _CALLERS:
            code = frame.f_code
            place = f"{code.co_name} ({Path(code.co_filename).name}, line {frame.f_lineno})"
            return place[-PLACE_CHARACTERS_MAX:]
    return ""


def _frames(user: gevent.Greenlet) -> Iterator[FrameType]:
    """Yield a greenlet's frames, the innermost first."""
    frame = user.gr_frame
    while frame is not None:
        yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
