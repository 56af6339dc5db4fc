"""What the dashboards show is what happened.

Real runs under a real Prometheus, and each dashboard evaluated as Grafana does (see
`grafana_view`): during a run, a minute after it, and over three runs and an hour without any. With
LOADGEN_LONG=1 (`make test-monitoring`) the runs are seen at scrapes of 5, 15 and 60 s as well.
"""

import math
import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.grafana.parts import LAST_SCRAPE_SECONDS
from tests.monitoring.dashboards.grafana_view import View, evaluate, interval_ms
from tests.monitoring.dashboards.test_dashboard_files import NAMES
from tests.monitoring.dashboards.watched import NAMES as WIDE_NAMES
from tests.monitoring.dashboards.watched import USERS, WORKERS, Watched, WatchedRun, watching

ROOT = Path(__file__).parents[3]
LONG = bool(os.environ.get("LOADGEN_LONG"))
INTERVALS = (5, 15, 60) if LONG else (1,)
RUN_SECONDS = (75, 90, 75) if LONG else (6, 8, 6)
HOUR = 3600.0
RUN_TILES = (
    *("State", "Requests", "Requests/s", "Peak requests/s", "Failures", "Peak users"),
    *("p50", "p95", "p99", "Bytes/s", "Workers lost", "Requests lost"),
)


@pytest.fixture(scope="module")
def watched(
    prometheus_package: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Watched]:
    directory = tmp_path_factory.mktemp("watched")
    with watching(directory, intervals=INTERVALS, run_seconds=RUN_SECONDS) as watched:
        yield watched


@pytest.fixture(params=INTERVALS)
def seconds(request: pytest.FixtureRequest) -> int:
    """Seconds between two scrapes."""
    return int(request.param)


def opened(
    watched: Watched, seconds: int, name: str, start: float, end: float, **chosen: str
) -> View:
    return View(watched.prometheus[seconds], name, start, end, seconds, {"fleet": "north"} | chosen)


def a_minute_after(watched: Watched, seconds: int, name: str, **chosen: str) -> View:
    end = watched.runs[-1].ended + 60
    return opened(watched, seconds, name, end - 900, end, **chosen)


def after_an_idle_hour(watched: Watched, seconds: int, name: str, **chosen: str) -> View:
    end = watched.runs[-1].ended + HOUR
    return opened(watched, seconds, name, watched.runs[0].began - 60, end, **chosen)


VIEWS = {"a minute after": a_minute_after, "three runs and an idle hour": after_an_idle_hour}


def near(shown: dict[str, Any], expected: float, tolerance: float = 1e-6) -> None:
    assert shown["value"] == pytest.approx(expected, rel=tolerance, abs=1e-9), shown


def check_run_tiles(tiles: dict[str, dict[str, Any]], run: WatchedRun) -> None:
    summary, times = run.summary, run.summary["response_time_seconds"]
    near(tiles["Requests"], summary["requests"])
    assert tiles["Requests"]["text"] == f"{summary['requests']:,}"
    near(tiles["Requests/s"], summary["throughput_per_second"], 0.01)
    near(tiles["Failures"], summary["failures"] / summary["requests"])
    assert tiles["Failures"]["color"] != tiles["Workers lost"]["color"]
    for name in ("p50", "p95", "p99"):
        near(tiles[name], times[name])
    near(tiles["Workers lost"], 0)
    near(tiles["Requests lost"], 0)


@pytest.mark.parametrize("when", VIEWS)
def test_run_shows_the_newest_run_after_its_end(watched: Watched, seconds: int, when: str) -> None:
    view = VIEWS[when](watched, seconds, "run")
    newest = watched.runs[-1]
    assert view.values["run"] == newest.id
    assert view.options["run"] == [run.id for run in reversed(watched.runs)]
    tiles = view.tiles(*RUN_TILES)
    check_run_tiles(tiles, newest)
    assert tiles["State"]["text"] == "over"


def test_run_shows_an_older_run_that_is_chosen(watched: Watched, seconds: int) -> None:
    for run in watched.runs:
        view = after_an_idle_hour(watched, seconds, "run", run=run.id)
        check_run_tiles(view.tiles("Requests", *RUN_TILES[2:]), run)


def test_run_shows_what_is_under_way(watched: Watched, seconds: int) -> None:
    run = watched.runs[-1]
    moment = last_full_load(watched, seconds, run)
    view = opened(watched, seconds, "run", moment - 300, moment)
    tiles = view.tiles(*RUN_TILES)
    assert tiles["State"]["text"] == "running"
    near(tiles["Peak users"], USERS)
    assert 0 < tiles["Requests"]["value"] <= run.summary["requests"]
    assert 0.05 < tiles["Failures"]["value"] < 0.5


