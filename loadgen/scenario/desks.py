"""Hands out a run's items, such as accounts or rows, over a whole fleet.

The master has the ledger and is the only one to hand out: a worker asks for some, over Locust's own
channel, and gives back what comes back. Without workers the same process does both. Each kind of
item has a `name` of its own, by which the messages of several kinds are told apart.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from gevent.event import AsyncResult
from gevent.lock import Semaphore
from gevent.timeout import Timeout
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadgen.scenario.ledger import Grant, Ledger

ANSWER_TIMEOUT_SECONDS = 30.0
AT_ONCE_MAX = 1000
Item = TypeVar("Item")


class Message(Protocol):
    """What Locust hands to a listener of messages."""

    node_id: str
    data: dict[str, Any]


class Desk(Protocol[Item]):
    """Hands out items."""

    def take(self) -> Grant[Item] | None:
        """Return an item by the ledger's policy; None when there is none."""

    def give_back(self, grant: int, *, refused: bool = False) -> None:
        """Take one back; one that was refused is not handed out again in this test."""

    def reset(self) -> None:
        """Begin a test: every item is free."""


class LedgerDesk(Generic[Item]):
    """The desk of the process that has the ledger: a master, or a run without workers.

    `shortage` is called once a test, when there is none for somebody.
    """

    def __init__(
        self,
        environment: Environment,
        name: str,
        ledger: Ledger[Item],
        shortage: Callable[[], None] = lambda: None,
    ) -> None:
        self.ledger = ledger
        self._name = name
        self._shortage = shortage
        self._said = False
        if isinstance(environment.runner, MasterRunner):
            self._master = environment.runner
            self._master.register_message(f"{name}_request", self._requested)
            self._master.register_message(f"{name}_return", self._returned)

    def take(self, holder: str | None = None) -> Grant[Item] | None:
        """Return an item by the ledger's policy; None when there is none."""
        grant = self.ledger.take(holder)
        if grant is None and holder is not None:
            self.ledger.reclaim(self._present_workers())
            grant = self.ledger.take(holder)
        if grant is None and not self._said:
            self._said = True
            self._shortage()
        return grant

    def give_back(self, grant: int, *, refused: bool = False) -> None:
        """Take one back, or out of use."""
        if refused:
            self.ledger.retire(grant)
        else:
            self.ledger.give_back(grant)

    def reset(self) -> None:
        """Begin a test: every item is free."""
        self._said = False
        self.ledger.reset()

    def _present_workers(self) -> set[str]:
        missing = {client.id for client in self._master.clients.missing}
        return {client.id for client in self._master.clients.all} - missing

    def _requested(self, msg: Message, **_: object) -> None:
        # A worker may ask for too much, so its request is limited here.
        wanted = min(max(1, int(msg.data.get("count", 1))), AT_ONCE_MAX)
        grants: list[tuple[int, Item]] = []
        while len(grants) < wanted and (grant := self.take(msg.node_id)):
            grants.append((grant.number, grant.item))
        data = {"number": msg.data["number"], "grants": grants}
        self._master.send_message(f"{self._name}_grant", data, client_id=msg.node_id)

    def _returned(self, msg: Message, **_: object) -> None:
        self.give_back(msg.data["grant"], refused=msg.data["refused"])


class WorkerDesk(Generic[Item]):
    """The desk of a worker: it asks the master for `at_once` items and keeps what is left."""

    def __init__(self, runner: WorkerRunner, name: str, at_once: int = 1) -> None:
        self._runner = runner
        self._name = name
        self._at_once = at_once
        self._waiting: dict[int, AsyncResult] = {}
        self._requests = 0
        self._kept: deque[Grant[Item]] = deque()
        self._one_asks = Semaphore()
        runner.register_message(f"{name}_grant", self._granted)

    def take(self) -> Grant[Item] | None:
        """Return one that is left, or ask for more and wait for the answer."""
        if self._at_once == 1:
            self._ask()
        else:
            with self._one_asks:
                if not self._kept:
                    self._ask()
        return self._kept.popleft() if self._kept else None

    def _ask(self) -> None:
        self._requests += 1
        number = self._requests
        answer = self._waiting[number] = AsyncResult()
        data = {"number": number, "count": self._at_once}
        self._runner.send_message(f"{self._name}_request", data)
        try:
            granted = answer.get(timeout=ANSWER_TIMEOUT_SECONDS)
        except Timeout:
            return
        finally:
            del self._waiting[number]
        self._kept.extend(Grant(number, item) for number, item in granted["grants"])

    def give_back(self, grant: int, *, refused: bool = False) -> None:
        """Tell the master that the item is free again, or of no use."""
        self._runner.send_message(f"{self._name}_return", {"grant": grant, "refused": refused})

    def reset(self) -> None:
        """Forget what was left: the master's ledger begins anew."""
        self._kept.clear()

    def _granted(self, msg: Message, **_: object) -> None:
        waiting = self._waiting.get(msg.data["number"])
        if waiting is not None:
            waiting.set(msg.data)


def make_desk(
    environment: Environment, name: str, at_once: int, make: Callable[[], LedgerDesk[Item]]
) -> Desk[Item]:
    """Return this process's desk for a kind of item; one for all that ask by the same name.

    `make` is called where the ledger belongs.
    """
    shared = vars(environment).setdefault("loadgen_desks", {})
    if name not in shared:
        runner = environment.runner
        shared[name] = (
            WorkerDesk(runner, name, at_once) if isinstance(runner, WorkerRunner) else make()
        )
    desk: Desk[Item] = shared[name]
    return desk
