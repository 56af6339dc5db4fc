"""Where the result of a request goes: to Locust's request event, or past it to those who listen.

Firing the event costs a fifth of a small request: a dict of ten fields, a copy of the listeners, a
call by keywords for each. An ordinary request (tally.py says which) may skip that if all listeners
say by `ordinarily` which of their methods takes one directly. Locust's own listener is known. If
there is any other listener, or one is missing, the event is fired as in plain Locust.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from locust.env import Environment
from locust.event import EventHook
from locust.runners import Runner

from loadgen.scenario.http import tally
from loadgen.scenario.http.tally import Ordinary

Listener = TypeVar("Listener", bound=Callable[..., Any])
_FIRE = EventHook.fire
_KEPT_AS = "_loadgen_outlet"
_LOCUSTS_LISTENER = "Runner.__init__.<locals>.on_request"


def ordinarily(method: str) -> Callable[[Listener], Listener]:
    """Mark a listener of the request event: `method` of its object takes ordinary requests."""

    def mark(listener: Listener) -> Listener:
        vars(listener)["ordinarily"] = method
        return listener

    return mark


class Outlet:
    """Knows who listens to one request event. `takers` take ordinary requests; none: fire it."""

    def __init__(self, event: EventHook) -> None:
        self.listeners: list[Any] = []
        self.takers: tuple[Ordinary, ...] = ()
        self._look(event)

    @classmethod
    def of(cls, event: EventHook) -> "Outlet":
        """Return the outlet of an event, one for all users; the event itself keeps it."""
        kept = vars(event)
        if _KEPT_AS not in kept:
            kept[_KEPT_AS] = cls(event)
        outlet: Outlet = kept[_KEPT_AS]
        return outlet

    def renew(self, event: EventHook) -> "Outlet":
        """Look again who listens; call it when `listeners` are not the event's any more."""
        self._look(event)
        return self

    def _look(self, event: EventHook) -> None:
        self.listeners = list(event._handlers)
        takers = [_taker(listener) for listener in self.listeners]
        plain = type(event).fire is _FIRE and "fire" not in vars(event)
        known = tuple(taker for taker in takers if taker is not None)
        self.takers = known if plain and len(known) == len(takers) else ()


def _taker(listener: Any) -> Ordinary | None:
    method = getattr(listener, "ordinarily", None)
    if method is not None:
        taker: Ordinary = getattr(listener.__self__, method)
        return taker
    if getattr(listener, "__qualname__", "") != _LOCUSTS_LISTENER:
        return None
    runners = [cell.cell_contents for cell in listener.__closure__ or ()]
    if len(runners) != 1 or not isinstance(runners[0], Runner):
        return None
    environment = runners[0].environment
    return _of_locust(environment) if tally.stands_for(environment.stats) else None


def _of_locust(environment: Environment) -> Ordinary:
    add = tally.add

    def take(
        method: str, name: str, milliseconds: float, size: int, _start: float, _status: int
    ) -> None:
        add(environment.stats, method, name, milliseconds, size)

    return take
