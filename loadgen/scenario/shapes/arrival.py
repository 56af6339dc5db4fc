"""Open model: arrivals at a rate that holds whatever the target does.

Users of a closed model wait for answers, so a slow target gets less load and its worst times are
never asked for. Here each worker has one generator that starts `arrival` in a greenlet of its own
at the intended time. The row `ARRIVAL` counts from the *intended* start to the end, so a late start
counts; the rows of the requests themselves count from when they were really sent. An arrival beyond
`--arrival-max-in-flight` is not sent and recorded as failed: nothing is left out silently. When a
worker is lost the others take over its share.

    from loadgen.scenario.shapes.arrival import ArrivalShape, OpenModelUser

    class Alarms(OpenModelUser):
        def arrival(self) -> None:
            self.client.post("/", json=...)

    --arrival-rate 10         arrivals a second altogether (ARRIVAL_RATE)
    --arrival-file FILE       CSV of time,rps instead of one rate (ARRIVAL_FILE)
    --arrival-spacing poisson or even (ARRIVAL_SPACING)
    --arrival-max-in-flight 1000  on each worker (ARRIVAL_MAX_IN_FLIGHT)
    --arrival-seed 42         (ARRIVAL_SEED)
"""

import time
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from typing import ClassVar

import gevent
from gevent.pool import Group
from locust import events, task

from loadgen.scenario.http import FastUser
from loadgen.scenario.shapes.arrivals import Arrivals
from loadgen.scenario.shapes.base import (
    AT_ONCE_USERS_PER_SECOND,
    PlannedShape,
    add_option,
    data_file,
)
from loadgen.scenario.shapes.plans import Plan, Users
from loadgen.scenario.shapes.rates import ConstantRate, Rate, RecordedRate, read_points
from loadgen.scenario.timing import Numbers

NEVER_SECONDS = 3600.0
CONNECTIONS = 10_000


def _add_options(parser: ArgumentParser) -> None:
    add_option(
        parser, "--arrival-rate", type=float, default=10.0, help="How many arrivals a second"
    )
    add_option(
        parser,
        "--arrival-file",
        default="",
        help="A CSV file of arrival rates, with the columns time,rps",
    )
    add_option(
        parser,
        "--arrival-spacing",
        choices=["poisson", "even"],
        default="poisson",
        help="Whether the gaps between arrivals are random (poisson) or equal (even)",
    )
    add_option(
        parser,
        "--arrival-max-in-flight",
        type=int,
        default=1000,
        help="How many visits may be in progress on one worker; further arrivals are "
        "not sent, and they count as failures",
    )
    add_option(
        parser,
        "--arrival-seed",
        type=int,
        default=42,
        help="The random seed for the gaps between arrivals",
    )


events.init_command_line_parser.add_listener(_add_options)


def make_rate(options: Namespace) -> Rate:
    """Return the rate that the options name. Raises ValueError when they can't be used."""
    if options.arrival_file:
        return RecordedRate(read_points(data_file(options.arrival_file)))
    if options.arrival_rate <= 0:
        raise ValueError(f"--arrival-rate is {options.arrival_rate}; it must be above 0")
    return ConstantRate(options.arrival_rate)


@dataclass(frozen=True)
class _OneGeneratorEach:
    shape: "ArrivalShape"
    rate: Rate

    def at(self, seconds: float) -> Users | None:
        if self.rate.at(seconds) is None or self.shape.runner is None:
            return None
        workers = max(1, int(getattr(self.shape.runner, "worker_count", 1)))
        # Options that Locust does not know travel to the workers with each order to start users.
        vars(self.shape.runner.environment.parsed_options).update(
            arrival_generators=workers, arrival_elapsed_seconds=seconds
        )
        return workers, AT_ONCE_USERS_PER_SECOND


class ArrivalShape(PlannedShape):
    """One generator on each worker that is there."""

    def make_plan(self, options: Namespace) -> Plan:
        """Read the rate. Raises ValueError when it can't be used."""
        return _OneGeneratorEach(self, make_rate(options))


class OpenModelUser(FastUser):
    """A generator of arrivals; subclasses define `arrival`."""

    abstract = True
    concurrency = CONNECTIONS
    numbers: ClassVar = Numbers()

    def arrival(self) -> None:
        """Do what one arrival does."""
        raise NotImplementedError

    def on_start(self) -> None:
        """Begin at the test's current second, with the first arrival."""
        options = self.environment.parsed_options
        if not hasattr(options, "arrival_generators"):
            raise RuntimeError(
                f"{type(self).__name__} needs ArrivalShape: also import ArrivalShape where "
                f"you import OpenModelUser"
            )
        self._options = options
        self._under_way = Group()
        self._origin = time.perf_counter() - options.arrival_elapsed_seconds
        generator = self.numbers.generator(self, options.arrival_seed)
        poisson = options.arrival_spacing == "poisson"
        self._arrivals = Arrivals(make_rate(options), generator, poisson)
        now = time.perf_counter() - self._origin
        self._next = self._arrivals.first(now, self._share)

    @property
    def _share(self) -> float:
        return 1.0 / float(self._options.arrival_generators)

    def on_stop(self) -> None:
        """Let arrivals under way finish within Locust's stop timeout, then end them.

        Locust would end this method then, but not the arrivals that it waits for.
        """
        try:
            gevent.sleep(0)
            self._under_way.join(timeout=self.environment.stop_timeout or 0)
        finally:
            self._under_way.kill()

    def wait_time(self) -> float:
        """Return the seconds until the next arrival."""
        if self._next is None:
            return NEVER_SECONDS
        due: float = self._origin + self._next
        return max(0.0, due - time.perf_counter())

    @task
    def start_due_arrivals(self) -> None:
        """Start everything whose time has come."""
        while self._next is not None and self._origin + self._next <= time.perf_counter():
            intended = self._origin + self._next
            if len(self._under_way) < self._options.arrival_max_in_flight:
                self._under_way.spawn(self._arrive, intended)
            else:
                in_flight = self._options.arrival_max_in_flight
                self._record(
                    intended, RuntimeError(f"not sent: {in_flight} arrivals were in progress")
                )
            self._next = self._arrivals.after(self._next, self._share)

    def _arrive(self, intended: float) -> None:
        started = time.perf_counter()
        fault: Exception | None = None
        self.client.intended_start = intended
        try:
            self.arrival()
        except gevent.GreenletExit:
            fault = RuntimeError("the arrival was unfinished when the test stopped")
            raise
        except Exception as error:
            fault = error
        finally:
            self.client.intended_start = None
            self._record(intended, fault, started - intended)

    def _record(self, intended: float, fault: Exception | None, late_seconds: float = 0.0) -> None:
        now = time.perf_counter()
        self.environment.events.request.fire(
            request_type="ARRIVAL",
            name=type(self).__name__,
            response_time=(now - intended) * 1000,
            response_length=0,
            exception=fault,
            context={"late_seconds": late_seconds},
            start_time=time.time() - (now - intended),
        )
