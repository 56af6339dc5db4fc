import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from loadgen.judging.slo_judge import SloResult
from loadgen.results.page.report import build_report
from loadgen.results.page.report_charts import charts
from loadgen.results.statistics_file import Record
from loadgen.results.timeline import Point
from loadgen.shared.machine import Machine
from loadgen.shared.snapshot import ErrorCount, SecondCount
from loadgen.shared.text import format_ms, format_seconds
from tests.unit.samples import START, entry, summary

SCRIPTS = 4
"""uPlot, the charts, the page's own, and the data, which is not run."""


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
    assert page.tags.count("figure") == 4
    assert {"GET /a", "POST /b", "All requests"} <= set(page.words)
    assert "3 %" in page.words


def test_report_loads_nothing_and_runs_only_scripts_that_its_policy_names() -> None:
    text = build_report(summary(), Record([entry()], points(30)))
    page = read(text)
    assert page.addresses == []
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    rules = html.unescape(policy[1])
    assert "default-src 'none'" in rules
    assert "unsafe" not in rules
    inline = re.findall(r"<(script|style)>(.*?)</\1>", text, re.DOTALL)
    assert len(inline) == page.tags.count("script") - 1 + page.tags.count("style")
    for _, content in inline:
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in rules


@given(st.text())
def test_report_escapes_whatever_came_from_outside(text: str) -> None:
    hostile = f"<script>{text}</script>"
    errors = [ErrorCount("GET", hostile, hostile, 2)]
    slo = SloResult(slo=hostile, held=False, measured=1, limit=1, unit="s", sentence=hostile)
    run = summary("failed", (hostile,), (slo,)).model_copy(update={"run_id": hostile})
    record = Record([entry(hostile)], points(2), errors=errors)
    page = build_report(run, record)
    assert read(page).tags.count("script") == SCRIPTS
    assert json.loads(re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)[0])


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


def test_a_run_without_slos_does_not_say_that_they_held() -> None:
    page = build_report(summary(), Record([], []))
    assert "The measurement is valid; no SLO was set." in page
    assert "every SLO held" not in page


def test_what_was_asked_for_reads_as_words_not_as_json() -> None:
    asked = {
        "users": 2500,
        "run_time": 3690.0,
        "slos": [{"measure": "p95_seconds", "at_most": 0.5, "method": "GET"}],
        "environment": {"POOL": "5"},
        "tags": [],
        "request_log": None,
    }
    page = build_report(summary().model_copy(update={"specification": asked}), Record([], []))
    words = read(page).words
    assert {"2,500", "1 h 1 min 30 s", "p95 of GET at most 500 ms", "POOL: 5"} <= set(words)
    assert "tags" not in words


def test_machine_host_and_description_are_at_the_top() -> None:
    machine = Machine(name="lab1", cpu_model="EPYC 7", cores=4, kernel="6.1", memory_bytes=2**33)
    run = summary().model_copy(update={"machines": (machine,), "description": "Sale day"})
    words = " ".join(read(build_report(run, Record([], []))).words)
    top = words[: words.index("SLOs")]
    assert "Sale day" in top
    assert "lab1: 4 cores of EPYC 7, 8.0 GiB" in top
    assert "http://127.0.0.1:1" in top


def test_short_runs_get_more_than_a_few_points_and_windows_are_drawn_in_their_middle() -> None:
    drawn = {chart["id"]: chart for chart in charts(Record([entry()], points(30)))}
    times = drawn["response-times"]["x"]
    assert isinstance(times, list)
    assert len(times) == 30
    assert times[:2] == [0.5, 1.5]


def test_seconds_without_an_answer_are_drawn_as_zeros_and_part_seconds_not_at_all() -> None:
    completed = [SecondCount(int(START) + s, 40, 0) for s in (0, 1, 5, 6)]
    record = Record([entry()], points(6), completed=completed)
    drawn = {chart["id"]: chart for chart in charts(record)}["throughput"]
    assert drawn["series"][0]["y"] == [40, 40, 0, 0, 0, 40]  # type: ignore[index,call-overload]
