"""Parameter sweeps: every combination of the listed values, each repeated, in order."""

import csv
import io
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from loadgen.results.summary import Summary
from loadgen.shared.text import format_seconds
from loadgen.specification.experiment import Cell

COLUMNS = (
    "verdict",
    "requests",
    "failures",
    "throughput_per_second",
    "p50_seconds",
    "p95_seconds",
    "p99_seconds",
    "maximum_seconds",
    "run_id",
)
Value = str | int | float | None


def row(cell: Cell, summary: Summary) -> dict[str, Value]:
    """Return one line of the table: the cell's fields, then what was measured."""
    times = summary.response_time_seconds
    measured = (
        summary.verdict,
        summary.requests,
        summary.failures,
        round(summary.throughput_per_second, 3),
        times.p50,
        times.p95,
        times.p99,
        times.max,
        summary.run_id,
    )
    fields = {name: _value(value) for name, value in cell.fields.items()}
    return {**fields, "repetition": cell.repetition, **dict(zip(COLUMNS, measured, strict=True))}


def _value(value: JsonValue) -> Value:
    return value if isinstance(value, str | int | float) else str(value)


def write_csv(rows: Sequence[Mapping[str, Value]]) -> str:
    """Return the table as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def describe(rows: Sequence[Mapping[str, Value]]) -> str:
    """Return the table for a terminal."""
    if not rows:
        return "no run was made"
    hidden = {"failures", "p50_seconds", "p99_seconds"}
    shown = [[name for name in rows[0] if name not in hidden]]
    shown += [[_show(name, row[name]) for name in shown[0]] for row in rows]
    widths = [max(len(line[i]) for line in shown) for i in range(len(shown[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in shown
    )


def _show(name: str, value: Value) -> str:
    if name.endswith("_seconds") and isinstance(value, int | float):
        return format_seconds(value)
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
