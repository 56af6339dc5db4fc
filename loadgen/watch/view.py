"""What `make watch` shows in a terminal: history of scrapes in, rich's renderables out. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from loadgen.runs.progress import workers_of
from loadgen.shared.text import format_seconds, plain_line
from loadgen.watch.scrape import Name, Scrape, merged, quantile

WINDOW_SECONDS = 10.0
POINTS = 300
WHOLE = 15
"""Scrapes kept whole: those of the window. With 1,000 names each is a megabyte."""
HEAD_LINES, COURSE_LINES, HEADINGS = 4, 6, 6
BARS = "▁▂▃▄▅▆▇█"
CPU_LIMIT = 0.9
SAME_SNAPSHOT_SECONDS = 0.1
RATIOS = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class LivePoint:
    """What came between two scrapes: rates a second, quantiles in seconds."""

    rate: float
    failure_rate: float
    quantiles: tuple[float | None, ...]
    users: float | None


class History:
    """The last minutes of one exporter process. `gone` says that it doesn't answer any more."""

    def __init__(self) -> None:
        self.whole: deque[Scrape] = deque(maxlen=WHOLE)
        self.gone = False
        self._points: deque[LivePoint] = deque(maxlen=POINTS)

    def add(self, scrape: Scrape) -> None:
        """Take in a scrape; counters that went back are those of another exporter."""
        self.gone = False
        if self.whole and _total(scrape) < _total(self.whole[-1]):
            self.whole.clear()
            self._points.clear()
        if self.whole and abs(scrape.time - self.whole[-1].time) < SAME_SNAPSHOT_SECONDS:
            # The master has said nothing new: no time has passed in what is shown.
            self.whole[-1] = scrape
            return
        if self.whole:
            self._points.append(_point(self.whole[-1], scrape))
        self.whole.append(scrape)

    @property
    def has_any(self) -> bool:
        """Whether there was a scrape."""
        return bool(self.whole)

    @property
    def last(self) -> Scrape:
        """The newest scrape."""
        return self.whole[-1]

    @property
    def earlier(self) -> Scrape:
        """The scrape from which `last` is `WINDOW_SECONDS` away, or the oldest."""
        since = self.last.time - WINDOW_SECONDS
        return next(scrape for scrape in self.whole if scrape.time >= since)

    @property
    def points(self) -> list[LivePoint]:
        """What came between neighbours, oldest first."""
        return list(self._points)

    def rate(self, name: Name | None, *, failures: bool = False) -> float:
        """Return requests (or failures) a second over the window; of all names when None."""
        return _rate(self.earlier, self.last, name, failures=failures)


def _point(before: Scrape, after: Scrape) -> LivePoint:
    return LivePoint(
        _rate(before, after, None),
        _rate(before, after, None, failures=True),
        tuple(_quantile(ratio, before, after) for ratio in RATIOS),
        after.gauges.get("locust_users"),
    )


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


