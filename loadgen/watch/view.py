"""What `make watch` shows in a terminal: history of scrapes in, rich's renderables out. Pure."""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from loadgen.runs.progress import workers_of
from loadgen.shared.text import format_seconds, plain_line
from loadgen.watch.scrape import Name, Scrape, merged, quantile

WINDOW_SECONDS = 10.0
HISTORY = 300
COLUMNS = 60
NAMES = 10
ERRORS = 5
WORKERS = 16
BARS = "▁▂▃▄▅▆▇█"
CPU_LIMIT = 0.9


class History:
    """The scrapes of the last minutes, of one exporter process."""

    def __init__(self) -> None:
        self._scrapes: deque[Scrape] = deque(maxlen=HISTORY)

    def add(self, scrape: Scrape) -> None:
        """Take in a scrape; counters that went back are those of another exporter."""
        if self._scrapes and _total(scrape) < _total(self._scrapes[-1]):
            self._scrapes.clear()
        self._scrapes.append(scrape)

    @property
    def last(self) -> Scrape:
        """The newest scrape."""
        return self._scrapes[-1]

    @property
    def earlier(self) -> Scrape:
        """The scrape from which `last` is `WINDOW_SECONDS` away, or the oldest."""
        since = self.last.time - WINDOW_SECONDS
        return next(scrape for scrape in self._scrapes if scrape.time >= since)

    def pairs(self) -> list[tuple[Scrape, Scrape]]:
        """Return neighbours, oldest first, as many as fit into a sparkline."""
        return list(pairwise(self._scrapes))[-COLUMNS:]

    def rate(self, name: Name | None, *, failures: bool = False) -> float:
        """Return requests (or failures) a second over the window; of all names when None."""
        return _rate(self.earlier, self.last, name, failures=failures)


def _counts(scrape: Scrape, *, failures: bool) -> dict[Name, float]:
    return scrape.failures if failures else scrape.requests


def _total(scrape: Scrape) -> float:
    return sum(scrape.requests.values())


def _rate(before: Scrape, after: Scrape, name: Name | None, *, failures: bool = False) -> float:
    first, second = _counts(before, failures=failures), _counts(after, failures=failures)
    seconds = after.time - before.time
    if seconds <= 0:
        return 0.0
    if name is None:
        return (sum(second.values()) - sum(first.values())) / seconds
    return (second.get(name, 0.0) - first.get(name, 0.0)) / seconds


def _quantile(ratio: float, before: Scrape, after: Scrape) -> float | None:
    return quantile(ratio, merged(after.buckets), merged(before.buckets))


def sparkline(values: Sequence[float | None]) -> str:
    """Draw values from zero to their maximum, one character each; a gap where there is none."""
    greatest = max((value for value in values if value is not None), default=0.0)
    return "".join(_bar(value, greatest) for value in values)


def _bar(value: float | None, greatest: float) -> str:
    if value is None:
        return " "
    return BARS[round(value / greatest * (len(BARS) - 1))] if greatest > 0 else BARS[0]


def render(history: History) -> RenderableType:
    """Draw the newest state and the last minutes."""
    return Group(
        _head(history.last),
        _lines(history),
        _names(history),
        _errors(history.last),
        _workers(history.last),
    )


def _text(text: str) -> Text:
    """Text from elsewhere: no markup, no escape sequences, one line."""
    return Text(plain_line(text))


def _head(scrape: Scrape) -> Panel:
    if not scrape.up:
        return Panel(Text("The exporter hears no master.", style="red"), title="Run")
    gauges = scrape.gauges
    began = gauges.get("locust_test_start_timestamp_seconds", scrape.time)
    ended = gauges.get("locust_test_end_timestamp_seconds", scrape.time)
    connected = sum(n for state, n in scrape.workers_by_state.items() if state != "missing")
    text = Text.assemble(
        (scrape.state.upper(), "bold green" if scrape.state == "running" else "bold"),
        f"  {max(0.0, ended - began):.0f} s",
        f"   users {gauges.get('locust_users', 0):.0f}/{gauges.get('locust_users_target', 0):.0f}",
        f"   {workers_of(connected, int(gauges.get('locust_workers_expected', 0)))}",
        f"   requests {gauges.get('locust_test_requests', 0):,.0f}",
        f"   failures {gauges.get('locust_test_failures', 0):,.0f}",
    )
    for name, what in (("workers", "workers lost"), ("test_requests", "requests lost")):
        if lost := gauges.get(f"locust_{name}_lost", 0):
            text.append(f"   {lost:.0f} {what}", style="bold red")
    run = scrape.run
    text.append(f"\n{plain_line(run.get('locustfile', ''))} on ", style="dim")
    text.append(plain_line(run.get("host", "")), style="dim")
    return Panel(text, title=_text(run.get("run_id") or "Run"), title_align="left")


