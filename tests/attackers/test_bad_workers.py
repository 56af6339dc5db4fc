"""Workers with a good key and bad manners: the master and the run live on, the log names them."""

import copy
import itertools
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

from loadgen.node.channel import MAXIMUM_MESSAGE_BYTES
from tests.attackers.peers import LOCUST_VERSION, Worker, keys, lines_of, memory_bytes, start
from tests.faults.record import Outcome
from tests.local.conftest import Run, Runner

PART = "Attackers: a worker with a valid key"
MEGABYTE = 1 << 20
# What a worker can say of itself, and the run is invalid for it.
LIES = {"mismatch", "clock_offset", "exceptions"}
WRONG: tuple[Any, ...] = (
    *(None, True, -1, 2**63, 1.5, float("nan"), float("inf"), -1e300, "text", "", b"\xff"),
    *([], [[]], {}, {"x": "y"}, {1: -5}, {"nan": float("nan")}, {"__datetime__": 1}),
    {"__ObjectId__": True, "as_str": "x"},
)
ENTRY = {
    "name": "/hello", "method": "GET", "last_request_timestamp": 1.7e9, "start_time": 1.7e9,
    "num_requests": 0, "num_none_requests": 0, "num_failures": 0, "total_response_time": 0,
    "max_response_time": 0, "min_response_time": None, "total_content_length": 0,
    "response_times": {}, "num_reqs_per_sec": {}, "num_fail_per_sec": {},
}  # fmt: skip
ERROR = {"name": "/hello", "method": "GET", "error": "none", "occurrences": 0}
OWN = {
    "test": 1, "sequence": 1, "requests": 0, "final": False, "clock": 1.7e9, "cpu_percent": 1.0,
    "memory_bytes": 1, "release": "x", "locust_version": "x", "stalled_seconds": 0.0,
    "requests_cut": 0, "phase": "measured", "measured_seconds": 0.0,
}  # fmt: skip
DATA: dict[str, Any] = {
    "client_ready": LOCUST_VERSION,
    "locustfile": {"version": LOCUST_VERSION},
    "heartbeat": {"state": "running", "current_cpu_usage": 1.0, "current_memory_usage": 1},
    "stats": {
        "stats": [ENTRY], "stats_total": ENTRY, "errors": {"e": ERROR}, "loadgen": OWN,
        "user_classes_count": {"HelloUser": 0}, "user_count": 0,
    },
    "spawning": None,
    "spawning_complete": {"user_classes_count": {"HelloUser": 0}, "user_count": 0},
    "logs": {"worker_id": "bad", "logs": ["line"]},
    "exception": {"msg": "m", "traceback": "t"},
}  # fmt: skip


