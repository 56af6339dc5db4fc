"""The user under measurement; BENCH_USER, BENCH_TASK and BENCH_RESULT say which, what and where."""

import json
import os
import sys
import time
from array import array
from pathlib import Path
from typing import Any

import gevent
import psutil
from locust import FastHttpUser, HttpUser, constant, events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadgen.node import channel
from loadgen.scenario.http import FastUser

_USERS: dict[str, type[Any]] = {
    "HttpUser": HttpUser,
    "FastHttpUser": FastHttpUser,
    "FastUser": FastUser,
}
_BASE = _USERS[os.environ.get("BENCH_USER", "FastUser")]
_TASK = os.environ.get("BENCH_TASK", "get")
_RESULT = Path(os.environ["BENCH_RESULT"])
_WAIT_SECONDS = float(os.environ.get("BENCH_WAIT", "0"))
_RATE = float(os.environ.get("BENCH_RATE", "0"))  # requests a second of each user
_BODY = {"name": "value", "numbers": [1, 2, 3]}


def _get(user: Any) -> None:
    user.client.get("/small")


def _get_10_kb(user: Any) -> None:
    user.client.get("/10kb")


def _post(user: Any) -> None:
    user.client.post("/small", json=_BODY)


def _caught(user: Any) -> None:
    with user.client.post("/small", json=_BODY, catch_response=True) as response:
        if response.status_code != 200:
            response.failure("unexpected status")


def _event(user: Any) -> None:
    for number in range(50):
        user.environment.events.request.fire(
            request_type="GET",
            name=f"/page/{number}",
            response_time=5.0 + number,
            response_length=100,
            exception=None,
            context={},
        )
    gevent.sleep(0)


_HAL = {"Accept": "application/hal+json", "X-XSRF-TOKEN": "0123456789abcdef"}


def _mix(user: Any) -> None:
    """What a visit to DSpace is made of: pages of JSON that are checked, a search, a form."""
    client = user.client
    for page in ("/10kb?scope=top", "/small?embed=owningCollection", "/10kb?page=2"):
        with client.get(page, name="/page", headers=_HAL, catch_response=True) as response:
            if not response.text:
                response.failure("empty")
    terms = {"query": "load test", "size": 20, "sort": "score,DESC"}
    with client.get(
        "/10kb", name="/search", params=terms, headers=_HAL, catch_response=True
    ) as response:
        if response.status_code != 200:
            response.failure("unexpected status")
    client.post("/small", data={"user": "reader@example.org", "password": "x y"}, headers=_HAL)
    client.get("/small", headers=_HAL)


_TASKS = {
    "mix": _mix,
    "event": _event,
    "get": _get,
    "10kb": _get_10_kb,
    "post": _post,
    "caught": _caught,
}


_woke_late = array("d")


def _begin_wait(user: Any) -> float:
    user.waits_until = time.perf_counter() + _WAIT_SECONDS
    return _WAIT_SECONDS


def _end_wait(user: Any) -> None:
    if until := getattr(user, "waits_until", None):
        _woke_late.append(time.perf_counter() - until)
    _TASKS[_TASK](user)


def _begin_pace(user: Any) -> float:
    """Wait for the time that the user's next request is due, and count from there if it is late."""
    now = time.perf_counter()
    due = getattr(user, "due", now) + 1 / _RATE
    user.due = due
    if isinstance(user, FastUser):
        user.client.intended_start = due
    return max(0.0, due - now)


class BenchUser(_BASE):  # type: ignore[misc,valid-type]
    """Requests without a pause, or with BENCH_WAIT seconds between them."""

    wait_time = _begin_pace if _RATE else _begin_wait if _WAIT_SECONDS else constant(0)
    tasks = [_end_wait if _WAIT_SECONDS else _TASKS[_TASK]]  # noqa: RUF012 - Locust's interface
    insecure = True

    def on_start(self) -> None:
        """Accept the target's self-signed certificate, as `insecure` does for the others."""
        if isinstance(self, HttpUser):
            self.client.verify = False


