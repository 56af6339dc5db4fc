"""A generator of the open model, in one process and without a target."""

import time
from argparse import Namespace
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import gevent
import pytest
from gevent.event import Event
from locust.env import Environment

from loadgen.scenario.shapes import arrival as shapes
from loadgen.scenario.shapes.arrival import OpenModelUser

FIRST_LATE_SECONDS, LATENESS_MS = 0.95, [50 + 100 * number for number in range(10)]


def _options(**changes: object) -> Namespace:
    options = {
        "arrival_rate": 10.0,
        "arrival_file": "",
        "arrival_spacing": "even",
        "arrival_max_in_flight": 1000,
        "arrival_seed": 42,
        "arrival_generators": 1,
        "arrival_elapsed_seconds": 0.0,
    }
    return Namespace(**(options | changes))


class Site:
    """What the generator's arrivals do, and what was recorded of them."""

    def __init__(self, arrival: Callable[[], None], **options: object) -> None:
        class Arrivals(OpenModelUser):
            host = "http://127.0.0.1:9"

            def arrival(self) -> None:
                arrival()

        self.options = _options(**options)
        self.environment = Environment(parsed_options=self.options, stop_timeout=20)
        self.rows: list[dict[str, Any]] = []
        self.environment.events.request.add_listener(self._record)
        self.user = Arrivals(self.environment)
        self.user.on_start()

    def _record(self, **row: Any) -> None:
        self.rows.append(row)

    def start_late(self) -> None:
        """Let ten arrivals become due without anybody starting them; then do.

        The clock stands still meanwhile: on a busy machine others would become due.
        """
        now = time.perf_counter()
        self.user._origin = now - FIRST_LATE_SECONDS - (self.user._next or 0.0)
        still = SimpleNamespace(perf_counter=lambda: now, time=time.time)
        with patch.object(shapes, "time", still):
            self.user.start_due_arrivals()

    def errors(self) -> set[str]:
        return {str(row["exception"]) for row in self.rows}


def test_arrivals_that_start_late_count_from_when_they_were_due() -> None:
    site = Site(lambda: None)
    site.start_late()
    site.user.on_stop()
    times = sorted(row["response_time"] for row in site.rows)
    assert len(times) == 10
    assert all(time >= late for time, late in zip(times, LATENESS_MS, strict=True))
    assert {row["request_type"] for row in site.rows} == {"ARRIVAL"}
    assert max(row["context"]["late_seconds"] for row in site.rows) > 0.85


def test_the_first_request_of_a_late_arrival_counts_from_when_it_was_due() -> None:
    def ask_twice() -> None:
        gevent.sleep(0.01)  # the others set theirs meanwhile
        site.user.client.get("/")
        site.user.client.get("/")

    site = Site(ask_twice)
    site.start_late()
    site.user.on_stop()
    times = sorted(row["response_time"] for row in site.rows if row["request_type"] == "GET")
    assert len(times) == 20
    assert all(time >= late for time, late in zip(times[-9:], LATENESS_MS[1:], strict=True))
    assert site.user.client.intended_start is None


def test_arrivals_do_not_wait_for_each_other() -> None:
    gate = Event()
    site = Site(lambda: gate.wait() and None)
    site.start_late()
    gevent.sleep(0)
    assert len(site.user._under_way) == 10
    gate.set()
    site.user.on_stop()
    assert site.errors() == {"None"}


def test_arrivals_beyond_the_bound_are_failures_and_not_forgotten() -> None:
    gate = Event()
    site = Site(lambda: gate.wait() and None, arrival_max_in_flight=3)
    site.start_late()
    assert [str(row["exception"]) for row in site.rows] == [
        "not sent: 3 arrivals were in progress"
    ] * 7
    gate.set()
    site.user.on_stop()
    assert len(site.rows) == 10


@pytest.mark.parametrize("stop_timeout", [0, 0.2])
def test_arrivals_unfinished_after_the_stop_timeout_are_failures(stop_timeout: float) -> None:
    site = Site(lambda: Event().wait() and None)
    site.environment.stop_timeout = stop_timeout
    site.start_late()
    start = time.monotonic()
    site.user.on_stop()
    assert stop_timeout <= time.monotonic() - start < stop_timeout + 30
    assert len(site.rows) == 10
    assert site.errors() == {"the arrival was unfinished when the test stopped"}


def test_arrival_that_raises_is_a_failure_with_its_reason() -> None:
    def refuse() -> None:
        raise ValueError("no acknowledgement")

    site = Site(refuse)
    site.start_late()
    site.user.on_stop()
    assert site.errors() == {"no acknowledgement"}


def test_share_follows_the_number_of_generators() -> None:
    site = Site(lambda: None)
    site.options.arrival_generators = 5
    site.start_late()
    site.user.on_stop()
    assert len(site.rows) == pytest.approx(2, abs=1)


def test_wait_is_until_the_next_arrival() -> None:
    assert 0 < Site(lambda: None).user.wait_time() <= 0.1


def test_generator_without_its_shape_says_what_to_import() -> None:
    options = _options()
    del options.arrival_generators

    class Alone(OpenModelUser):
        host = "http://127.0.0.1:9"

    with pytest.raises(RuntimeError, match="needs ArrivalShape: also import"):
        Alone(Environment(parsed_options=options)).on_start()
