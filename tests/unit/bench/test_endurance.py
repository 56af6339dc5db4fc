"""The slope of memory over requests."""

import pytest

from tests.bench.endurance import Sample, slope


def test_a_leak_shows_as_bytes_a_request_and_warming_up_does_not() -> None:
    warming = [Sample(n * 1000, 50_000_000 + n * 900_000, 60) for n in range(10)]
    flat = [Sample(n * 1000, 60_000_000, 60) for n in range(10, 30)]
    leaking = [Sample(n * 1000, 60_000_000 + n * 2000, 60) for n in range(10, 30)]
    assert slope(warming + flat) == 0
    assert slope(warming + leaking) == pytest.approx(2.0)