class Meter:
    """Counts from the moment when all users run to the end of the test."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._times = array("d")
        self._start = (0.0, 0.0, 0)
        environment.events.spawning_complete.add_listener(self.begin)
        environment.events.test_stop.add_listener(self.end)
        if os.environ.get("BENCH_TIMES"):
            environment.events.request.add_listener(self.note)

    def _now(self) -> tuple[float, float, int]:
        return time.perf_counter(), time.process_time(), self._environment.stats.num_requests

    def begin(self, **_: object) -> None:
        self._times = array("d")
        self._start = self._now()

    def note(self, response_time: float, **_: object) -> None:
        self._times.append(response_time)

    def end(self, **_: object) -> None:
        seconds, cpu, requests = (b - a for a, b in zip(self._start, self._now(), strict=True))
        found = {"seconds": seconds, "cpu_seconds": cpu, "requests": requests}
        found["failures"] = self._environment.stats.num_failures
        times = sorted(self._times)
        for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99)):
            found[name] = times[int(len(times) * share)] if times else 0.0
        found["min_ms"] = times[0] if times else 0.0
        _RESULT.write_text(json.dumps(found))


class UserMeter:
    """What many waiting users take: time to start, memory, and how late they wake from a wait."""

    def __init__(self, environment: Environment) -> None:
        self._process = psutil.Process()
        self._before = (0.0, 0)
        self.found: dict[str, float] = {}
        environment.events.test_start.add_listener(self.begin)
        environment.events.spawning_complete.add_listener(self.complete)
        environment.events.test_stopping.add_listener(self.end)

    def begin(self, **_: object) -> None:
        self._before = time.perf_counter(), self._process.memory_info().rss

    def complete(self, user_count: int, **_: object) -> None:
        began, memory = self._before
        self.found["ramp_seconds"] = time.perf_counter() - began
        grown = self._process.memory_info().rss - memory
        self.found["memory_bytes_a_user"] = grown / user_count
        del _woke_late[:]

    def end(self, **_: object) -> None:
        late = sorted(_woke_late)
        for name, share in (("late_p50_ms", 0.5), ("late_p99_ms", 0.99)):
            self.found[name] = late[int(len(late) * share)] * 1000 if late else 0.0


class ReportMeter:
    """Counts in a worker of a distributed run, from one report to the master to another."""

    def __init__(self, environment: Environment) -> None:
        self._points: list[tuple[float, float, int, int]] = []
        self._begun = False
        environment.events.spawning_complete.add_listener(self.begin)
        environment.events.report_to_master.add_listener(self.note)
        environment.events.test_stop.add_listener(self.end)
        self._users = UserMeter(environment)

    def begin(self, **_: object) -> None:
        self._begun = True
        _RESULT.with_suffix(".begun").touch()

    def note(self, data: dict[str, Any], **_: object) -> None:
        if self._begun:
            total = data["stats_total"]
            counts = (total["num_requests"], total["num_failures"])
            self._points.append((time.perf_counter(), time.process_time(), *counts))

    def end(self, **_: object) -> None:
        first, *rest = self._points
        found = {
            "seconds": rest[-1][0] - first[0],
            "cpu_seconds": rest[-1][1] - first[1],
            "requests": sum(point[2] for point in rest),
            "failures": sum(point[3] for point in rest),
            **self._users.found,
        }
        part = _RESULT.with_suffix(".part")
        part.write_text(json.dumps(found))
        part.rename(_RESULT)


def _measure(environment: Environment, **_: object) -> None:
    if isinstance(environment.runner, MasterRunner):
        return
    (ReportMeter if isinstance(environment.runner, WorkerRunner) else Meter)(environment)


if keys := os.environ.get("BENCH_KEYS"):
    channel.install("worker" if "--worker" in sys.argv else "master", Path(keys))
events.init.add_listener(_measure)
