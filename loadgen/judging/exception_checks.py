"""Checks of what a locustfile raises in its tasks, in on_stop, in listeners and in load shapes.

Each is one of the checks of `loadgen.judging.validity` and reads snapshots alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.judging.check import Reason
from loadgen.shared.snapshot import ExceptionCount, Snapshot
from loadgen.shared.text import clock

EXCEPTIONS_RATIO_MAX = 0.01
"""Of all requests."""


@dataclass
class Exceptions:
    """Exceptions that left a task, and users that ended by one: less was done than was asked."""

    _first: float | None = None
    _last: Snapshot | None = None
    _fewest: tuple[int, int] | None = None

    def add(self, snapshot: Snapshot) -> None:
        """Note when the first one came, and how many users ran."""
        self._last = snapshot
        if _of_tasks(snapshot) and self._first is None:
            self._first = snapshot.time
        short = snapshot.state == "running" and snapshot.users < snapshot.users_target
        if _of_tasks(snapshot) and short:
            self._fewest = (snapshot.users, snapshot.users_target)

    def reasons(self) -> list[Reason]:
        """Return one when users are missing, or when it was more than one request in a hundred."""
        if self._last is None or self._first is None:
            return []
        raised = _of_tasks(self._last)
        count = sum(one.occurrences for one in raised)
        if not self._fewest and count <= EXCEPTIONS_RATIO_MAX * _requests(self._last):
            return []
        users = (
            "only {} of {} users kept running, and ".format(*self._fewest) if self._fewest else ""
        )
        most = max(raised, key=lambda one: one.occurrences)
        sentence = (
            f"from {clock(self._first)} {users}{count:,} exceptions ended tasks of the locustfile, "
            f"most often {_line(most)}. The rest of these tasks was not done; see exceptions.csv"
        )
        return [Reason("exceptions", self._first, sentence)]


@dataclass
class _Outside:
    """Exceptions that came from elsewhere than a task: when the first one came, and all of them."""

    _first: float | None = None
    _raised: Sequence[ExceptionCount] = ()

    def add(self, snapshot: Snapshot) -> None:
        """Note when the first one came."""
        self._raised = [one for one in snapshot.exceptions if self._is_meant(one)]
        if self._first is None and self._raised:
            self._first = snapshot.time

    def _is_meant(self, raised: ExceptionCount) -> bool:
        raise NotImplementedError

    def _said(self) -> str:
        most = max(self._raised, key=lambda one: one.occurrences)
        count = sum(one.occurrences for one in self._raised)
        return f"from {clock(self._first or 0)} {_line(most)} ({count:,} such exceptions in all)"


class ListenerExceptions(_Outside):
    """Exceptions of listeners and load shapes: Locust itself ends with exit code 2 then."""

    def _is_meant(self, raised: ExceptionCount) -> bool:
        return raised.is_outside_tasks

    def reasons(self) -> list[Reason]:
        """Return one for any number of them."""
        if self._first is None or not self._raised:
            return []
        sentence = (
            f"{self._said()}. It came from an event listener, a load shape or the creation "
            f"of a user; exceptions.csv says where"
        )
        return [Reason("listeners", self._first, sentence)]


class StopExceptions(_Outside):
    """Exceptions of on_stop: what users do at their end was not done, and all else was."""

    def _is_meant(self, raised: ExceptionCount) -> bool:
        return raised.is_in_on_stop

    def reasons(self) -> list[Reason]:
        """Return a note for any number of them."""
        if self._first is None or not self._raised:
            return []
        sentence = f"{self._said()}; see exceptions.csv"
        return [Reason("on_stop", self._first, sentence, invalidates=False)]


def _of_tasks(snapshot: Snapshot) -> list[ExceptionCount]:
    return [one for one in snapshot.exceptions if not one.is_outside_tasks | one.is_in_on_stop]


def _line(raised: ExceptionCount) -> str:
    """Return its text on one line."""
    return " ".join(raised.error.split())


def _requests(snapshot: Snapshot) -> int:
    return sum(one.requests for one in snapshot.entries + snapshot.entries_after)
