"""What a worker's messages look like, so that the master can refuse what it couldn't bear.

Locust merges what it is sent field by field: one text where a number belongs, one count that no
report could pack, and the statistics of every worker are broken from then on. A message is held
against its shape here before Locust sees it. Fields that aren't listed are a plugin's own.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, TypeAdapter, ValidationError

# As pydantic asks for before Python 3.12.
from typing_extensions import TypedDict

from loadgen.shared.snapshot import Phase
from loadgen.shared.text import plain_line

COUNT_MAX = 10**12
KIND_CHARACTERS_MAX = 200
Count = Annotated[int, Field(strict=True, ge=0, le=COUNT_MAX)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e15, le=1e15)]
Moment = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1e11)]
Text = Annotated[str, Field(strict=True)]
Word = Annotated[str, Field(strict=True, max_length=200)]
"""A text of the kit or of Python: a version, a class, an id."""
Classes = Annotated[dict[Word, Count], Field(max_length=1000)]
Name = Text | Number | None
"""Whatever a user's code called a request; None is Locust's own total."""
Seconds = dict[Annotated[int, Field(strict=True, ge=0, le=10**11)], Count]


class _Entry(TypedDict):
    """One name's statistics since the last report: Locust's StatsEntryDict."""

    name: Name
    method: Name
    last_request_timestamp: Moment | None
    start_time: Moment
    num_requests: Count
    num_none_requests: Count
    num_failures: Count
    total_response_time: Number
    max_response_time: Number
    min_response_time: Number | None
    total_content_length: Number
    response_times: dict[Number, Count]
    num_reqs_per_sec: Seconds
    num_fail_per_sec: Seconds


class _Error(TypedDict):
    """Occurrences of one error since the last report: Locust's StatsErrorDict."""

    name: Name
    method: Name
    error: Text
    occurrences: Count
    first_seen: NotRequired[Moment | None]
    last_seen: NotRequired[Moment | None]


class _Own(TypedDict):
    """What `loadgen.node.statistics.reporter` adds."""

    test: Count
    sequence: Count
    requests: Count
    final: Annotated[bool, Field(strict=True)]
    clock: Number
    cpu_percent: Number
    memory_bytes: Count
    release: Word
    locust_version: Word
    stalled_seconds: Number
    requests_cut: Count
    held_up: NotRequired[Word]
    phase: Phase
    measured_seconds: Number
    refused: NotRequired[dict[Annotated[str, Field(strict=True, max_length=32)], Count]]


class _Statistics(TypedDict):
    stats: list[_Entry]
    stats_total: _Entry
    errors: dict[Text, _Error]
    user_classes_count: Classes
    user_count: Count
    loadgen: NotRequired[_Own]


class _Heartbeat(TypedDict):
    state: Literal["ready", "spawning", "running", "cleanup", "stopping", "stopped", "missing"]
    current_cpu_usage: Number
    current_memory_usage: NotRequired[Count]


class _Spawned(TypedDict):
    user_classes_count: Classes


class _Exception(TypedDict):
    msg: Text
    traceback: Text


class _Logs(TypedDict):
    worker_id: Annotated[str, Field(strict=True, max_length=255)]
    logs: list[Text]


class _Version(TypedDict):
    version: Word


SHAPES: Mapping[str, Any] = {
    "client_ready": Word | Literal[-1],
    "exception": _Exception,
    "heartbeat": _Heartbeat,
    "locustfile": _Version,
    "logs": _Logs,
    "spawning_complete": _Spawned,
    "stats": _Statistics,
}


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(SHAPES[kind])


def fault(kind: object, data: object) -> str | None:
    """Return what is wrong with a message's data, None when the master can take it."""
    if isinstance(kind, str) and len(kind) > KIND_CHARACTERS_MAX:
        return f"its type has {len(kind):,} characters, and may have {KIND_CHARACTERS_MAX}"
    if not isinstance(kind, str):
        return f"its type is {type(kind).__name__}, and has to be text"
    if kind not in SHAPES:
        return None
    try:
        _adapter(kind).validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(plain_line(str(part)[:40]) for part in first["loc"])
        return f"{place or 'data'}: {first['msg']}"
    return None


def make_names_text(statistics: dict[str, Any]) -> None:
    """Turn names and methods of a `stats` message into text: Locust sorts by them for its reports.

    A locustfile may give anything; None and a number beside a text can't be sorted.
    """
    for entry in (*statistics["stats"], *statistics["errors"].values()):
        for field in ("name", "method"):
            entry[field] = "" if entry[field] is None else str(entry[field])
