"""What a part of the kit costs a request: one process, which has it for many requests in turn.

Processes that run one after the other differ by more than a part costs, so it is switched on and
off in one. The bench runs this with a URL, a number of pairs, how many requests each
turn takes, and the part:

kit   what a worker has before Locust's statistics, and the finer steps of its response times
log   the request log; what `kit` stands for is there in both

Prints `{"without": [...], "having": [...]}`, the CPU time of a request in microseconds each
time.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from locust import stats
from locust.env import Environment

from loadgen.node.request_log import RequestLog
from loadgen.node.statistics import odd_values, time_rounding
from loadgen.scenario.http import FastUser
from tests.bench.endurance import USERS

WARM_SECONDS = 2.0
PAUSE_SECONDS = 0.02

Switch = Callable[[bool], None]


def _get(user: FastUser) -> None:
    user.client.get("/small")


def _kit(environment: Environment) -> Switch:
    """Return what switches the kit's part on and off; it is on."""
    listeners, kept = environment.events.request._handlers, vars(environment.stats)
    plain, rounding = (list(listeners), dict(kept)), stats.bucket_response_time
    odd_values.install(environment)
    own = list(listeners), dict(kept)

    def switch(on: bool) -> None:
        listeners[:], fields = own if on else plain
        for name in ("log_request", "log_error"):
            kept.pop(name, None)
            if name in fields:
                kept[name] = fields[name]
        stats.bucket_response_time = time_rounding.bucket if on else rounding  # type: ignore[assignment]

    switch(True)
    return switch


def _log(environment: Environment, directory: Path) -> Switch:
    """Return what switches the request log on and off; it is off."""
    log, listeners = RequestLog(directory, "bench"), environment.events.request

    def switch(on: bool) -> None:
        if on:
            listeners.add_listener(log.add)
        else:
            listeners.remove_listener(log.add)

    return switch


def measure(
    url: str, pairs: int, requests: int, part: str, directory: Path
) -> dict[str, list[float]]:
    """Load the URL without a pause; the order within a pair changes from one to the next."""
    user_class = type("Switched", (FastUser,), {"host": url, "tasks": [_get]})
    environment = Environment(user_classes=[user_class])
    runner = environment.create_local_runner()
    switch = _kit(environment)
    if part == "log":
        switch = _log(environment, directory)
    else:
        switch(False)
    found: dict[str, list[float]] = {"without": [], "having": []}
    runner.start(USERS, USERS)
    gevent.sleep(WARM_SECONDS)
    for number in range(pairs):
        for on in (number % 2 == 0, number % 2 == 1):
            if on:
                switch(True)
            found["having" if on else "without"].append(_cpu_of_a_request(environment, requests))
            if on:
                switch(False)
    runner.quit()
    if environment.stats.num_failures:
        raise RuntimeError(f"{environment.stats.num_failures} requests failed")
    return found


def _cpu_of_a_request(environment: Environment, requests: int) -> float:
    before: int = environment.stats.num_requests
    cpu, answered = time.process_time(), 0
    while answered < requests:
        gevent.sleep(PAUSE_SECONDS)
        answered = environment.stats.num_requests - before
    return (time.process_time() - cpu) / answered * 1e6


if __name__ == "__main__":
    _, target, pairs_wanted, requests_a_turn, switched = sys.argv
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        numbers = int(pairs_wanted), int(requests_a_turn)
        print(json.dumps(measure(target, *numbers, switched, Path(name))))
