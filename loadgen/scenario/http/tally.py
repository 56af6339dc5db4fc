"""Counts an ordinary request in Locust's statistics, in one go.

Locust logs a request in two entries (its own and the total), by five calls and two clocks each.
This adds the same to both at once: whatever reads an entry finds what Locust would have written.
`test_tally.py` holds the two against each other.
"""

from collections.abc import Callable
from time import time

from locust import stats as locust_stats
from locust.stats import RequestStats, StatsEntry

Ordinary = Callable[[str, str, float, int, float, int], None]
"""Takes an ordinary request: method, name, milliseconds, bytes, start (Unix seconds), status.

Ordinary is one that was answered and counts as a success, without a context and not caught.
"""

_REPLACED = (
    (RequestStats, "log_request"),
    (StatsEntry, "log"),
    (StatsEntry, "_log_time_of_request"),
    (StatsEntry, "_log_response_time"),
)
_LOCUSTS = tuple(getattr(owner, name) for owner, name in _REPLACED)


def stands_for(statistics: RequestStats) -> bool:
    """Say whether a tally does what these statistics would do: nobody has put in own methods."""
    mended = type(statistics) is not RequestStats or "log_request" in vars(statistics)
    found = (getattr(owner, name) for owner, name in _REPLACED)
    return not mended and all(map(lambda a, b: a is b, found, _LOCUSTS))


def add(statistics: RequestStats, method: str, name: str, milliseconds: float, size: int) -> None:
    """Count a request, as `statistics.log_request` does; times are not negative."""
    now = time()
    second = int(now)
    kept_as = locust_stats.bucket_response_time(milliseconds)
    for entry in (statistics.total, statistics.entries[name, method]):
        last = entry.last_request_timestamp
        if last and second > last and entry.use_response_times_cache:
            entry._cache_response_times(second - 1)
        entry.num_requests += 1
        entry.num_reqs_per_sec[second] += 1
        entry.last_request_timestamp = now
        entry.total_response_time += milliseconds  # type: ignore[assignment]  # it is a float
        least = entry.min_response_time
        if least is None or milliseconds < least:
            entry.min_response_time = milliseconds  # type: ignore[assignment]
        most = entry.max_response_time
        if milliseconds > most:
            entry.max_response_time = milliseconds  # type: ignore[assignment]
        entry.response_times[kept_as] += 1
        entry.total_content_length += size
