"""Mends what Locust gets wrong when users or workers leave during a test, and what it reads.

A user that is told to stop while it waits is killed a moment later; its wait may be over by then,
and the request that it has begun goes uncounted although the target has served it. And after one
worker's users have been spread over the others, Locust goes on believing that it still spreads
them, so the users of the next worker that leaves are not made up for.

Locust takes options from `~/.locust.conf`, and from `locust.conf` and `pyproject.toml` where it is
started. A run would then depend on what an earlier locustfile left there, or on who starts it.
"""

from collections.abc import Iterator

from locust import argument_parser
from locust.dispatch import UsersDispatcher
from locust.user.task import LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING
from locust.user.users import User

Dispatch = dict[str, dict[str, int]]


def install() -> None:
    """Mend every user and every dispatcher of this process."""
    stop, dispatch = User.stop, UsersDispatcher._dispatcher

    def stop_before_the_next_task(self: User, force: bool = False) -> bool:
        if force or self._state != LOCUST_STATE_WAITING:
            return bool(stop(self, force))
        self._state = LOCUST_STATE_STOPPING
        self._group.killone(self._greenlet)
        return True

    def dispatch_to_the_end(self: UsersDispatcher) -> Iterator[Dispatch]:
        yield from dispatch(self)
        self._dispatch_in_progress = False

    User.stop = stop_before_the_next_task  # type: ignore[method-assign]
    UsersDispatcher._dispatcher = dispatch_to_the_end  # type: ignore[method-assign,assignment]


def read_no_configuration_files() -> None:
    """Let Locust's options come from its command line and environment only."""
    argument_parser.get_empty_argument_parser.__defaults__ = (True, ())
    argument_parser.get_parser.__defaults__ = ((),)
