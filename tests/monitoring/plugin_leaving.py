"""A locustfile for tests: its requests take a while, and a file counts them as a target does."""

import os
import time
from pathlib import Path

import gevent
from locust import User, constant, task

from loadgen.node import locust_fixes
from tests.monitoring.plugin import install  # noqa: F401 - Locust's `init` event calls it

locust_fixes.install()

COUNT = Path(os.environ["TEST_NODE_SETTINGS"]).with_name("received")
SECONDS = (0.05, 1.5, 0.2)


class Patient(User):
    """Always has one request under way; how long it takes depends on the worker."""

    host = "http://shop.test"
    wait_time = constant(0.01)

    @task
    def page(self) -> None:
        with COUNT.open("ab") as file:
            file.write(b".")
        began = time.monotonic()
        gevent.sleep(SECONDS[self.environment.runner.worker_index % len(SECONDS)])
        self.environment.events.request.fire(
            request_type="GET",
            name="/page",
            response_time=1000 * (time.monotonic() - began),
            response_length=100,
            exception=None,
            context={},
        )
