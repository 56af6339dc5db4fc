import math
from decimal import Decimal
from typing import Any

import pytest
from locust.env import Environment
from locust.rpc.protocol import Message
from locust.stats import StatsEntry

from loadgen.node.statistics import odd_values
from loadgen.node.statistics.odd_values import OddValues

HALF_A_PAIR = "/caf\udcc3"


@pytest.fixture
def environment() -> Environment:
    environment = Environment()
    environment.create_local_runner()
    return environment


@pytest.fixture
def odd(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> OddValues:
    monkeypatch.setattr(Message, "serialize", Message.serialize)
    return odd_values.install(environment)


def fire(environment: Environment, **changed: Any) -> StatsEntry:
    request = {"request_type": "GET", "name": "/", "response_time": 12.0, "response_length": 100}
    environment.events.request.fire(**request | changed)
    (entry,) = environment.stats.entries.values()
    assert entry.num_requests == environment.stats.total.num_requests == 1
    return entry


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf, "12", b"1", True, 1e12, object()])
def test_a_time_that_is_no_finite_number_is_a_request_without_one(
    environment: Environment, odd: OddValues, time: object
) -> None:
    entry = fire(environment, response_time=time)
    assert (entry.num_none_requests, dict(entry.response_times)) == (1, {})
    assert entry.total_response_time == 0
    assert odd.refused == {"time_refused": 1}


@pytest.mark.parametrize("time", [-1, -0.001, -1000.0, Decimal(-3)])
def test_a_negative_time_counts_as_zero(
    environment: Environment, odd: OddValues, time: object
) -> None:
    entry = fire(environment, response_time=time)
    assert dict(entry.response_times) == {0: 1}
    assert (entry.min_response_time, entry.max_response_time) == (0, 0)
    assert odd.refused == {"time_negative": 1}


@pytest.mark.parametrize("length", [None, -1, -(10**9), math.nan, math.inf, "7", 1e300])
def test_a_length_that_is_no_count_is_zero_bytes(
    environment: Environment, odd: OddValues, length: object
) -> None:
    entry = fire(environment, response_length=length)
    assert (entry.total_content_length, dict(entry.response_times)) == (0, {12: 1})
    assert odd.refused == {"length_refused": 1}


@pytest.mark.parametrize("field", ["name", "request_type"])
def test_text_that_utf8_lacks_is_written_as_its_code(
    environment: Environment, odd: OddValues, field: str
) -> None:
    entry = fire(environment, **{field: HALF_A_PAIR}, exception=ValueError("no"))
    assert "/caf\\udcc3" in (entry.name, entry.method)
    assert entry.num_failures == 1
    assert odd.refused["text_escaped"] >= 1


class UnspeakableError(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("no words")


class HalfError(Exception):
    def __repr__(self) -> str:
        return HALF_A_PAIR


@pytest.mark.parametrize(
    "error", [HALF_A_PAIR, HalfError(), UnspeakableError(), ValueError(HALF_A_PAIR)]
)
def test_a_failure_counts_whatever_its_error_says(
    environment: Environment,
    odd: OddValues,  # noqa: ARG001
    error: object,
) -> None:
    entry = fire(environment, exception=error)
    assert entry.num_failures == environment.stats.total.num_failures == 1
    assert sum(one.occurrences for one in environment.stats.errors.values()) == 1
    assert environment.stats.serialize_errors()


def test_an_event_without_length_or_time_is_a_request(
    environment: Environment, odd: OddValues
) -> None:
    environment.events.request.fire(request_type="GET", name="/", response_time=5)
    environment.events.request.fire(request_type="GET", name="/", response_length=5)
    (entry,) = environment.stats.entries.values()
    assert (entry.num_requests, entry.num_none_requests, dict(odd.refused)) == (2, 1, {})


def test_what_is_countable_stays_as_it_is(environment: Environment, odd: OddValues) -> None:
    fire(environment, response_time=0.25, name="/größe", response_length=10**12)
    environment.stats.log_request("GET", "/größe", None, 0)  # type: ignore[arg-type]
    (entry,) = environment.stats.entries.values()
    assert (entry.num_none_requests, entry.total_response_time, entry.name) == (1, 0.25, "/größe")
    assert odd.refused == {}
    odd.begin()


def test_a_message_with_text_that_utf8_lacks_is_sent(
    odd: OddValues,  # noqa: ARG001
) -> None:
    sent = Message("exception", {"msg": HALF_A_PAIR, "n": [1, HALF_A_PAIR]}, "w").serialize()
    assert Message.unserialize(sent).data == {"msg": "/caf\\udcc3", "n": [1, "/caf\\udcc3"]}
