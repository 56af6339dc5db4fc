import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.console import Console

from exporter.collector import LocustCollector
from exporter.exposition import Exposition
from loadgen.shared.snapshot import EntryStatistics
from loadgen.watch.scrape import Scrape, merged, quantile, read
from loadgen.watch.view import History, render, sparkline
from loadgen.watch.watch import grafana_address
from tests.unit.exporter.samples import SNAPSHOT, entry


def scraped(time: float, *entries: EntryStatistics) -> Scrape:
    collector = LocustCollector(lambda: 1.0)
    collector.update(replace(SNAPSHOT, time=time, entries=list(entries), errors=[]))
    return read(Exposition(collector).render()[1].decode(), time)


def shown(scrapes: Sequence[Scrape]) -> str:
    history = History()
    for scrape in scrapes:
        history.add(scrape)
    console = Console(file=io.StringIO(), width=100, color_system=None, force_terminal=True)
    console.print(render(history))
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
    assert text.index("/slow") < text.index("GET    │ /  ")
    assert "gen1_0" in text
    assert "42%" in text


def test_a_name_that_looks_like_markup_is_shown_as_it_is() -> None:
    assert "/[bold]x[/bold]" in shown([scraped(0, entry("/[bold]x[/bold]", 5))])


def test_a_master_that_is_down_is_said() -> None:
    assert "hears no master" in shown([Scrape(0.0)])


def test_another_exporter_starts_the_history_again() -> None:
    history = History()
    history.add(scraped(0, entry("/", 500)))
    history.add(scraped(1, entry("/", 5)))
    assert history.pairs() == []


def test_sparklines_go_from_zero_to_their_maximum_with_gaps() -> None:
    assert sparkline([0.0, 50.0, None, 100.0]) == "▁▅ █"
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([]) == ""


def test_grafanas_address_is_the_running_tests() -> None:
    address = grafana_address("http://g:3000/", scraped(5.0, entry("/", 1)))
    assert address == "http://g:3000/d/loadgen-run?var-run=r1&from=990000&to=now"
