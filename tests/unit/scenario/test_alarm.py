"""The retrying client, on a clock that only its own work moves."""

from collections.abc import Callable, Iterable

import gevent
import pytest

from loadgen.scenario.alarm import AlarmClient, Undelivered

ATTEMPT_SECONDS = 2.0


class Centre:
    """Answers attempts in order, each after two seconds, and remembers what was done."""

    def __init__(self, answers: Iterable[bool]) -> None:
        self.answers = iter(answers)
        self.time = 100.0
        self.asked: list[str] = []
        self.slept: list[float] = []

    def attempt(self, host: str) -> bool:
        self.asked.append(host)
        self.time += ATTEMPT_SECONDS
        return next(self.answers)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def client(self, *hosts: str, sleep: Callable[[float], None] | None = None) -> AlarmClient:
        return AlarmClient(
            hosts, self.attempt, 1.0, clock=lambda: self.time, sleep=sleep or self.sleep
        )


def test_acknowledged_alarm_takes_one_attempt() -> None:
    delivery = Centre([True]).client("a").deliver()
    assert (delivery.seconds, delivery.attempts, delivery.host) == (2.0, 1, "a")


def test_clock_runs_from_the_trigger_to_the_first_acknowledgement() -> None:
    centre = Centre([False, False, True])
    delivery = centre.client("a").deliver()
    assert delivery.attempts == 3
    assert delivery.seconds == 3 * ATTEMPT_SECONDS + 2 * 1.0
    assert centre.slept == [1.0, 1.0]


def test_next_host_is_tried_at_once_and_a_pause_made_when_all_have_failed() -> None:
    centre = Centre([False, False, False, True])
    delivery = centre.client("a", "b").deliver()
    assert centre.asked == ["a", "b", "a", "b"]
    assert centre.slept == [1.0]
    assert delivery.host == "b"


def test_host_that_acknowledged_is_tried_first_next_time() -> None:
    centre = Centre([False, True, True, False, True])
    client = centre.client("a", "b")
    assert [client.deliver().host for _ in range(3)] == ["b", "b", "a"]


def test_alarm_that_failed_before_the_stop_is_told_and_not_lost() -> None:
    def killed(_seconds: float) -> None:
        raise gevent.GreenletExit

    centre = Centre([False])
    with pytest.raises(Undelivered, match="not acknowledged, after failed") as caught:
        centre.client("a", sleep=killed).deliver()
    assert (caught.value.seconds, caught.value.attempts) == (ATTEMPT_SECONDS, 1)


def test_alarm_stopped_in_its_first_attempt_ends_like_any_request() -> None:
    def killed(_host: str) -> bool:
        raise gevent.GreenletExit

    with pytest.raises(gevent.GreenletExit):
        AlarmClient(["a"], killed).deliver()