def last_full_load(watched: Watched, seconds: int, run: WatchedRun) -> float:
    """Return the last moment of a run at which it was running."""
    running = 'locust_state{fleet="north",locust_state="running"} == 1'
    moment = f"max(max_over_time(timestamp({running})[%ds:1s]))"
    length = int(run.ended - run.began) + 1
    found = watched.prometheus[seconds].value(moment % length, run.ended)
    assert found is not None
    return found


@pytest.mark.parametrize("when", VIEWS)
def test_names_and_errors_are_those_of_the_run(watched: Watched, seconds: int, when: str) -> None:
    run = watched.runs[-1]
    view = VIEWS[when](watched, seconds, "run")
    names, errors, slos = view.tables("Names", "Errors", "SLOs")
    assert [row["Name"]["value"] for row in names] == ["/", "/missing"] or len(names) == 2
    assert sum(row["Requests"]["value"] for row in names) == run.summary["requests"]
    missing = next(row for row in names if row["Name"]["value"] == "/missing")
    near(missing["Failed"], 1.0)
    assert missing["Failed"]["coloured"]
    for row in names:
        assert row["p50"]["value"] <= row["p95"]["value"] <= row["p99"]["value"]
        assert 0 < row["Average"]["value"] <= row["Max"]["value"]
    (error,) = errors
    assert error["Failures"]["value"] == run.summary["failures"]
    assert "no such article" in error["Error"]["value"]
    assert len(slos) == len(run.summary["slos"])
    assert all(row["Holds"]["text"] in ("yes", "no") for row in slos)


def test_graphs_show_the_run_and_nothing_else(watched: Watched, seconds: int) -> None:
    run = watched.runs[-1]
    view = after_an_idle_hour(watched, seconds, "run", run=run.id)
    zoomed = opened(
        watched,
        seconds,
        "run",
        float(view.values["begin"]) / 1000,
        float(view.values["end"]) / 1000,
    )
    lines = zoomed.series("Requests and failures")
    assert set(lines) == {"requests", "failures"}
    for points in lines.values():
        assert all(run.began <= at <= run.ended + 2 * seconds for at, _ in points)
    peak = max(value for _, value in lines["requests"])
    assert peak == pytest.approx(run.summary["throughput_per_second"], rel=0.4)
    times = zoomed.series("Response times")
    exact = run.summary["response_time_seconds"]["p95"]
    known = [value for _, value in times["p95"] if not math.isnan(value)]
    assert known
    assert min(known) <= exact * 1.1
    assert set(zoomed.series("Requests by name")) == {"GET /", "GET /missing"}
    assert set(zoomed.series("Users")) == {"running", "target"}
    assert zoomed.series("Transfer")


def test_the_heatmap_counts_each_request_once(watched: Watched, seconds: int) -> None:
    run = watched.runs[-1]
    view = after_an_idle_hour(watched, seconds, "run")
    start, end = (float(view.values[name]) / 1000 for name in ("begin", "end"))
    zoomed = opened(watched, seconds, "run", start, end)
    cells = zoomed.series("Distribution of response times")
    counted = sum(value for _, value in cells["+Inf"])
    # What came before the first scrape has no rate. Four scrapes of a minute, the shortest window
    # that has a rate, hold the run before this one as well.
    if seconds <= 15:
        assert counted <= run.summary["requests"] * 1.1
    if seconds <= 5:
        assert counted >= run.summary["requests"] * 0.4


def test_starts_and_ends_are_marked_once_each(watched: Watched, seconds: int) -> None:
    for view in (
        opened(watched, seconds, "run", watched.runs[0].began - 60, watched.runs[-1].ended + 60),
        after_an_idle_hour(watched, seconds, "run"),
    ):
        starts, ends = view.marks("Start"), view.marks("End")
        assert len(starts) == len(ends) == len(watched.runs)
        for run, start, end in zip(watched.runs, starts, ends, strict=True):
            assert run.began <= start < end <= run.ended
        assert view.marks("Worker lost") == []


@pytest.mark.parametrize("when", VIEWS)
def test_home_lists_every_run_once_with_its_verdict(
    watched: Watched, seconds: int, when: str
) -> None:
    view = VIEWS[when](watched, seconds, "home")
    (rows,) = view.tables("Runs")
    by_id = {row["Run"]["value"]: row for row in rows}
    assert len(rows) == len(by_id) == len(watched.runs)
    for run in watched.runs:
        row, summary = by_id[run.id], run.summary
        assert row["Verdict"]["text"] == summary["verdict"]
        assert row["Verdict"]["coloured"]
        assert row["Requests"]["value"] == summary["requests"]
        near(row["Duration"], summary["measured_seconds"], 0.01)
        near(row["Requests/s"], summary["throughput_per_second"], 0.01)
        near(row["p95"], summary["response_time_seconds"]["p95"])
        near(row["Users"], USERS)
        assert run.began <= row["Started"]["value"] / 1000 <= run.ended
        assert row["Started"]["value"] < row["Ended"]["value"]
        assert row["Ended"]["hidden"]
    assert view.tiles("Now")["Now"]["text"] == "no master"
    assert view.tiles("Users")["Users"]["text"] == "-"


