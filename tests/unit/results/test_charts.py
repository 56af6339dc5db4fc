from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.results.charts import (
    HEIGHT,
    WIDTH,
    Series,
    format_time,
    line_chart,
    time_ticks,
    value_ticks,
)


@given(st.floats(1e-6, 1e12))
def test_value_ticks_reach_the_highest_value_in_few_steps(highest: float) -> None:
    ticks = value_ticks(highest)
    assert ticks[0] == 0
    assert ticks[-1] >= highest * (1 - 1e-6)
    assert 3 <= len(ticks) <= 7


@given(st.floats(0.1, 1e7))
def test_time_ticks_are_few_and_within_the_run(seconds: float) -> None:
    ticks = time_ticks(seconds)
    assert len(ticks) <= 7
    assert ticks[-1] <= seconds


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1e6)), min_size=1, max_size=30))
def test_every_drawn_point_lies_within_the_picture(points: list[tuple[float, float]]) -> None:
    figure = ET.fromstring(line_chart("t", "ms", [Series("s", points)]))
    for line in figure.iter("polyline"):
        for pair in line.attrib["points"].split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT


def test_labels_are_escaped() -> None:
    markup = line_chart("<b>", '"u"', [Series("<script>", [(0, 1), (1, 2)])])
    assert "<script>" not in markup
    assert "<b>" not in markup


def test_a_chart_of_nothing_says_so() -> None:
    assert "Nothing measured" in line_chart("Users", "", [Series("users", [])])


@pytest.mark.parametrize(("seconds", "text"), [(5, "5s"), (65, "1:05"), (3725, "1:02:05")])
def test_format_time(seconds: int, text: str) -> None:
    assert format_time(seconds) == text