def places(data: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value inside data, and to the whole."""
    yield above
    inside = (
        data.items() if isinstance(data, dict) else enumerate(data) if type(data) is list else ()
    )
    for key, value in inside:
        yield from places(value, (*above, key))


def with_wrong(data: Any, place: tuple[Any, ...], wrong: Any) -> Any:
    """Return data with one value replaced."""
    if not place:
        return wrong
    whole = copy.deepcopy(data)
    holder = whole
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = wrong
    return whole


def wrong_messages() -> list[bytes]:
    """Every message type with every wrong value in every place."""
    return [
        msgpack.packb((kind, with_wrong(data, place, wrong), "bad"))
        for kind, data in DATA.items()
        for place, wrong in itertools.product(places(data), WRONG)
    ]


def ended(run: Run, *allowed: str) -> str:
    """Return how the run ended, after looking that its measurement is whole."""
    code = run.wait()
    # The bad worker was seen and lost, or came and went between two looks: either is the truth.
    assert code in (0, 3), run.output + run.logs()
    assert run.summary["requests"] >= 20
    assert run.summary["failures"] == 0
    assert run.summary["response_time_seconds"]["p95"] is not None
    lost = [kind for kind in run.summary["reason_kinds"] if kind != "lost_worker"]
    assert not set(lost) - LIES - {*allowed}, run.summary["reasons"]
    return f"verdict {run.summary['verdict']}"


@pytest.mark.fault(
    PART, "A worker sends each type of message with a wrong value in each of its fields."
)
def test_a_wrong_value_in_any_place_is_dropped(loadgen: Runner, outcome: Outcome) -> None:
    run = start(loadgen, 12)
    sent = wrong_messages()
    with Worker(run, keys(loadgen), "bad") as bad:
        for message in sent:
            bad.send(message)
        with Worker(run, keys(loadgen), "friend") as friend:
            assert friend.is_answered(), run.logs()
    verdict = ended(run)
    assert lines_of(run, "Dropped", "worker 'bad' of localhost", "malformed")
    assert "Traceback" not in run.logs(), run.logs()
    assert run.output.count("bad") < 20, "the offender floods the output"
    outcome(
        f"{verdict}; the master drops each malformed one of {len(sent):,} messages, and its "
        "log names the worker."
    )


@pytest.mark.fault(
    PART, "A worker sends msgpack messages of 15, 17 and 200 MB that grow when they are unpacked."
)
def test_huge_messages_cost_memory_for_a_moment_only(loadgen: Runner, outcome: Outcome) -> None:
    run = start(loadgen, 20)
    size = 15 * MEGABYTE
    many = b"\xdd" + size.to_bytes(4)
    short = b"\xdd" + (size // 3).to_bytes(4)
    bombs = [
        b"\x93\xa5stats" + many + b"\x90" * size + b"\xa3bad",
        b"\x93\xa5stats" + many + b"\xc0" * size + b"\xa3bad",
        b"\x93\xa5stats" + short + b"\xa2ab" * (size // 3) + b"\xa3bad",
        b"\x93\xa5stats" + b"\xdb" + size.to_bytes(4) + b"x" * size + b"\xa3bad",
        b"\x91" * size,
        many,
        b"x" * (MAXIMUM_MESSAGE_BYTES + MEGABYTE),
        b"x" * (200 * MEGABYTE),
    ]
    before = most = memory_bytes(run)
    with Worker(run, keys(loadgen), "bad") as bad:
        for bomb in bombs:
            bad.send(bomb)
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                most = max(most, memory_bytes(run))
                time.sleep(0.02)
        with Worker(run, keys(loadgen), "friend") as friend:
            assert friend.is_answered(), run.logs()
    verdict = ended(run)
    gained = (most - before) / MEGABYTE
    assert gained < 600, f"the master grew by {gained:.0f} MB"
    assert lines_of(run, "the message of a worker of localhost can't be read")
    outcome(f"{verdict}; the master's memory grew by {gained:.0f} MB at most.")


@pytest.mark.fault(PART, "A worker reports 20 exceptions of 5 MB, 20,000 names and errors of 1 MB.")
def test_what_is_kept_of_a_worker_is_bounded(loadgen: Runner, outcome: Outcome) -> None:
    run = start(loadgen, 14)
    before = memory_bytes(run)
    with Worker(run, keys(loadgen), "bad") as bad:
        for number in range(20):
            bad.say("exception", {"msg": "m", "traceback": f"{number}" + "t" * 5 * MEGABYTE})
            names = [{**ENTRY, "name": f"{number}-{one}"} for one in range(1000)]
            error = {**ERROR, "error": f"{number}" + "e" * MEGABYTE}
            bad.say("stats", {**DATA["stats"], "stats": names, "errors": {f"{number}": error}})
        with Worker(run, keys(loadgen), "friend") as friend:
            assert friend.is_answered(), run.logs()
    gained = (memory_bytes(run) - before) / MEGABYTE
    verdict = ended(run, "generator_cpu", "note")
    assert gained < 110, f"the master grew by {gained:.0f} MB"
    outcome(f"{verdict}; the master received 130 MB, and its memory grew by {gained:.0f} MB.")


@pytest.mark.fault(PART, "A worker sends as many messages as it can for 5 s.")
def test_a_flood_of_messages_keeps_the_master_from_nothing(
    loadgen: Runner, outcome: Outcome
) -> None:
    run = start(loadgen, 14)
    count = 0
    with Worker(run, keys(loadgen), "bad") as bad:
        bad.socket.linger = 0
        until = time.monotonic() + 5
        while time.monotonic() < until:
            bad.say("no such type", None, "somebody else")
            count += 1
        with Worker(run, keys(loadgen), "friend") as friend:
            assert friend.is_answered(), run.logs()
    verdict = ended(run, "generator_cpu", "note")  # the flood can take all of the master's core
    assert lines_of(run, "another worker as its sender")
    assert len(run.logs()) < MEGABYTE, "the flood reached the disk"
    outcome(
        f"{verdict}; the master wrote {len(run.logs()) // 1024} KiB of log for {count:,} messages."
    )