@dataclass(frozen=True, slots=True)
class _Sparkline:
    """As many of the newest values as there is room for: it ends at now."""

    values: Sequence[float | None]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        yield Text(sparkline(self.values[-options.max_width :]), style="cyan", no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        del console
        return Measurement(1, options.max_width)


@dataclass(frozen=True, slots=True)
class _Ending:
    """Text of which the end is kept where it is too long: paths differ there."""

    text: str
    style: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        room = options.max_width
        shown = self.text if len(self.text) <= room else "…" + self.text[-(room - 1) :]
        yield Text(shown, style=self.style, no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        del console
        return Measurement(4, min(len(self.text), options.max_width))


def render(history: History, height: int = 40) -> RenderableType:
    """Draw the newest state and the last minutes on so many lines."""
    room = max(height - HEAD_LINES - COURSE_LINES - HEADINGS - 1, 6)
    last = history.last
    errors = min(len(last.errors) or 1, max(2, room // 4))
    workers = min(len(last.workers), max(2, room // 3))
    names = max(room - errors - workers, 2)
    return Group(
        _head(history),
        _course(history),
        _names(history, names),
        _errors(last, errors),
        _workers(last, workers),
    )


def _text(text: str) -> Text:
    """Text from elsewhere: no markup, no escape sequences, one line."""
    return Text(plain_line(text), no_wrap=True, overflow="ellipsis")


def _head(history: History) -> Panel:
    scrape = history.last
    if not scrape.up:
        return Panel(Text("The exporter receives no data from a master.", style="red"), title="Run")
    gauges = scrape.gauges
    began = gauges.get("locust_test_start_timestamp_seconds", scrape.time)
    ended = gauges.get("locust_test_end_timestamp_seconds", scrape.time)
    connected = sum(n for state, n in scrape.workers_by_state.items() if state != "missing")
    state = "ENDED" if history.gone else plain_line(scrape.state.upper())
    text = Text.assemble(
        (state, "bold green" if state == "RUNNING" else "bold"),
        f"  {max(0.0, ended - began):.0f} s",
        f"  users {gauges.get('locust_users', 0):.0f}/{gauges.get('locust_users_target', 0):.0f}",
        f"  {workers_of(connected, int(gauges.get('locust_workers_expected', 0)))}",
        f"  requests {gauges.get('locust_test_requests', 0):,.0f}",
        f"  failed {gauges.get('locust_test_failures', 0):,.0f}",
        no_wrap=True,
        overflow="ellipsis",
    )
    second = Text(style="dim", no_wrap=True, overflow="ellipsis")
    for name, what in (("workers", "workers lost"), ("test_requests", "requests lost")):
        if lost := gauges.get(f"locust_{name}_lost", 0):
            second.append(f"{lost:.0f} {what}  ", style="bold red")
    second.append(f"{plain_line(scrape.run.get('locustfile', ''))} on ")
    second.append(plain_line(scrape.run.get("host", "")))
    title = _text(scrape.run.get("run_id") or "Run")
    return Panel(Group(text, second), title=title, title_align="left")


def _course(history: History) -> Table:
    points, earlier, last = history.points, history.earlier, history.last
    table = Table(box=None, expand=True, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(width=10)
    table.add_column(justify="right", width=9)
    table.add_column(ratio=1)
    now, failing = history.rate(None), history.rate(None, failures=True)
    table.add_row("Requests/s", f"{now:,.1f}", _Sparkline([point.rate for point in points]))
    failures = _Sparkline([point.failure_rate for point in points])
    table.add_row("Failures/s", f"{failing:,.1f}", failures)
    for number, ratio in enumerate(RATIOS):
        times = _Sparkline([point.quantiles[number] for point in points])
        table.add_row(f"p{ratio * 100:g}", format_seconds(_quantile(ratio, earlier, last)), times)
    users = last.gauges.get("locust_users", 0)
    table.add_row("Users", f"{users:.0f}", _Sparkline([point.users for point in points]))
    return table


def _table(title: str, more: int = 0) -> Table:
    heading = f"{title} ({more} more)" if more > 0 else title
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(heading, ratio=1, no_wrap=True)
    return table


def _names(history: History, most: int) -> Table:
    earlier, last = history.earlier, history.last
    table = _table("Slowest names", len(last.requests) - most)
    for column in ("Req/s", "Fail/s", "p50", "p95", "p99"):
        table.add_column(column, justify="right", no_wrap=True)
    slowest = sorted(last.requests, key=lambda name: -last.quantiles.get(name, {}).get("0.95", 0.0))
    for name in slowest[:most]:
        failing = _rate(earlier, last, name, failures=True)
        quantiles = last.quantiles.get(name, {})
        table.add_row(
            _Ending(plain_line(" ".join(name))),
            f"{_rate(earlier, last, name):,.1f}",
            Text(f"{failing:,.1f}", style="red" if failing else ""),
            *(format_seconds(quantiles.get(f"{ratio:g}")) for ratio in RATIOS),
        )
    return table


def _errors(scrape: Scrape, most: int) -> RenderableType:
    if not scrape.errors:
        return Text("No failures.", style="green")
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="bold")
    more = len(scrape.errors) - most
    table.add_column(f"Errors ({more} more)" if more > 0 else "Errors", ratio=2, no_wrap=True)
    table.add_column("Name", ratio=1, no_wrap=True)
    table.add_column("Count", justify="right", no_wrap=True)
    frequent = sorted(scrape.errors.items(), key=lambda item: -item[1])
    for (method, name, error), count in frequent[:most]:
        where = _Ending(plain_line(f"{method} {name}"))
        table.add_row(_text(error), where, f"{count:,.0f}")
    return table


def _workers(scrape: Scrape, most: int) -> Table:
    table = _table("Workers", len(scrape.workers) - most)
    for column in ("Users", "CPU", "Memory", "Clock"):
        table.add_column(column, justify="right", no_wrap=True)
    busiest = sorted(scrape.workers.items(), key=lambda item: -item[1].cpu)
    for name, worker in busiest[:most]:
        table.add_row(
            _Ending(plain_line(name)),
            f"{worker.users:.0f}",
            Text(f"{worker.cpu:.0%}", style="bold red" if worker.cpu > CPU_LIMIT else ""),
            f"{worker.memory_bytes / 2**20:,.0f} MiB",
            f"{worker.clock_offset_seconds * 1000:+.0f} ms",
        )
    return table
