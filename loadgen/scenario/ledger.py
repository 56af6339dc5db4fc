"""Who holds which of a run's items, such as accounts or rows; one process keeps it, the master."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Item = TypeVar("Item")
Policy = Literal["own", "once", "round_robin"]


@dataclass(frozen=True)
class Grant(Generic[Item]):
    """An item that was handed out; `number` is that of its handing out, from 1."""

    number: int
    item: Item


class Ledger(Generic[Item]):
    """Hands out items. A holder is a worker's identity; `None` is this process.

    own: an item is with one holder until it comes back. once: it never does. round_robin: it can
    be with several, and each has its turn before one has a second.
    """

    def __init__(self, items: Sequence[Item], policy: Policy = "own") -> None:
        self.items = list(items)
        self._policy = policy
        self._grants = 0
        self.reset()

    def reset(self) -> None:
        """Take every item back: a new test begins."""
        self._free = deque(self.items)
        self._held: dict[int, tuple[str | None, Item]] = {}

    def take(self, holder: str | None) -> Grant[Item] | None:
        """Hand out an item; None when there is none. Unused ones go first."""
        if not self._free:
            return None
        item = self._free.popleft()
        self._grants += 1
        if self._policy == "own":
            self._held[self._grants] = (holder, item)
        elif self._policy == "round_robin":
            self._free.append(item)
        return Grant(self._grants, item)

    def give_back(self, grant: int) -> None:
        """Take an item back. A grant from before a reset says nothing any more."""
        if grant in self._held:
            self._free.append(self._held.pop(grant)[1])

    def retire(self, grant: int) -> None:
        """Hand an item out no more in this test: an account's wrong password could lock it."""
        self._held.pop(grant, None)

    def reclaim(self, present: set[str]) -> None:
        """Take back what workers hold that are not present any more."""
        gone = [
            grant
            for grant, (holder, _) in self._held.items()
            if holder is not None and holder not in present
        ]
        for grant in gone:
            self.give_back(grant)
