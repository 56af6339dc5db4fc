"""How much of the master's memory the workers of one key may take, and all keys together.

Locust keeps each name, error, exception, response time and second that a worker ever reported. A
broken or hostile worker would fill the master with them. Texts are cut here before Locust sees
them; what is new is charged to the key that the worker came under, and what is beyond the bound is
counted under one name that says so, so that no request is lost from the totals.
"""

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from locust.runners import MasterRunner
from locust.stats import RequestStats, StatsEntry

from loadgen.node.statistics.time_rounding import bucket
from loadgen.shared.snapshot import BEYOND_BOUNDS

KEY_CELLS_MAX = 500_000
SUM_CELLS_MAX = 1_000_000
"""A cell is about what one rounded response time of one name costs: some hundred bytes."""
NAME_CELLS, ERROR_CELLS, CHARACTERS_A_CELL = 50, 10, 100
KEY_KEPT_CHARACTERS_MAX = 16 << 20
SUM_KEPT_CHARACTERS_MAX = 64 << 20
"""What is kept of each worker by itself, its log and the names of its users' classes."""
WORKERS_MAX = 20_000
NAME_CHARACTERS_MAX = 1_000
ERROR_CHARACTERS_MAX = 2_000
TRACEBACK_CHARACTERS_MAX = 10_000
LOG_LINES_MAX, LOG_LINE_CHARACTERS_MAX = 500, 1_000
SECONDS_KEPT, SECONDS_APART_MAX = 60, 600


def cut(text: str, most: int) -> str:
    """Return at most that many characters; what was cut off shows."""
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


class Allowance:
    """What every key has spent, against a bound for each and one for the sum."""

    def __init__(self, key_max: int, sum_max: int) -> None:
        self._key_max, self._sum_max = key_max, sum_max
        self._spent: Counter[str] = Counter()
        self._sum = 0

    def spend(self, owner: str, amount: int) -> bool:
        """Charge a key, or give back what is negative; False, and nothing charged: too much."""
        within = (
            self._spent[owner] + amount <= self._key_max and self._sum + amount <= self._sum_max
        )
        if within:
            self._spent[owner] += amount
            self._sum += amount
        return within


