"""Memory and descriptors over many requests: `python -m tests.bench.endurance [--requests N]`.

50 users share N requests (10,000,000 for the whole claim) to nginx on another core. Memory and open
descriptors are read 30 times on the way; the slope is of the last two thirds, when all is warm.
"""

import argparse
import os
from dataclasses import dataclass
from statistics import linear_regression

import psutil
from gevent.pool import Group
from locust.env import Environment

from locustfiles.clients.http import FastUser
from tests.bench.targets import nginx

USERS, SAMPLES = 50, 30


@dataclass(frozen=True)
class Sample:
    """The process after so many requests."""

    requests: int
    memory_bytes: int
    descriptors: int


def slope(samples: list[Sample]) -> float:
    """Return how many bytes of memory a request left behind, over the last two thirds."""
    warm = samples[len(samples) // 3 :]
    found = linear_regression([one.requests for one in warm], [one.memory_bytes for one in warm])
    return found.slope


def measure(url: str, requests: int) -> tuple[list[Sample], int]:
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
        samples.append(Sample(done, process.memory_info().rss, process.num_fds()))
    runner.quit()
    counted = environment.stats.total
    if counted.num_requests != samples[-1].requests:
        raise RuntimeError(f"{counted.num_requests} of {samples[-1].requests} were counted")
    return samples, counted.num_failures


def _ask(user: FastUser, requests: int) -> None:
    for _ in range(requests):
        user.client.get("/small")


def main() -> None:
    """Measure, and print one line for each sample and the slope."""
    parser = argparse.ArgumentParser(prog="tests.bench.endurance", description=__doc__)
    parser.add_argument("--requests", type=int, default=300_000)
    requests = parser.parse_args().requests
    if requests < SAMPLES * USERS:
        parser.error(f"--requests {requests}: at least {SAMPLES * USERS} are needed")
    cores = sorted(os.sched_getaffinity(0))
    with nginx(cores[0]) as urls:
        os.sched_setaffinity(0, {cores[-1]})
        samples, failures = measure(urls.http, requests)
    for one in samples:
        print(f"{one.requests:>12,} {one.memory_bytes / 1e6:8.2f} MB {one.descriptors:5} open")
    print(f"{failures} failures; {slope(samples):+.3f} bytes a request after the first third")


if __name__ == "__main__":
    main()
