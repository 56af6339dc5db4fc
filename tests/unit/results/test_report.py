from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from loadgen.judging.slo_judge import SloResult
from loadgen.results.report import build_report
from loadgen.results.statistics_file import Record
from loadgen.results.timeline import Point
from loadgen.shared.snapshot import ErrorCount
from loadgen.shared.text import format_ms, format_seconds
from tests.unit.samples import START, entry, summary


class Tags(HTMLParser):
    """Collects tags, addresses and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str | None] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    return tags


def points(count: int) -> list[Point]:
    return [Point(START + s, 1.0, 2, 100, 1, {10.0: 90, 250.0: 10}) for s in range(1, count + 1)]


def test_report_says_first_whether_to_believe_it() -> None:
    reason = "12:00:05: worker node1 used 97 % CPU for 3 s"
    page = build_report(summary("invalid", (reason,)), Record([entry()], points(30)))
    words = " ".join(read(page).words)
    assert words.index("Invalid.") < words.index(reason) < words.index("Requests by name")


def test_report_holds_charts_and_rows_for_every_name() -> None:
    entries = [entry("/a"), entry("/b", "POST", failures=3)]
    page = read(build_report(summary(), Record(entries, points(30))))
    assert page.tags.count("figure") == 3
    assert {"GET /a", "POST /b", "All requests"} <= set(page.words)
    assert "3 %" in page.words


def test_report_loads_nothing_and_runs_nothing() -> None:
    page = read(build_report(summary(), Record([entry()], points(30))))
    assert page.addresses == []
    assert "script" not in page.tags


@given(st.text())
def test_report_escapes_whatever_came_from_outside(text: str) -> None:
    hostile = f"<script>{text}</script>"
    errors = [ErrorCount("GET", hostile, hostile, 2)]
    slo = SloResult(slo=hostile, held=False, measured=1, limit=1, unit="s", sentence=hostile)
    run = summary("failed", (hostile,), (slo,)).model_copy(update={"run_id": hostile})
    record = Record([entry(hostile)], points(2), errors=errors)
    assert "script" not in read(build_report(run, record)).tags


def test_report_of_a_run_without_requests() -> None:
    assert "No request was made" in build_report(summary("error", ("master gone",)), Record([], []))


def test_slo_states_are_words_not_only_colours() -> None:
    slos = tuple(
        SloResult(slo=f"slo {held}", held=held, measured=None, limit=1, unit="s", sentence="x")
        for held in (True, False, None)
    )
    words = read(build_report(summary(slos=slos), Record([], []))).words
    assert {"held", "did not hold", "no data"} <= set(words)


def test_formats_choose_the_unit_that_reads_best() -> None:
    assert format_seconds(0.00042) == "0.42 ms"
    assert format_seconds(2.008) == "2.01 s"
    assert format_seconds(None) == "n/a"
    assert format_ms(12345.6) == "12,346"
