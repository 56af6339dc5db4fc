"""What the request log costs: one process, which logs in every other second.

Processes that run one after the other differ by more than a log costs, so the log is switched on
and off in one. The bench runs this with a URL and a number of pairs; prints
`{"plain": [...], "logged": [...]}`, the CPU time of a request in microseconds in each second.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import gevent
from locust.env import Environment

from loadgen.node.request_log import RequestLog
from loadgen.node.statistics import odd_values
from loadgen.scenario.http import FastUser
from tests.bench.endurance import USERS

WARM_SECONDS = 2.0
SECONDS = 1.0


def _get(user: FastUser) -> None:
    user.client.get("/small")


def measure(url: str, pairs: int, directory: Path) -> dict[str, list[float]]:
    """Load the URL without a pause; the order within a pair changes from one to the next."""
    user_class = type("Logged", (FastUser,), {"host": url, "tasks": [_get]})
    environment = Environment(user_classes=[user_class])
    runner = environment.create_local_runner()
    odd_values.install(environment)
    log = RequestLog(directory, "bench")
    listeners = environment.events.request
    found: dict[str, list[float]] = {"plain": [], "logged": []}
    runner.start(USERS, USERS)
    gevent.sleep(WARM_SECONDS)
    for number in range(pairs):
        for logged in (number % 2 == 0, number % 2 == 1):
            if logged:
                listeners.add_listener(log.add)
            found["logged" if logged else "plain"].append(_second(environment))
            if logged:
                listeners.remove_listener(log.add)
    runner.quit()
    if environment.stats.num_failures:
        raise RuntimeError(f"{environment.stats.num_failures} requests failed")
    return found


def _second(environment: Environment) -> float:
    requests: int = environment.stats.num_requests
    cpu = time.process_time()
    gevent.sleep(SECONDS)
    answered: int = environment.stats.num_requests - requests
    return (time.process_time() - cpu) / answered * 1e6


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), Path(name))))
