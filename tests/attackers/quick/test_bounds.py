"""However much admitted workers say, the master keeps a bounded part of it, and every request."""

import copy
import time
import tracemalloc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locust import events, stats
from locust.env import Environment
from locust.runners import MasterRunner, Runner

from loadgen.node import message_bounds
from loadgen.node.message_bounds import Bounds, forget_old_seconds
from loadgen.node.message_shapes import fault
from loadgen.node.statistics.time_rounding import bucket
from loadgen.shared.snapshot import BEYOND_BOUNDS
from tests.attackers.test_bad_workers import DATA, ENTRY, ERROR
from tests.faults.record import Outcome

PART = "Attackers: a worker with a valid key"
MEGABYTE = 1 << 20


class Master:
    """What a master keeps, without its sockets."""

    def __init__(self) -> None:
        self.environment = Environment(events=events.__class__())
        self.stats = self.environment.stats
        self.exceptions: dict[int, Any] = {}
        self.logs: dict[str, Any] = {}
        self.bounds = Bounds()
        stats.setup_distributed_stats_event_listeners(self.environment.events, self.stats)

    def take(self, kind: str, data: Any, owner: str = "w1", worker: str = "w1_1") -> str | None:
        """Do with a message what a guarded master does; return why it was refused."""
        if reason := fault(kind, data) or self.bounds.refusal(owner, worker, kind, data):
            return reason
        self.bounds.apply(owner, kind, data, cast("MasterRunner", self))
        if kind == "stats":
            self.environment.events.worker_report.fire(client_id=worker, data=data)
            forget_old_seconds(data, self.stats)
        elif kind == "exception":
            mine = cast("Runner", SimpleNamespace(exceptions=self.exceptions))
            Runner.log_exception(mine, worker, data["msg"], data["traceback"])
        elif kind == "logs":
            self.logs[data["worker_id"]] = data["logs"]
        return None

    def requests(self) -> int:
        return sum(entry.num_requests for entry in self.stats.entries.values())


def report(entries: list[dict[str, Any]], errors: dict[str, Any] | None = None) -> dict[str, Any]:
    data = copy.deepcopy(DATA["stats"])
    data["stats"] = [{**copy.deepcopy(ENTRY), **entry} for entry in entries]
    data["errors"] = errors or {}
    return cast("dict[str, Any]", data)


def floods(size: int) -> Iterator[tuple[str, Any]]:
    """Everything that a worker can have kept, more and more of it."""
    for part in range(size):
        some = range(part * 1000, part * 1000 + 1000)
        now = time.time()
        yield "stats", report([{"name": f"{one}{'x' * 2000}", "num_requests": 1} for one in some])
        yield "stats", report([{"response_times": {one / 1000: 1 for one in some}}])
        yield "stats", report([{"response_times": {one * 1e9: 1 for one in some}}])
        yield "stats", report([{"num_reqs_per_sec": {int(now) + one: 1 for one in some}}])
        errors = {f"{one}{'k' * 5000}": {**ERROR, "error": f"{one}{'e' * 3000}"} for one in some}
        yield "stats", report([], errors)
        yield "exception", {"msg": "m" * MEGABYTE, "traceback": f"{part}{'t' * 5 * MEGABYTE}"}
        yield "logs", {"worker_id": f"w1_{part}", "logs": ["l" * 10_000] * 1000}
        yield "heartbeat", {"state": "running", "current_cpu_usage": 1.0}


@pytest.mark.fault(
    PART,
    "A worker sends an endless number of new names, errors, response times, exceptions and logs.",
)
def test_what_one_key_says_takes_a_bounded_part_of_memory(
    outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A tenth of the real bounds, reached in a tenth of the time.
    for name in ("KEY_CELLS_MAX", "SUM_CELLS_MAX", "KEY_KEPT_CHARACTERS_MAX"):
        monkeypatch.setattr(message_bounds, name, getattr(message_bounds, name) // 10)
    master = Master()
    tracemalloc.start()
    for number, (kind, data) in enumerate(floods(4)):
        assert master.take(kind, data, worker=f"w1_{number // 8}") is None
    kept = tracemalloc.get_traced_memory()[0] / MEGABYTE
    tracemalloc.stop()

    assert kept < 40, f"the master keeps {kept:.0f} MB"
    assert master.requests() == 4000
    assert (BEYOND_BOUNDS, "") in master.stats.entries
    outcome(
        f"With limits of a tenth of the usual ones, the master keeps {kept:.0f} of 100 MB and "
        "loses no request."
    )


def test_one_key_takes_nothing_from_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_bounds, "KEY_CELLS_MAX", 1000)
    master = Master()
    master.take("stats", report([{"name": f"bad{one}", "num_requests": 1} for one in range(99)]))
    master.take("stats", report([{"name": "good", "num_requests": 3}]), "w2", "w2_1")

    assert master.stats.entries["good", "GET"].num_requests == 3
    assert master.requests() == 102


def test_a_new_test_begins_with_a_whole_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_bounds, "KEY_CELLS_MAX", 60)
    master = Master()
    for name in ("first", "second"):
        master.take("stats", report([{"name": name, "num_requests": 1}]))
    assert ("second", "GET") not in master.stats.entries
    master.stats.clear_all()
    master.take("stats", report([{"name": "second", "num_requests": 1}]))

    assert ("second", "GET") in master.stats.entries


def test_a_key_with_too_many_workers_has_its_next_one_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(message_bounds, "WORKERS_MAX", 2)
    master = Master()
    heard = [master.take("heartbeat", DATA["heartbeat"], worker=f"w{one}") for one in (1, 2, 1, 3)]

    assert [reason is None for reason in heard] == [True, True, True, False]


@settings(max_examples=50)
@given(st.dictionaries(st.floats(0, 1e9), st.integers(1, 9), max_size=50))
def test_response_times_become_few_and_none_is_lost(times: dict[float, int]) -> None:
    master = Master()
    assert master.take("stats", report([{"response_times": dict(times)}])) is None
    kept = master.stats.entries["/hello", "GET"].response_times

    assert sum(kept.values()) == sum(times.values())
    assert all(bucket(one) == one for one in kept)


def test_what_honest_workers_say_is_kept_as_it_is() -> None:
    master = Master()
    now = int(time.time())
    times = {bucket(one * 1.7): one for one in range(1, 200)}
    entry = {"response_times": dict(times), "num_reqs_per_sec": {now: 5}, "num_requests": 5}
    master.take("stats", report([entry], {"e": {**ERROR, "occurrences": 2}}))
    merged = master.stats.entries["/hello", "GET"]

    assert dict(merged.response_times) == times
    assert dict(merged.num_reqs_per_sec) == {now: 5}
    assert master.stats.errors["e"].occurrences == 2


def test_a_text_is_cut_to_its_bound_and_shows_that() -> None:
    kept = message_bounds.cut("x" * 5_000_000, message_bounds.ERROR_CHARACTERS_MAX)
    assert len(kept) == message_bounds.ERROR_CHARACTERS_MAX
    assert kept.endswith("\N{HORIZONTAL ELLIPSIS}")
    assert message_bounds.cut("short", 10) == "short"
