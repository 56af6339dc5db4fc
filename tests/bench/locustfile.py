"""The user under measurement; BENCH_USER, BENCH_TASK and BENCH_RESULT say which, what and where."""

import json
import os
import time
from array import array
from pathlib import Path
from typing import Any

from locust import FastHttpUser, HttpUser, constant, events
from locust.env import Environment

from locustfiles.clients.http import FastUser

_USERS: dict[str, type[Any]] = {
    "HttpUser": HttpUser,
    "FastHttpUser": FastHttpUser,
    "FastUser": FastUser,
}
_BASE = _USERS[os.environ.get("BENCH_USER", "FastUser")]
_TASK = os.environ.get("BENCH_TASK", "get")
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


_TASKS = {"get": _get, "10kb": _get_10_kb, "post": _post, "caught": _caught}


class BenchUser(_BASE):  # type: ignore[misc,valid-type]
    """Requests without a pause, or with BENCH_WAIT seconds between them."""

    wait_time = constant(float(os.environ.get("BENCH_WAIT", "0")))
    tasks = [_TASKS[_TASK]]  # noqa: RUF012 - Locust's interface
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
        Path(os.environ["BENCH_RESULT"]).write_text(json.dumps(found))


def _measure(environment: Environment, **_: object) -> None:
    Meter(environment)


events.init.add_listener(_measure)
