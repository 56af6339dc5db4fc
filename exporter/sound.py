"""Snapshots whose every field is of its kind, whatever a master put there.

A snapshot comes from a process in which a locustfile's author may do anything. A None where a
number belongs must not end the exporter, nor cost a scrape. What is no number becomes NaN (which
`growth` and the collector leave out) or None where that is allowed; what is not text becomes text.
Pure.
"""

import math
from collections.abc import Hashable
from dataclasses import replace
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from loadgen.shared.snapshot import EntryStatistics, Snapshot
from loadgen.shared.text import encodable

Row = TypeVar("Row")
ROWS = ("workers", "errors", "slos", "completed")
"""The lists that the exporter reads beside the entries, of which only those that changed are looked
at (`growth`): there are many."""
NUMBERS = (int, float)
_ENTRY_TIMES = "response_times"


def sound(snapshot: Snapshot) -> tuple[Snapshot, int]:
    """Return the snapshot, the same object where nothing is wrong, and how many values were.

    Its entries are left as they are: see `sound_row`.
    """
    changes: dict[str, Any] = {}
    wrong = 0
    for name in ROWS:
        found = [sound_row(row) for row in getattr(snapshot, name)]
        if any(count for _, count in found):
            changes[name] = [row for row, _ in found]
            wrong += sum(count for _, count in found)
    refused = {str(kind): count for kind, count in snapshot.refused.items() if _finite(count)}
    if len(refused) < len(snapshot.refused):
        changes["refused"] = refused
    whole, count = sound_row(replace(snapshot, **changes) if changes else snapshot)
    return whole, wrong + count


def sound_row(row: Row) -> tuple[Row, int]:
    """Return a row, the same object where nothing is wrong, and how many values were."""
    changes: dict[str, Any] = {}
    for name, kind, may_be_none in _kinds(cast("Hashable", type(row))):
        value = getattr(row, name)
        if value is None and may_be_none:
            continue
        if kind is float and not _finite(value):
            changes[name] = None if may_be_none else math.nan
        elif kind is bool and not isinstance(value, bool):
            changes[name] = None
        elif kind is str and not (type(value) is str and encodable(value) is value):
            changes[name] = encodable(str(value))
    if isinstance(row, EntryStatistics) and not _are_counts(row.response_times):
        changes[_ENTRY_TIMES] = {
            time: count
            for time, count in row.response_times.items()
            if type(time) in NUMBERS and _finite(count)
        }
    return (replace(row, **changes) if changes else row, len(changes))  # type: ignore[type-var]


def _are_counts(times: dict[float, int]) -> bool:
    kinds = {*map(type, times), *map(type, times.values())}
    return kinds <= {*NUMBERS} and all(map(math.isfinite, times.values()))


def _finite(value: object) -> bool:
    return type(value) in NUMBERS and math.isfinite(value)  # type: ignore[arg-type]


@cache
def _kinds(row: Hashable) -> tuple[tuple[str, type[Any], bool], ...]:
    """Return each field that is a number (as float), a text or a truth, and whether it may lack."""
    kinds = []
    for name, hint in get_type_hints(row).items():
        parts = set(get_args(hint)) if get_origin(hint) in (Union, UnionType) else {hint}
        kind = float if parts & {*NUMBERS} else next(iter(parts - {NoneType}))
        if kind in (float, str) or (kind is bool and NoneType in parts):
            kinds.append((name, kind, NoneType in parts))
    return tuple(kinds)
