"""Waiting times as options."""

import argparse
import random

import pytest

from loadgen.scenario.timing import Interval, interval_text, parse_interval


@pytest.mark.parametrize(
    ("text", "low", "high"), [("1", 1, 1), ("20-90", 20, 90), ("0.0167", 0.0167, 0.0167)]
)
def test_interval_is_a_number_or_a_range(text: str, low: float, high: float) -> None:
    assert parse_interval(text) == Interval(low, high)
    assert interval_text(text) == text


@pytest.mark.parametrize("text", ["", "soon", "90-20", "-1", "1-2-3", "nan"])
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not an interval: give"):
        interval_text(text)


def test_draws_stay_in_the_range_and_repeat_with_the_generator() -> None:
    draws = [Interval(20, 90).draw(random.Random(seed)) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    assert all(20 <= draw <= 90 for draw in draws)