class Bounds:
    """What the workers of each key have taken, in one master."""

    def __init__(self) -> None:
        self._entries: object = None
        self._cells = Allowance(KEY_CELLS_MAX, SUM_CELLS_MAX)
        self._kept = Allowance(KEY_KEPT_CHARACTERS_MAX, SUM_KEPT_CHARACTERS_MAX)
        self._kept_of: dict[tuple[str, str], int] = {}
        self._workers: defaultdict[str, set[str]] = defaultdict(set)
        self._rounded: set[float] = set()

    def refusal(self, owner: str, worker: str, kind: str, data: Any) -> str | None:  # noqa: ANN401
        """Return why a message of a good shape is refused all the same; None when it may pass."""
        workers = self._workers[owner]
        if worker not in workers and len(workers) >= WORKERS_MAX:
            return f"its key has had {WORKERS_MAX:,} workers already"
        workers.add(worker)
        if kind in ("stats", "spawning_complete"):
            classes = data["user_classes_count"]
            if not self._keep(owner, worker, "classes", sum(map(len, classes))):
                return "the names of user classes that its key's workers gave are too long"
        return None

    def apply(self, owner: str, kind: str, data: Any, runner: MasterRunner) -> None:  # noqa: ANN401
        """Cut and fold a message in place, as far as it has to be."""
        if runner.stats.entries is not self._entries:
            # Every worker's account starts at zero with a new test.
            self._entries = runner.stats.entries
            self._cells = Allowance(KEY_CELLS_MAX, SUM_CELLS_MAX)
        if kind == "stats":
            self._bound_entries(owner, data, runner.stats)
            data["errors"] = self._bound_errors(owner, data["errors"], runner.stats)
        elif kind == "exception":
            self._bound_exception(owner, data, runner.exceptions)
        elif kind == "logs":
            lines = [cut(line, LOG_LINE_CHARACTERS_MAX) for line in data["logs"][-LOG_LINES_MAX:]]
            kept = self._keep(owner, data["worker_id"], kind, sum(map(len, lines)))
            data["logs"] = lines if kept else [BEYOND_BOUNDS]

    def _keep(self, owner: str, worker: str, kind: str, size: int) -> bool:
        """Charge for what replaces an earlier one of the same worker."""
        before = self._kept_of.get((worker, kind), 0)
        if size != before and not self._kept.spend(owner, size - before):
            return False
        self._kept_of[worker, kind] = size
        return True

    def _spend(self, owner: str, cells: int, *texts: str) -> bool:
        return self._cells.spend(owner, cells + sum(map(len, texts)) // CHARACTERS_A_CELL)

    def _bound_entries(self, owner: str, data: dict[str, Any], stats: RequestStats) -> None:
        now = time.time()
        for entry in (*data["stats"], data["stats_total"]):
            self._round(entry)
            for field in ("num_reqs_per_sec", "num_fail_per_sec"):
                entry[field] = _near(entry[field], now)
        for entry in data["stats"]:
            name, method = (cut(entry[field], NAME_CHARACTERS_MAX) for field in ("name", "method"))
            known = stats.entries.get((name, method))
            times = known.response_times.keys() if known else ()
            new = len(entry["response_times"].keys() - times)
            if known:
                within = not new or self._spend(owner, new)
            else:
                within = self._spend(owner, new + NAME_CELLS, name, method)
            entry["name"], entry["method"] = (name, method) if within else (BEYOND_BOUNDS, "")

    def _round(self, entry: dict[str, Any]) -> None:
        """Hold response times to the values that the kit's own rounding gives: they are few."""
        times: dict[float, int] = entry["response_times"]
        for strange in times.keys() - self._rounded:
            if bucket(strange) == strange:
                self._rounded.add(strange)
                continue
            rounded: Counter[float] = Counter()
            for milliseconds, count in times.items():
                rounded[bucket(milliseconds)] += count
            entry["response_times"] = dict(rounded)
            return

    def _bound_errors(
        self, owner: str, errors: Mapping[str, dict[str, Any]], stats: RequestStats
    ) -> dict[str, dict[str, Any]]:
        bounded: dict[str, dict[str, Any]] = {}
        for given, error in errors.items():
            key = given if len(given) <= 100 else hashlib.sha256(given.encode()).hexdigest()
            for field in ("name", "method"):
                error[field] = cut(error[field], NAME_CHARACTERS_MAX)
            error["error"] = cut(error["error"], ERROR_CHARACTERS_MAX)
            texts = error["name"], error["method"], error["error"]
            if key not in stats.errors and not self._spend(owner, ERROR_CELLS, *texts):
                key = BEYOND_BOUNDS
                error |= {"name": BEYOND_BOUNDS, "method": "", "error": BEYOND_BOUNDS}
            if key in bounded:
                bounded[key]["occurrences"] += error["occurrences"]
            else:
                bounded[key] = error
        return bounded

    def _bound_exception(
        self, owner: str, data: dict[str, str], exceptions: Mapping[int, object]
    ) -> None:
        message = cut(data["msg"], ERROR_CHARACTERS_MAX)
        traceback = cut(data["traceback"], TRACEBACK_CHARACTERS_MAX)
        # Locust's own key of an exception.
        known = hash(traceback) in exceptions
        if not known and not self._spend(owner, ERROR_CELLS, message, traceback):
            message = traceback = BEYOND_BOUNDS
        data["msg"], data["traceback"] = message, traceback


def forget_old_seconds(data: dict[str, Any], stats: RequestStats) -> None:
    """Drop what Locust keeps of each second but the newest: it looks at the last twelve.

    Call it when a `stats` message has been merged.
    """
    entries = (stats.entries.get((entry["name"], entry["method"])) for entry in data["stats"])
    for entry in (stats.total, *filter(None, entries)):
        _forget(entry)


def _forget(entry: StatsEntry) -> None:
    for counts in (entry.num_reqs_per_sec, entry.num_fail_per_sec):
        if len(counts) > 2 * SECONDS_KEPT:
            for second in sorted(counts)[:-SECONDS_KEPT]:
                del counts[second]


def _near(counts: dict[int, int], now: float) -> dict[int, int]:
    if all(abs(second - now) <= SECONDS_APART_MAX for second in counts):
        return counts
    return {
        second: count for second, count in counts.items() if abs(second - now) <= SECONDS_APART_MAX
    }
