"""Who ends a test, and a time limit for tests that a load shape drives.

Locust says nowhere why a test stops, and leaves a shape's end to the shape alone: both are found
out here, in the master.
"""

import sys

import gevent
from locust.env import Environment
from locust.runners import MasterRunner

from loadgen.shared.snapshot import EndedBy

# What it means if this function of this module is in the stack when the runner's `stop` is called;
# the nearest one counts.
_CAUSES: dict[tuple[str, str], EndedBy] = {
    ("locust.runners", "shape_worker"): "shape",
    ("locust.runners", "handle_message"): "workers",
    ("locust.main", "stop_and_optionally_quit"): "run_time",
    ("locust.main", "shutdown"): "",
    (__name__, "_reach_limit"): "run_time",
    ("loadgen.node.control_server", "stop"): "request",
    ("loadgen.node.control_server", "quit"): "request",
}
# Any other code in the stack is the locustfile, or what it imports.
_OWN = ("locust", "gevent", "greenlet", "loadgen")


def who_ends() -> EndedBy:
    """Tell who ends the test; call it while Locust fires `test_stopping`."""
    # inspect.stack would read the source file of every frame.
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        module = frame.f_globals.get("__name__", "")
        if module == "locust.web":
            return "web_ui"
        if module.partition(".")[0] not in _OWN:
            return "locustfile"
        if (module, frame.f_code.co_name) in _CAUSES:
            return _CAUSES[module, frame.f_code.co_name]
    return "locustfile"


class TimeLimit:
    """Ends each test after `seconds`, whatever its shape wants."""

    def __init__(self, runner: MasterRunner, seconds: float) -> None:
        self._runner, self._seconds = runner, seconds
        self._waiting: gevent.Greenlet | None = None

    def begin(self, **_: object) -> None:
        """Begin to wait, on Locust's `test_start`."""
        self._waiting = gevent.spawn_later(self._seconds, self._reach_limit)

    def end(self, **_: object) -> None:
        """Wait no more, on Locust's `test_stopping`."""
        if self._waiting is not None and self._waiting is not gevent.getcurrent():
            self._waiting.kill(block=False)

    def _reach_limit(self) -> None:
        self._runner.stop()


def install_limit(environment: Environment, seconds: float) -> None:
    """Limit the tests of this master; call it on Locust's `init` event."""
    if not isinstance(environment.runner, MasterRunner):
        raise TypeError(
            "a time limit can be set only in a master: call this function on its `init` event"
        )
    limit = TimeLimit(environment.runner, seconds)
    environment.events.test_start.add_listener(limit.begin)
    environment.events.test_stopping.add_listener(limit.end)
