"""A locustfile that measures itself: users fire request events as fast as the worker can.

No target, no network: whatever the exporter takes from a generator or the master shows.
"""

import itertools
import os
from pathlib import Path

import gevent
from locust import User, events, task
from locust.env import Environment
from locust.runners import MasterRunner

from exporter import publisher, reporter
from operations.settings import load_node_settings

NAMES = int(os.environ.get("BENCH_NAMES", "200"))
PUBLISHED = os.environ.get("BENCH_PUBLISHED", "1") == "1"


@events.init.add_listener  # type: ignore[untyped-decorator]
def install(environment: Environment, **_: object) -> None:
    settings = load_node_settings(Path(os.environ["TEST_NODE_SETTINGS"]))
    if not isinstance(environment.runner, MasterRunner):
        reporter.install(environment, settings, None)
    elif PUBLISHED:
        publisher.install(environment, settings, None)


class Busy(User):
    host = "http://nowhere.test"
    numbers = itertools.count()

    @task
    def burst(self) -> None:
        for number in itertools.islice(self.numbers, 50):
            self.environment.events.request.fire(
                request_type="GET",
                name=f"/page/{number % NAMES}",
                response_time=5.0 + number % 977 / 10,
                response_length=100,
                exception=None,
                context={},
            )
        gevent.sleep(0)
