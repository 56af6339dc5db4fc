"""The slope of memory over requests."""

import pytest

from tests.bench.costs import Endurance


def test_a_leak_shows_as_bytes_a_request_and_warming_up_does_not() -> None:
    warming = [(n * 1000, 50_000_000 + n * 900_000, 60) for n in range(10)]
    flat = [(n * 1000, 60_000_000, 60) for n in range(10, 30)]
    leaking = [(n * 1000, 60_000_000 + n * 2000, 60) for n in range(10, 30)]
    assert Endurance(warming + flat, 0).slope == 0
    assert Endurance(warming + leaking, 0).slope == pytest.approx(2.0)
