"""Memory and descriptors over many requests; the bench runs this with a URL and their number.

50 users share the requests. Memory and open descriptors are read 30 times on the way. Prints
`{"samples": [[requests, bytes, descriptors], ...], "failures": N}`.
"""

import json
import sys

import psutil
from gevent.pool import Group
from locust.env import Environment

from loadgen.scenario.http import FastUser

USERS, SAMPLES = 50, 30


def measure(url: str, requests: int) -> tuple[list[tuple[int, int, int]], int]:
    """Send the requests with full statistics; return the samples and the number of failures."""
    user_class = type("Endurance", (FastUser,), {"host": url})
    environment = Environment(user_classes=[user_class])
    runner = environment.create_local_runner()  # it keeps the statistics
    users = [user_class(environment) for _ in range(USERS)]
    process, samples = psutil.Process(), []
    for number in range(1, SAMPLES + 1):
        group = Group()
        for user in users:
            group.spawn(_ask, user, requests // (SAMPLES * USERS))
        group.join(raise_error=True)
        done = number * (requests // (SAMPLES * USERS)) * USERS
        samples.append((done, process.memory_info().rss, process.num_fds()))
    runner.quit()
    counted = environment.stats.total
    if counted.num_requests != done:
        raise RuntimeError(f"{counted.num_requests} of {done} were counted")
    return samples, counted.num_failures


def _ask(user: FastUser, requests: int) -> None:
    for _ in range(requests):
        user.client.get("/small")


if __name__ == "__main__":
    found, failures = measure(sys.argv[1], int(sys.argv[2]))
    print(json.dumps({"samples": found, "failures": failures}))