def test_compare_opens_with_the_run_before_and_lays_both_starts_over_each_other(
    watched: Watched, seconds: int
) -> None:
    older, newer = watched.runs[-2:]
    first = a_minute_after(watched, seconds, "compare")
    assert (first.values["run_a"], first.values["run_b"]) == (newer.id, older.id)
    start, end = (float(first.values[name]) / 1000 for name in ("begin", "end"))
    over = datetime.fromisoformat(newer.summary["ended_at"]).timestamp()
    assert newer.began - 10 < start < over < end - LAST_SCRAPE_SECONDS + 1
    view = opened(watched, seconds, "compare", start, end)
    assert (view.values["run_a"], view.values["run_b"]) == (newer.id, older.id)
    users = view.series("Users")
    a, b = (users[f"{letter}: {run.id}"] for letter, run in (("A", newer), ("B", older)))
    assert max(value for _, value in a) == max(value for _, value in b) == USERS
    assert abs(a[0][0] - b[0][0]) <= 2 * seconds + 1
    if seconds < 15:
        assert len(view.series("Requests/s")) == 2
    (rows,) = view.tables("Both runs")
    assert {row["Run"]["value"]: row["Requests"]["value"] for row in rows} == {
        run.id: run.summary["requests"] for run in (newer, older)
    }


@pytest.mark.parametrize("chosen", [0, 1, 2])
def test_compare_is_no_error_with_one_run_the_same_twice_or_none(
    watched: Watched, seconds: int, chosen: int
) -> None:
    ids = [run.id for run in watched.runs]
    run_a, run_b = [(ids[0], ""), (ids[1], ids[1]), ("", "")][chosen]
    view = a_minute_after(watched, seconds, "compare", run_a=run_a, run_b=run_b)
    for panel in view.panels:
        if panel["type"] == "timeseries":
            view.series(panel["title"])


def test_a_fleet_is_not_blended_with_another(watched: Watched, seconds: int) -> None:
    north = a_minute_after(watched, seconds, "run")
    south = a_minute_after(watched, seconds, "run", fleet="south")
    assert north.options["fleet"] == ["north", "south", "wide"]
    check_run_tiles(north.tiles("Requests", *RUN_TILES[2:]), watched.runs[-1])
    # The exporter waits for a Prometheus, not for each of its jobs: south may lack the last scrape.
    counted = south.tiles("Requests")["Requests"]["value"]
    requests = watched.runs[-1].summary["requests"]
    assert 0.5 * requests < counted <= requests
    fresh = View(watched.prometheus[seconds], "run", north.start, north.end, seconds)
    assert fresh.values["fleet"] == "north"


def test_fifty_names_and_a_hundred_workers_are_shown_as_the_greatest(
    watched: Watched, seconds: int
) -> None:
    end = watched.runs[-1].ended
    run = opened(watched, seconds, "run", end - 60 * seconds, end, fleet="wide")
    (names,) = run.tables("Names")
    assert len(names) == WIDE_NAMES
    lines = run.series("Requests by name")
    assert set(lines) == {f"GET /shop/{number:02}" for number in range(40, 50)}
    assert len(run.series("95th percentile by name")) <= 10
    fleet = opened(watched, seconds, "fleet", end - 60 * seconds, end, fleet="wide")
    assert len(fleet.series("CPU by worker")) == 11
    (processes,) = fleet.tables("Worker processes")
    assert len(processes) == WORKERS
    tiles = fleet.tiles("Masters", "Workers", "Workers missing", "Busiest worker")
    assert [tiles[name]["value"] for name in ("Masters", "Workers", "Workers missing")] == [
        1,
        WORKERS,
        0,
    ]
    near(tiles["Busiest worker"], 0.59)


# What Grafana.com's dashboard 11985 asks: tiles and lines that are one series each, then columns.
OLD_SINGLE = (
    *("locust_running", "locust_users", "locust_workers_count", "locust_requests_fail_ratio"),
    "sum(locust_requests_current_rps)",
    *(f'locust_requests_num_{name}{{method=~""}}' for name in ("requests", "failures")),
    *(f"avg(locust_requests_{name}_response_time)" for name in ("max", "min", "avg", "median")),
    *(f"locust_requests_current_response_time_percentile_{part}" for part in (95, 50)),
    'sum(rate(locust_requests_num_requests{method=~".+"}[1m]))',
)
OLD_COLUMNS = (
    *("avg_content_length", "min_response_time", "max_response_time", "avg_response_time"),
    *("median_response_time", "num_failures", "current_fail_per_sec", "num_requests"),
    "current_rps",
)