def _lines(history: History) -> Table:
    pairs, earlier, last = history.pairs(), history.earlier, history.last
    table = Table(box=None, expand=True, show_header=False)
    table.add_column(width=12)
    table.add_column(justify="right", width=10)
    table.add_column(style="cyan", no_wrap=True, ratio=1)
    for title, failures in (("Requests/s", False), ("Failures/s", True)):
        values = [_rate(before, after, None, failures=failures) for before, after in pairs]
        now = history.rate(None, failures=failures)
        table.add_row(title, f"{now:,.1f}", sparkline(values))
    for ratio in (0.5, 0.95, 0.99):
        times = [_quantile(ratio, before, after) for before, after in pairs]
        now_seconds = _quantile(ratio, earlier, last)
        table.add_row(f"p{ratio * 100:g}", format_seconds(now_seconds), sparkline(times))
    users = [after.gauges.get("locust_users") for _, after in pairs]
    table.add_row("Users", f"{last.gauges.get('locust_users', 0):.0f}", sparkline(users))
    return table


def _names(history: History) -> Table:
    earlier, last = history.earlier, history.last
    table = Table(
        title=f"Slowest names, last {WINDOW_SECONDS:.0f} s", title_justify="left", expand=True
    )
    table.add_column("Method")
    table.add_column("Name", ratio=1, overflow="ellipsis", no_wrap=True)
    for column in ("Requests/s", "Failures/s", "p50", "p95", "p99"):
        table.add_column(column, justify="right")
    slowest = sorted(last.requests, key=lambda name: -(_of_name(history, name, 0.95) or 0.0))
    for name in slowest[:NAMES]:
        failing = _rate(earlier, last, name, failures=True)
        table.add_row(
            *map(_text, name),
            f"{_rate(earlier, last, name):,.1f}",
            Text(f"{failing:,.1f}", style="red" if failing else ""),
            *(format_seconds(_of_name(history, name, ratio)) for ratio in (0.5, 0.95, 0.99)),
        )
    return table


def _of_name(history: History, name: Name, ratio: float) -> float | None:
    earlier, last = history.earlier, history.last
    return quantile(ratio, last.buckets.get(name, {}), earlier.buckets.get(name, {}))


def _errors(scrape: Scrape) -> RenderableType:
    if not scrape.errors:
        return Text("No failures.", style="green")
    table = Table(title="Errors", title_justify="left", expand=True)
    table.add_column("Count", justify="right")
    table.add_column("Name")
    table.add_column("Error", ratio=1, overflow="ellipsis", no_wrap=True)
    frequent = sorted(scrape.errors.items(), key=lambda item: -item[1])
    for (method, name, error), count in frequent[:ERRORS]:
        table.add_row(f"{count:,.0f}", _text(f"{method} {name}"), _text(error))
    return table


def _workers(scrape: Scrape) -> Table:
    table = Table(title="Workers", title_justify="left", expand=True)
    table.add_column("Worker", ratio=1)
    for column in ("Users", "CPU", "Memory", "Clock offset"):
        table.add_column(column, justify="right")
    busiest = sorted(scrape.workers.items(), key=lambda item: -item[1].cpu)
    for name, worker in busiest[:WORKERS]:
        table.add_row(
            _text(name),
            f"{worker.users:.0f}",
            Text(f"{worker.cpu:.0%}", style="bold red" if worker.cpu > CPU_LIMIT else ""),
            f"{worker.memory_bytes / 2**20:,.0f} MiB",
            f"{worker.clock_offset_seconds * 1000:+.0f} ms",
        )
    if len(busiest) > WORKERS:
        table.caption = f"and {len(busiest) - WORKERS} less busy ones"
    return table
