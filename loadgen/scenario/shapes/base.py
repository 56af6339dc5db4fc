"""What the shapes share: options, and a plan that is asked once a second.

Locust asks a shape's `tick` on the master alone, or in the one process of a local run; workers only
get users to start and stop. A shape is used when its class stands in a locustfile, imported or as a
further file: `LOCUSTFILE=locustfiles/teastore.py,locustfiles/shapes/spike.py`. Locust starts each
change by itself and waits until it is reached, so steps shorter than their ramp are skipped.
"""

import argparse
import logging
import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from locust import LoadTestShape
from locust.env import Environment
from locust.util.timespan import parse_timespan

from loadgen.scenario.shapes.plans import Plan, Users
from loadgen.shared.project import PROJECT

AT_ONCE_USERS_PER_SECOND = 100.0
RELEASE = PROJECT


class PlannedShape(LoadTestShape):
    """A shape that follows a plan made from the options; `--run-time` can end it sooner."""

    abstract = True
    use_common_options = True

    def make_plan(self, options: Namespace) -> Plan:
        """Make the plan of this test. Raises ValueError when an option can't be used."""
        raise NotImplementedError

    def reset_time(self) -> None:
        """Begin again, with a plan from the options of now."""
        super().reset_time()  # type: ignore[no-untyped-call]  # Locust leaves it untyped
        self._plan: Plan | None = None

    def tick(self) -> Users | None:
        """Return users and spawn rate for this moment; None ends the test."""
        if self.runner is None or self.runner.environment.parsed_options is None:
            raise RuntimeError("the load shape was called before Locust had a runner and options")
        options = self.runner.environment.parsed_options
        seconds = time.perf_counter() - self.start_time
        limit = run_time_seconds(options)
        if limit is not None and seconds >= limit:
            return None
        try:
            plan = getattr(self, "_plan", None) or self.make_plan(options)
        except ValueError as error:
            logging.getLogger(__name__).error("The load shape can't start: %s", error)  # noqa: TRY400
            _end_with_usage_error(self.runner.environment)
            return None
        self._plan = plan
        return plan.at(seconds)


def _end_with_usage_error(environment: Environment) -> None:
    """End a process that was to start by itself with code 2; a web UI stays for another try."""
    environment.process_exit_code = 2
    options = environment.parsed_options
    if environment.web_ui and options and options.autostart:
        # The master ends at once, so that it is seen to end first and its reason is the one that
        # is shown.
        sys.exit(2)


def run_time_seconds(options: Namespace) -> float | None:
    """Return the run time in seconds, None without a limit."""
    run_time = getattr(options, "run_time", None)
    if not run_time:
        return None
    return float(parse_timespan(run_time) if isinstance(run_time, str) else run_time)


def data_file(text: str) -> Path:
    """Return the file that an option names: from here or, on a fleet, from the release."""
    path = Path(text)
    released = RELEASE / path
    return released if not path.exists() and released.exists() else path


def spawn_rate(options: Namespace) -> float:
    """Return the users to start a second; at once, in Locust's bounds, when none was given."""
    return float(getattr(options, "spawn_rate", None) or AT_ONCE_USERS_PER_SECOND)


def add_option(parser: ArgumentParser, flag: str, **settings: Any) -> None:  # noqa: ANN401
    """Add an option that can also be given as an environment variable named after it.

    `--spike-users` is `SPIKE_USERS`. Shapes of one run may share an option; it is added once.
    """
    variable = flag.lstrip("-").replace("-", "_").upper()
    try:
        parser.add_argument(flag, env_var=variable, **settings)
    except argparse.ArgumentError:
        return


def span(text: str) -> str:
    """Check a time span such as 90, 90s or 1h30m, and keep its text for Locust's messages."""
    try:
        parse_timespan(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a duration: give one such as 90 or 1h30m20s"
        ) from error
    return text


def seconds_of(text: str) -> float:
    """Return the seconds of a time span. Raises ValueError."""
    return float(parse_timespan(text))
