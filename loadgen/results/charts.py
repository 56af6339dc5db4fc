"""Small line charts as inline SVG: no script, no font file, colours from the page's style sheet.

The page sets the CSS variables `--line-1` … `--line-4`, `--grid` and `--text`, so one drawing
serves light, dark and print. Lines differ by dash as well as by colour.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 230
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 12, 34
DASHES = ("none", "7 3", "2 3", "9 3 2 3")
_STEPS = (1, 2, 2.5, 5, 10)
_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Series:
    """One line: a label and points (seconds since the start, value)."""

    label: str
    points: Sequence[tuple[float, float]]


def line_chart(title: str, unit: str, series: Sequence[Series]) -> str:
    """Draw series over time as one HTML figure with a legend; `unit` labels the value axis."""
    lines = [line for line in series if line.points]
    if not lines:
        return f"<figure><figcaption>{escape(title)}</figcaption><p>Nothing measured.</p></figure>"
    right = max(x for line in lines for x, _ in line.points) or 1.0
    ticks = value_ticks(max(y for line in lines for _, y in line.points))
    scale = _Scale(right, ticks[-1])
    drawn = "".join(_line(index, line, scale) for index, line in enumerate(lines))
    return (
        f'<figure><figcaption>{escape(title)} <span class="unit">{escape(unit)}</span>'
        f"{_legend(lines)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{_grid(ticks, scale)}{drawn}</svg></figure>"
    )


def value_ticks(highest: float) -> list[float]:
    """Return 3 to 7 round ticks from 0 to at least `highest`."""
    if highest < 1e-9:
        return [0.0, 1.0]
    power = 10 ** math.floor(math.log10(highest / 4))
    step = next(power * s for s in _STEPS if power * s * 5 >= highest)
    return [step * index for index in range(math.ceil(round(highest / step, 9)) + 1)]


def time_ticks(seconds: float) -> list[int]:
    """Return at most 7 ticks of whole seconds from 0 to `seconds`."""
    step = next((s for s in _TIME_STEPS if seconds / s <= 6), math.ceil(seconds / 6))
    return list(range(0, math.floor(seconds) + 1, step))


def format_time(seconds: int) -> str:
    """Return 45s, 2:05 (minutes) or 1:02:05 (hours)."""
    minutes, rest = divmod(seconds, 60)
    if not minutes:
        return f"{rest}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@dataclass(frozen=True, slots=True)
class _Scale:
    right: float
    top: float

    def x(self, value: float) -> float:
        return LEFT + value / self.right * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)


def _grid(ticks: Sequence[float], scale: _Scale) -> str:
    rows = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{scale.y(t):.1f}"'
        f' y2="{scale.y(t):.1f}"/><text x="{LEFT - 6}" y="{scale.y(t) + 4:.1f}"'
        f' text-anchor="end">{t:,.6g}</text>'
        for t in ticks
    )
    columns = "".join(
        f'<text x="{scale.x(t):.1f}" y="{HEIGHT - BOTTOM + 18}"'
        f' text-anchor="middle">{format_time(t)}</text>'
        for t in time_ticks(scale.right)
        if scale.x(t) < WIDTH - RIGHT - 8
    )
    return rows + columns


def _line(index: int, line: Series, scale: _Scale) -> str:
    style = f'class="line line-{index + 1}" stroke-dasharray="{DASHES[index % len(DASHES)]}"'
    if len(line.points) == 1:
        x, y = line.points[0]
        return f'<circle {style} cx="{scale.x(x):.1f}" cy="{scale.y(y):.1f}" r="2.5"/>'
    points = " ".join(f"{scale.x(x):.1f},{scale.y(y):.1f}" for x, y in line.points)
    return f'<polyline {style} points="{points}"/>'


def _legend(lines: Sequence[Series]) -> str:
    return "".join(
        f'<span class="key"><svg viewBox="0 0 24 8" aria-hidden="true"><line class="line'
        f' line-{index + 1}" stroke-dasharray="{DASHES[index % len(DASHES)]}" x1="0" x2="24"'
        f' y1="4" y2="4"/></svg>{escape(line.label)}</span>'
        for index, line in enumerate(lines)
    )
