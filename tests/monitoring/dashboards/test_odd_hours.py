"""What dashboards show of hours that are rare: made histories under a real Prometheus.

A killed exporter, a run shorter than two scrapes, a fleet of sixty hosts, names and fleets of any
characters. See `history`; what Grafana does is in `grafana_view`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from exporter.grafana.parts import LAST_SCRAPE_SECONDS
from exporter.runs import GAUGES, RunFigures, RunsCollector
from loadgen.shared.snapshot import ErrorCount, SecondCount, SloStatus, Snapshot, WorkerStatus
from tests.monitoring.dashboards.grafana_view import View
from tests.monitoring.dashboards.history import Exporter, History, remembering
from tests.monitoring.prometheus_api import Prometheus
from tests.unit.exporter.samples import SNAPSHOT, WORKER, entry

pytestmark = pytest.mark.usefixtures("prometheus_package")
BEGAN = 1_790_000_000.0
RATE, PEAK, PEAK_AT = 40, 120, 7
HOUR = 3600.0
ODD_NAMES = ('/say "hi"', "/back\\slash", "/new\nline", "/zażółć/😀", "/a.b?c=(d)|e", "/{id}")


@dataclass(frozen=True)
class Run:
    """A made run: `RATE` requests a second for `seconds`, and `PEAK` in one of them."""

    id: str
    began: float
    seconds: int
    names: tuple[str, ...] = ("/",)
    fails: bool = True

    @property
    def ended(self) -> float:
        return self.began + self.seconds

    @property
    def requests(self) -> int:
        return self.requests_until(self.seconds) + self.seconds * (len(self.names) - 1)

    def requests_until(self, second: int) -> int:
        return RATE * second + (PEAK - RATE) * (second > PEAK_AT)

    def snapshot(self, second: int) -> Snapshot:
        """Return what the master says so many seconds after the run's start."""
        over = second >= self.seconds
        counted = min(second, self.seconds)
        made = self.requests_until(counted)
        each = [
            entry(name, made if place == 0 else counted, 10.0 + place, counted * self.fails)
            for place, name in enumerate(self.names)
        ]
        second_now = int(self.began) + counted - 1
        rate = PEAK if counted - 1 == PEAK_AT else RATE
        return replace(
            SNAPSHOT,
            time=self.began + second,
            epoch=self.id,
            run_id=self.id,
            state="stopped" if over else "running",
            final=over,
            users=0 if over else 5,
            test_started_at=self.began,
            test_stopped_at=self.ended if over else None,
            measured_from=self.began,
            measured_seconds=float(counted),
            entries=each,
            errors=[ErrorCount("GET", self.names[0], "no", counted)] if self.fails else [],
            workers=self.workers(second),
            completed=[SecondCount(second_now, rate, 0)] if counted else [],
        )

    def workers(self, second: int) -> list[WorkerStatus]:
        """Return two workers; the second leaves half way."""
        both = [
            replace(WORKER, id=f"gen{n}_x", index=n, cpu_percent=30.0 + 30 * n) for n in range(2)
        ]
        return both[: 1 if second > self.seconds // 2 else 2]


def play(exporter: Exporter, run: Run, every: int, killed_at: int | None = None) -> None:
    """Let an exporter hear a run and be scraped, until its last numbers are taken."""
    second, last = 0, -1
    while last <= run.seconds:
        if second == killed_at:
            exporter.restart()
        exporter.hear(run.snapshot(second))
        if second % every == every // 2:
            exporter.scrape(run.began + second)
            last = second
        second += 1
    exporter.end(run.began + last + every)


def kept(history: History, fleet: str, at: float, *runs: RunFigures) -> None:
    """Let the archive's exporter be scraped."""
    registry = CollectorRegistry()
    registry.register(RunsCollector(lambda: None, lambda: runs))
    text = generate_latest(registry).decode()
    history.scrape(at, text, job="loadgen-results", fleet=fleet)


def figures(run: Run, verdict: str) -> RunFigures:
    return RunFigures(
        run.id, run.began, run.ended, float(run.seconds), 5, requests=run.requests, verdict=verdict
    )


FLEETS = ("eu.1", "eu-1", "eu+1 (old)")
MANY = Run("many", BEGAN, 60, tuple(f"/{n:02}" for n in range(30)))
ODD = Run("odd", BEGAN, 60, ODD_NAMES)
SOUND = Run("sound", BEGAN + 100, 60, fails=False)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Everything that is scraped every five seconds, in one Prometheus."""
    history = History()
    for number, fleet in enumerate(FLEETS):
        play(Exporter(history, fleet=fleet), Run(f"r{number}", BEGAN, 60 + number), 5)
    odd = Exporter(history, fleet="odd")
    play(odd, ODD, 5, killed_at=30)
    play(odd, SOUND, 5)
    for at in range(0, 300, 5):
        runs = [figures(run, "passed") for run in (ODD, SOUND) if run.ended < BEGAN + at]
        kept(history, "odd", BEGAN + at, *runs)
    for at in range(300, 7200, 60):
        kept(history, "odd", BEGAN + at, figures(ODD, "failed"), figures(SOUND, "passed"))
    play(Exporter(history, fleet="many"), MANY, 10)
    hosts(history)
    nothing_yet(history)
    with remembering(tmp_path_factory.mktemp("odd"), history) as prometheus:
        yield prometheus


def hosts(history: History) -> None:
    """Sixty hosts under load."""
    for at in range(0, 60, 5):
        for number in range(60):
            text = "".join(
                f"{name} {value}\n"
                for name, value in (
                    ('node_cpu_seconds_total{mode="idle",cpu="0"}', at * (60 - number) / 60),
                    ("node_load1", number),
                    ("node_memory_MemAvailable_bytes", 1000 - number),
                    ("node_memory_MemTotal_bytes", 1000),
                    ('node_network_receive_bytes_total{device="eth0"}', at * number),
                    ('node_network_transmit_bytes_total{device="eth0"}', at * number),
                    ("node_sockstat_TCP_inuse", number),
                    ("node_sockstat_TCP_tw", number),
                    ("node_filefd_allocated", number),
                    ("node_filefd_maximum", 1000),
                )
            )
            history.scrape(BEGAN + at, text, job="node", fleet="many", host=f"gen{number:02}")


def nothing_yet(history: History) -> None:
    """A run that has just begun: no request, no time measured, an SLO without data."""
    exporter = Exporter(history, fleet="new")
    slo = SloStatus("p95 at most 2 s", None, None, 2.0)
    begun = replace(Run("new", BEGAN, 60).snapshot(0), entries=[], errors=[], slos=[slo])
    clocks = [
        replace(WORKER, id=f"gen{n}_x", index=n, clock_offset_seconds=-5.0 if n == 7 else n / 1000)
        for n in range(30)
    ]
    for at in range(0, 30, 5):
        exporter.hear(replace(begun, time=BEGAN + at, workers=clocks))
        exporter.scrape(BEGAN + at)


def view(
    prometheus: Prometheus,
    dashboard: str,
    fleet: str,
    end: float,
    length: float = HOUR,
    /,
    **chosen: str | Sequence[str],
) -> View:
    return View(prometheus, dashboard, end - length, end, 5, {"fleet": fleet} | chosen)


def values(of: View, *titles: str) -> list[Any]:
    return [tile.get("value") for tile in of.tiles(*titles).values()]


@pytest.mark.parametrize("number", range(len(FLEETS)))
def test_fleets_of_any_name_are_not_blended(shown: Prometheus, number: int) -> None:
    of = view(shown, "run", FLEETS[number], BEGAN + 120)
    assert of.options["run"] == [f"r{number}"]
    assert values(of, "Requests") == [Run("", BEGAN, 60 + number).requests]
    assert set(of.options["fleet"]) == {*FLEETS, "odd", "many", "new"}


def test_names_of_any_characters_are_shown_as_they_are(shown: Prometheus) -> None:
    of = view(shown, "run", "odd", BEGAN + 80)
    (names,) = of.tables("Names")
    assert {row["Name"]["value"] for row in names} == set(ODD_NAMES)
    assert set(of.series("Requests by name")) == {f"GET {name}" for name in ODD_NAMES}


@pytest.mark.parametrize("name", ["/a.b?c=(d)|e", "/back\\slash", "/{id}", "/zażółć/😀"])
def test_one_of_them_can_be_chosen(shown: Prometheus, name: str) -> None:
    of = view(shown, "run", "odd", BEGAN + 80, name=name)
    (names,) = of.tables("Names")
    assert [row["Name"]["value"] for row in names] == [name]


def test_a_name_that_is_not_among_the_greatest_has_its_lines_when_it_is_chosen(
    shown: Prometheus,
) -> None:
    chosen = ("/20", "/21")
    of = view(shown, "run", "many", BEGAN + 80, name=chosen)
    for title in ("Requests by name", "95th percentile by name"):
        assert set(of.series(title)) == {"GET /20", "GET /21"}, title
    names, errors = of.tables("Names", "Errors")
    assert {row["Name"]["value"] for row in names} == set(chosen)
    assert errors == []
    assert len(view(shown, "run", "many", BEGAN + 80).tables("Errors")[0]) == 1


def test_peaks_are_those_of_the_run_however_long_a_time_is_shown_and_after_a_kill(
    shown: Prometheus,
) -> None:
    for length in (300.0, HOUR, 30 * 24 * HOUR):
        of = view(shown, "run", "odd", BEGAN + 90, length, run="odd")
        titles = ("Peak requests/s", "Peak users", "Requests")
        assert values(of, *titles) == [PEAK, 5, ODD.requests], length


def test_a_run_without_failures_has_a_zero_and_an_empty_table(shown: Prometheus) -> None:
    of = view(shown, "run", "odd", BEGAN + 240)
    assert of.values["run"] == "sound"
    assert of.tiles("Failures")["Failures"]["text"] == "0%"
    failures = [value for _, value in of.series("Requests and failures")["failures"]]
    assert set(failures) == {0.0}
    assert of.tables("Errors") == [[]]


def test_a_run_that_has_just_begun_shows_no_odd_numbers(shown: Prometheus) -> None:
    of = view(shown, "run", "new", BEGAN + 27)
    for title, tile in of.tiles("Requests/s", "Failures", "p95", "Bytes/s").items():
        assert tile["text"] == "-", title
    assert of.tiles("Requests")["Requests"]["text"] == "0"
    (slos,) = of.tables("SLOs")
    assert [(row["Holds"]["text"], row["Limit"]["value"]) for row in slos] == [
        ("not measured yet", 2.0)
    ]
    (runs,) = view(shown, "home", "new", BEGAN + 27).tables("Runs")
    assert [row["Run"]["value"] for row in runs] == ["new"]
    assert "NaN" not in {cell["text"] for row in runs for cell in row.values()}


@pytest.mark.parametrize(("every", "seconds"), [(5, 75), (15, 75), (60, 75), (60, 7)])
def test_homes_link_leads_to_the_whole_run_at_any_interval(
    tmp_path: Path, every: int, seconds: int
) -> None:
    history, run = History(), Run("short", BEGAN + 13, seconds)
    play(Exporter(history, fleet="north"), run, every)
    with remembering(tmp_path, history) as prometheus:
        now = run.ended + HOUR
        home = View(prometheus, "home", now - 30 * 24 * HOUR, now, every)
        (row,) = home.tables("Runs")[0]
        start, end = (row[name]["value"] / 1000 for name in ("Started", "Ended"))
        assert start <= run.began < run.ended < end <= run.ended + LAST_SCRAPE_SECONDS
        of = View(prometheus, "run", start, end, every)
        titles = ("Requests", "Peak requests/s")
        right = [run.requests, PEAK if seconds > PEAK_AT else RATE]
        assert values(of, *titles) == right
        begin, end = (float(of.values[name]) / 1000 for name in ("begin", "end"))
        assert values(View(prometheus, "run", begin, end, every), *titles) == right


def test_the_fleets_dashboard_tells_of_a_run_after_its_end(shown: Prometheus) -> None:
    of = view(shown, "fleet", FLEETS[0], BEGAN + 180, 600)
    tiles = of.tiles("Busiest worker", "Master CPU", "Clock offset", "Workers lost", "Masters")
    assert tiles["Busiest worker"]["value"] == 0.6
    assert tiles["Master CPU"]["value"] == 0.02
    assert tiles["Clock offset"]["value"] == 0.002
    assert tiles["Masters"]["text"] == "-"
    (workers,) = of.tables("Worker processes")
    # One of them left half way.
    assert {row["Worker"]["value"] for row in workers} == {"gen0_0", "gen1_1"}


def test_a_clock_far_behind_is_as_odd_as_one_ahead(shown: Prometheus) -> None:
    of = view(shown, "fleet", "new", BEGAN + 27, 60)
    assert values(of, "Clock offset") == [5.0]
    lines = of.series("Clock offset by worker")
    assert len(lines) == 10
    assert max(value for _, value in lines["gen7_7"]) == 5.0
    (workers,) = of.tables("Worker processes")
    assert {row["Worker"]["value"]: row["Clock offset"]["value"] for row in workers}["gen7_7"] == 5


def test_of_sixty_hosts_the_busiest_are_shown(shown: Prometheus) -> None:
    of = view(shown, "fleet", "many", BEGAN + 57, 120)
    assert len(of.options["host"]) == 60
    busiest = {f"gen{number}" for number in range(50, 60)}
    for panel in of.panels:
        if panel["title"].endswith(" by host"):
            lines = of.series(panel["title"])
            assert {line.split()[0] for line in lines} == busiest, panel["title"]


def test_each_start_and_end_is_marked_once_beside_an_archive(shown: Prometheus) -> None:
    of = view(shown, "run", "odd", BEGAN + 300, 400)
    assert of.marks("Start") == [ODD.began, SOUND.began]
    assert of.marks("End") == [ODD.ended, SOUND.ended]
    titles = {mark["name"]: mark.get("titleFormat") for mark in of.content["annotations"]["list"]}
    assert titles["Start"] == "{{run_id}} starts"


def test_a_verdict_that_was_judged_anew_is_the_one_shown(shown: Prometheus) -> None:
    (rows,) = view(shown, "home", "odd", BEGAN + 2 * HOUR - 30, 24 * HOUR).tables("Runs")
    verdicts = {row["Run"]["value"]: row["Verdict"]["text"] for row in rows}
    assert verdicts == {"odd": "failed", "sound": "passed"}


def test_a_fleet_is_offered_while_its_runs_are_kept(tmp_path: Path) -> None:
    # The exporter ended with its last run; only the archive is scraped.
    history, older, newer = History(), Run("a", BEGAN, 60), Run("b", BEGAN + 100, 60)
    for at in range(200, 500, 5):
        kept(history, "local", BEGAN + at, *(figures(run, "passed") for run in (older, newer)))
    with remembering(tmp_path, history) as prometheus:
        of = View(prometheus, "compare", BEGAN + 500 - HOUR, BEGAN + 500, 5)
        assert of.values["fleet"] == "local"
        assert (of.values["run_a"], of.values["run_b"]) == ("b", "a")
        assert len(of.tables("Both runs")[0]) == 2


def test_the_load_of_all_runs_counts_no_request_twice(tmp_path: Path) -> None:
    history, run = History(), Run("r", BEGAN, 120)
    exporter = Exporter(history, fleet="")
    for second in range(0, 120, 5):
        plain = run.snapshot(second)
        arrivals = [replace(one, method="ARRIVAL", name="visit") for one in plain.entries]
        exporter.hear(replace(plain, entries=[*plain.entries, *arrivals]))
        exporter.scrape(run.began + second)
    with remembering(tmp_path, history) as prometheus:
        for name, title in (("home", "Load"), ("run", "Requests and failures")):
            of = View(prometheus, name, BEGAN, BEGAN + 115, 5)
            assert of.values["fleet"] == ""
            lines = of.series(title)
            assert lines["requests"][-1][1] == pytest.approx(RATE)


def test_every_gauge_of_a_run_has_a_unit_in_its_name_or_is_a_count() -> None:
    counts = r"(users|users_peak|requests|failures|requests_lost|workers_(lost|expected))"
    for name in GAUGES:
        assert re.fullmatch(rf"{counts}|.*_(seconds|bytes|per_second_peak)", name), name
