"""What a person reads of a run in a terminal."""

import os
from collections import Counter
from itertools import zip_longest
from pathlib import Path

from loadgen.judging.check import NOTE
from loadgen.results.summary import Summary
from loadgen.shared.text import format_seconds, indented, plain_line

ERRORS_SHOWN = 5
REASONS_SHOWN = 3
"""Of one kind, such as one for each of many workers."""
FAULT = "fault"


def describe_briefly(summary: Summary) -> str:
    """Return one line for a run within a series."""
    return (
        f"  {summary.verdict}, {summary.throughput_per_second:,.1f} requests/s, p95 "
        f"{format_seconds(summary.response_time_seconds.p95)}"
        + "".join(f"\n{line}" for line in _reasons(summary))
    )


def describe(summary: Summary, directory: Path) -> str:
    """Return what a person reads at the end of a run."""
    times = summary.response_time_seconds
    shown = os.path.relpath(directory)
    lines = [
        "",
        f"{summary.verdict.upper()}  {summary.run_id}",
        *_reasons(summary),
        *(f"  SLO {_held(slo.held)}: {plain_line(slo.sentence)}" for slo in summary.slos),
        f"  {summary.requests:,} requests, {summary.failures:,} failed, "
        f"{summary.throughput_per_second:,.1f} requests/s{_interval(summary)}",
        *(f"    {plain_line(error.sentence)}" for error in summary.errors[:ERRORS_SHOWN]),
        f"  response time p50 {format_seconds(times.p50)}, p95 {format_seconds(times.p95)}, "
        f"p99 {format_seconds(times.p99)}, max {format_seconds(times.max)}",
        *_after(summary),
        f"  {summary.workers.seen} of {summary.workers.expected} workers",
        f"  report: {shown}/report.html",
    ]
    return "\n".join(lines)


def _reasons(summary: Summary) -> list[str]:
    """Return a line a reason; of a kind that has many, the first and how many more there are."""
    lines, seen = [], Counter[str]()
    for reason, kind in zip_longest(summary.reasons, summary.reason_kinds, fillvalue=NOTE):
        if kind not in (NOTE, FAULT):
            seen[kind] += 1
        if seen[kind] <= REASONS_SHOWN:
            lines.append(f"  {indented(reason)}")
    more = {kind: count - REASONS_SHOWN for kind, count in seen.items() if count > REASONS_SHOWN}
    return lines + [
        f"  and {count} more of kind {kind}: summary.json has them all"
        for kind, count in more.items()
    ]


def _interval(summary: Summary) -> str:
    if not summary.measured_seconds:
        return ""
    return f" in the {summary.measured_seconds:,.4g} s measured"


def _after(summary: Summary) -> list[str]:
    after = summary.after_stop
    if not after.requests:
        return []
    slowest = format_seconds(after.maximum_seconds)
    return [
        f"  after the stop, counted separately: {after.requests:,} requests, {after.failures:,} "
        f"failed, "
        f"max {slowest}"
    ]


def _held(held: bool | None) -> str:
    return {True: "held", False: "did not hold", None: "no data"}[held]
