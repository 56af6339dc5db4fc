import io
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from exporter.collector import LocustCollector
from exporter.exposition import Exposition
from loadgen.shared.snapshot import EntryStatistics, ErrorCount
from loadgen.watch import monitoring
from loadgen.watch.endpoints import Ports
from loadgen.watch.scrape import Scrape, merged, quantile, read
from loadgen.watch.view import History, render, sparkline
from loadgen.watch.watch import grafana_address
from tests.unit.exporter.samples import SNAPSHOT, WORKER, entry


def scraped(time: float, *entries: EntryStatistics) -> Scrape:
    collector = LocustCollector(lambda: 1.0)
    collector.update(replace(SNAPSHOT, time=time, entries=list(entries), errors=[]))
    return read(Exposition(collector).render()[1].decode(), time)


def shown(scrapes: Sequence[Scrape], width: int = 100, height: int = 40) -> str:
    history = History()
    for scrape in scrapes:
        history.add(scrape)
    console = Console(
        file=io.StringIO(), width=width, height=height, color_system=None, force_terminal=True
    )
    console.print(render(history, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_scrape_reads_what_the_exporter_writes() -> None:
    scrape = scraped(5.0, entry("/", 7, 12.0, failures=2))
    assert scrape.up
    assert scrape.state == "running"
    assert scrape.run["run_id"] == "r1"
    assert scrape.requests["GET", "/"] == 7
    assert scrape.failures["GET", "/"] == 2
    assert scrape.workers["gen1_0"].cpu == 0.415
    assert scrape.workers_by_state["running"] == 1


def test_quantiles_are_of_the_time_between_two_scrapes() -> None:
    before, after = scraped(0, entry("/", 100, 500.0)), scraped(10, entry("/", 100, 500.0))
    after.buckets = scraped(10, entry("/", 100, 500.0), entry("/b", 100, 12.0)).buckets
    found = quantile(0.95, merged(after.buckets), merged(before.buckets))
    assert found == pytest.approx(0.0119 + 0.95 * 0.001)
    assert quantile(0.95, merged(before.buckets), merged(before.buckets)) is None


def test_a_view_shows_rates_slow_names_and_workers() -> None:
    text = shown(
        [
            scraped(0, entry("/", 0), entry("/slow", 0)),
            scraped(10, entry("/", 500, 3.0), entry("/slow", 100, 800.0, failures=10)),
        ]
    )
    assert "60.0" in text
    assert text.index("/slow") < text.index("GET / ")
    assert "gen1_0" in text
    assert "42%" in text


def test_a_name_that_looks_like_markup_is_shown_as_it_is() -> None:
    assert "/[bold]x[/bold]" in shown([scraped(0, entry("/[bold]x[/bold]", 5))])


def test_a_master_that_is_down_is_said() -> None:
    assert "receives no data from a master" in shown([Scrape(0.0)])


def test_another_exporter_starts_the_history_again() -> None:
    history = History()
    history.add(scraped(0, entry("/", 500)))
    history.add(scraped(1, entry("/", 505)))
    history.add(scraped(2, entry("/", 5)))
    assert history.points == []


def test_a_terminal_of_80_by_24_shows_names_errors_and_workers() -> None:
    names = [f"/a/very/long/path/that/all/names/begin/with/{n:02}/item" for n in range(30)]
    text = "x" * 300

    def crowded(second: int) -> Scrape:
        collector = LocustCollector(lambda: 1.0)
        entries = [
            entry(name, second * 10 + n, 5.0 + n, failures=1) for n, name in enumerate(names)
        ]
        errors = [ErrorCount("GET", name, text, 1) for name in names]
        workers = [replace(WORKER, id=f"host{n}_x", index=n) for n in range(60)]
        collector.update(replace(SNAPSHOT, entries=entries, errors=errors, workers=workers))
        return read(Exposition(collector).render()[1].decode(), float(second))

    picture = shown([crowded(second) for second in range(1, 70)], 80, 24)
    lines = picture.rstrip("\n").split("\n")
    assert len(lines) <= 24
    assert all(len(line) <= 80 for line in lines)
    for heading in ("Slowest names", "Errors", "Workers"):
        assert heading in picture
    assert "29/item" in picture
    assert "host0_0" in picture or "host" in picture
    assert re.search(r"x{20}", picture)


def test_a_sparkline_ends_at_now_however_wide_it_is() -> None:
    scrapes = [scraped(n, entry("/", 10 * n)) for n in range(99)]
    burst = scraped(99, entry("/", 10 * 98 + 500))
    for width in (60, 80, 200):
        line = next(
            line for line in shown([*scrapes, burst], width).split("\n") if "Requests/s" in line
        )
        assert line.rstrip().endswith("▁█")


def test_polls_that_beat_against_the_snapshots_make_no_spikes() -> None:
    # A snapshot a second and a poll each 1.06 s: one poll in 17 finds two new snapshots.
    history = History()
    for poll in range(100):
        now = 1.06 * poll + 0.5
        taken = float(int(now))
        scrape = scraped(taken, entry("/", int(taken) * 100))
        history.add(scrape)
    assert {round(point.rate) for point in history.points} == {100}


def test_a_scrape_shown_twice_is_one_point() -> None:
    history = History()
    for second in (0, 1, 1, 1, 2):
        history.add(scraped(second, entry("/", second * 10)))
    assert [point.rate for point in history.points] == [10, 10]


def test_a_long_history_stays_small() -> None:
    history = History()
    scrape = scraped(0, *(entry(f"/{n}", 5) for n in range(50)))
    for second in range(400):
        history.add(replace(scrape, time=float(second), requests=dict(scrape.requests)))
    assert len(history.points) <= 300
    assert len(history.whole) <= 15


def test_a_thousand_names_are_read_in_a_moment() -> None:
    collector = LocustCollector(lambda: 1.0)
    entries = [entry(f"/{n}", 5 + n, failures=n % 2) for n in range(1000)]
    collector.update(replace(SNAPSHOT, entries=entries))
    text = Exposition(collector).render(merged=True)[1].decode()
    began = time.process_time()
    scrape = read(text, 0.0)
    assert time.process_time() - began < 0.5
    assert len(scrape.requests) == 1000
    assert quantile(0.5, merged(scrape.buckets), {}) == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("text", ["<html>no</html>", "locust_up one\n", "\x00"])
def test_what_is_no_exposition_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"metrics|float"):
        read(text, 0.0)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
@settings(deadline=None)
def test_any_name_is_read_as_it_was_written(name: str) -> None:
    assert ("GET", name) in scraped(0.0, entry(name, 1)).requests


def test_sparklines_go_from_zero_to_their_maximum_with_gaps() -> None:
    assert sparkline([0.0, 50.0, None, 100.0]) == "▁▅ █"
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([]) == ""


def test_grafanas_address_is_the_running_tests() -> None:
    address = grafana_address("http://g:3000/", scraped(5.0, entry("/", 1)))
    assert address == "http://g:3000/d/loadgen-run?var-run=r1&from=990000&to=now"


def test_a_machines_own_grafana_has_no_login_that_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, str]] = []
    monkeypatch.setattr(monitoring, "GRAFANA_HOMES", (str(tmp_path),))
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/grafana")
    monkeypatch.setattr(monitoring, "process", lambda *given: started.append(given[4]))
    for _ in range(2):
        monitoring.grafana(tmp_path, Ports(), 5)
    first, second = (one["GF_SECURITY_ADMIN_PASSWORD"] for one in started)
    assert first == second
    assert len(first) >= 16
    assert (tmp_path / "grafana-password").stat().st_mode & 0o777 == 0o600
    assert started[0]["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert started[0]["GF_AUTH_BASIC_ENABLED"] == "false"
