"""A locustfile for tests: installs publisher and reporter as the launcher does, and makes load.

Its users make requests that need no target: each fires Locust's request event with a response
time that its name tells, so that every count can be known.
"""

import os
from pathlib import Path

from locust import User, constant_throughput, events, task
from locust.env import Environment
from locust.runners import MasterRunner

from loadgen.node.settings import load_node_settings, load_run_settings
from loadgen.node.statistics import publisher, reporter


@events.init.add_listener  # type: ignore[untyped-decorator]
def install(environment: Environment, **_: object) -> None:
    settings = load_node_settings(Path(os.environ["TEST_NODE_SETTINGS"]))
    run = load_run_settings(settings)
    if isinstance(environment.runner, MasterRunner):
        publisher.install(environment, settings, run)
    else:
        reporter.install(environment, settings, run)


class Visitor(User):
    """Ten requests a second, one in ten of them a failure."""

    host = "http://user:secret@shop.test"
    wait_time = constant_throughput(10)

    @task(9)
    def page(self) -> None:
        self._fire("/page", 12.0, None)

    @task(1)
    def broken(self) -> None:
        self._fire("/broken", 340.0, ConnectionError("refused"))

    def _fire(self, name: str, milliseconds: float, error: Exception | None) -> None:
        self.environment.events.request.fire(
            request_type="GET",
            name=name,
            response_time=milliseconds,
            response_length=100,
            exception=error,
            context={},
        )