def of_wide(query: str) -> str:
    query = re.sub(r"(locust_\w+)\{", r'\1{fleet="wide",', query)
    return re.sub(r"(locust_\w+)(?![\w{])", r'\1{fleet="wide"}', query)


def test_every_query_of_grafana_coms_dashboard_11985_has_data(
    watched: Watched, seconds: int
) -> None:
    prometheus, now = watched.prometheus[seconds], watched.runs[-1].ended
    # A rate over a minute, which that dashboard fixes, takes scrapes less than half of it apart.
    for query in [query for query in OLD_SINGLE if seconds <= 15 or "[1m]" not in query]:
        assert len(prometheus.samples(of_wide(query), now)) == 1, query
    for column in OLD_COLUMNS:
        query = f'sum(locust_requests_{column}{{method=~".+"}}) by (method, name)'
        assert len(prometheus.samples(of_wide(query), now)) == WIDE_NAMES, query
    errors = "sum(locust_errors) by (method, name, error)"
    assert prometheus.samples(of_wide(errors), now)
    # A run on this machine has them where LOADGEN_EXPORTER_OPTIONS says so.
    moment = last_full_load(watched, seconds, watched.runs[-1])
    assert prometheus.value('locust_running{fleet="north"}', moment) == 2


def test_hosts_are_shown_by_name(watched: Watched, seconds: int) -> None:
    end = watched.runs[-1].ended
    view = opened(watched, seconds, "fleet", end - 120, end)
    (host,) = view.options["host"]
    assert set(view.series("CPU by host")) == {host}
    assert ":" not in host


@pytest.mark.parametrize("name", NAMES)
def test_every_query_of_every_panel_is_answered(name: str, watched: Watched, seconds: int) -> None:
    for view in (
        a_minute_after(watched, seconds, name),
        after_an_idle_hour(watched, seconds, name),
        opened(watched, seconds, name, 1000.0, 2000.0),
    ):
        for panel in view.panels:
            for target in panel.get("targets", []):
                view._asked(panel, target)


def test_every_recording_rule_has_data(watched: Watched, seconds: int) -> None:
    moment = last_full_load(watched, seconds, watched.runs[-1])
    answer = watched.prometheus[seconds].get("rules")
    health = {rule["name"]: rule["health"] for group in answer["groups"] for rule in group["rules"]}
    assert set(health.values()) == {"ok"}, health
    if seconds > 15:
        return
    for path in (ROOT / "exporter" / "rules").glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                assert watched.prometheus[seconds].samples(rule["record"], moment), rule


def test_alerts_are_silent_between_runs(watched: Watched, seconds: int) -> None:
    end = watched.runs[-1].ended + 2 * seconds
    fired = watched.prometheus[seconds].samples(
        # The exporter of a fleet, as this one is called here, never ends but by a fault.
        'ALERTS{alertstate="firing",'
        'alertname!~"LocustRunInvalid|LocustGenerator.*|LocustExporterDown"}',
        end,
    )
    assert [sample["metric"]["alertname"] for sample in fired] == []


def test_counters_never_go_back_from_run_to_run(watched: Watched, seconds: int) -> None:
    length = int(watched.runs[-1].ended - watched.runs[0].began) + 60
    resets = f'max(resets(locust_requests_total{{fleet="north"}}[{length}s]))'
    assert watched.prometheus[seconds].value(resets, watched.runs[-1].ended + 30) == 0
    total = 'sum(last_over_time(locust_requests_total{fleet="north"}[1h]))'
    seen = watched.prometheus[seconds].value(total, watched.runs[-1].ended + 30)
    measured = sum(run.summary["requests"] for run in watched.runs)
    assert seen is not None
    assert measured <= seen <= measured * 1.1


def test_steps_are_those_that_grafanas_library_calculates() -> None:
    ranges = [
        {"seconds": seconds, "points": points, "lowest": f"{lowest}s"}
        for seconds in (300, 900, 3600, 86_400, 30 * 86_400)
        for points in (267, 533, 800, 1600)
        for lowest in (1, 5, 15, 60)
    ]
    answer = evaluate({"intervals": ranges})["intervals"]
    for asked, expected in zip(ranges, answer, strict=True):
        lowest = float(str(asked["lowest"]).removesuffix("s"))
        ours = interval_ms(float(asked["seconds"]), int(asked["points"]), lowest)
        assert ours == expected, asked
