"""Names and errors from elsewhere, as terminals, pages and spreadsheets get them."""

import contextlib
import csv
import html
import io
import re
import tracemalloc
from argparse import Namespace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from loadgen.cli import fleet as fleet_verbs
from loadgen.fleet.connections.ssh import Outcomes
from loadgen.fleet.requests import NodeReport
from loadgen.judging.slo_judge import SloResult
from loadgen.results import archive
from loadgen.results.describe import describe, describe_briefly
from loadgen.results.junit import build_junit
from loadgen.results.page.report import build_report
from loadgen.results.statistics_file import Record
from loadgen.results.summary import ErrorResult
from loadgen.runs.progress import Progress
from loadgen.shared.errors import NodeError, OperationError
from loadgen.shared.snapshot import ErrorCount
from loadgen.shared.text import plain, plain_line
from loadgen.watch import fleet_scrapes
from loadgen.watch.scrape import read
from loadgen.watch.view import History, render
from tests.faults.record import Outcome
from tests.unit.samples import entry, summary

PART = "Attackers: names and files"
HOSTILE = (
    "\x1b]0;owned\x07", "\x1b[2J\x1b[1;1HPASSED", "\x9b31m", "\u202egnp.exe", "a\rPASSED",
    "\x08" * 9, "\nPASSED  run", "<script>alert(1)</script>", "</title><svg onload=alert(1)>",
    "[red]x[/red]",
    "[/]", "'\"><img src=x onerror=alert(1)>", "\ud800", "\0", "]]>", "&lt;", "=cmd|' /C calc'!A0",
    "+1+1", "-2+3", "@SUM(A1)", "\t=1",
)  # fmt: skip
SLO = SloResult(slo="x", held=False, measured=1, limit=1, unit="s", sentence="".join(HOSTILE))


def summary_of_hostile_names() -> object:
    errors = tuple(ErrorResult(method=n, name=n, error=n, occurrences=1) for n in HOSTILE[:5])
    return summary("failed", tuple(HOSTILE), (SLO,)).model_copy(update={"errors": errors})


def is_harmless(shown: str) -> bool:
    return not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", shown)


@given(st.text() | st.sampled_from(HOSTILE))
def test_no_escape_sequence_is_left(text: str) -> None:
    assert is_harmless(plain(text))
    assert is_harmless(plain_line(text))
    assert "\n" not in plain_line(text)


def test_what_people_write_stays_as_it_is() -> None:
    for text in ("GET /items/{id}", "Größe 5 µs, 10\u202f%", "名前 🚀", "two\n  lines"):
        assert plain(text) == text


@pytest.mark.fault(
    PART, "A terminal shows names, errors and SLOs with escape sequences and forged lines."
)
def test_a_terminal_is_shown_text_only(outcome: Outcome) -> None:
    shown = summary_of_hostile_names()
    for text in (describe(shown, Path()), describe_briefly(shown)):  # type: ignore[arg-type]
        assert is_harmless(text)
        assert not re.search(r"(?m)^(  )?PASSED", text)
    output = io.StringIO()
    progress = Progress(1, output)
    for name in HOSTILE:
        progress.step(name)
    assert is_harmless(output.getvalue())
    for name in HOSTILE[:-5]:
        value = name.replace("\\", "").replace('"', "").replace("\n", "\\n").replace("\ud800", "")
        labels = f'{{method="GET",name="{value}"}}'
        error = f'{{method="GET",name="{value}",error="{value}"}}'
        run = f'{{run_id="{value}",host="{value}",locustfile="{value}"}}'
        history = History()
        lines = f"locust_up 1\nlocust_run_info{run} 1\nlocust_requests_total{labels} 1\n"
        lines += f'locust_state{{locust_state="{value}"}} 1\nlocust_workers{{state="{value}"}} 1\n'
        lines += f'locust_worker_users{{worker="{value}"}} 1\n'
        history.add(read(f"{lines}locust_request_failures_total{error} 1\n", 1.0))
        view = io.StringIO()
        Console(file=view, width=120, color_system=None).print(render(history))
        assert is_harmless(view.getvalue()), repr(name)
    outcome("Control characters are shown as codes, and every text stays on its own line.")


@pytest.mark.fault(
    PART, "Hosts report units, releases, faults and states that contain forged lines."
)
def test_no_line_of_a_hosts_passes_for_one_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], outcome: Outcome
) -> None:
    forged = "x\nmaster1      master, 1 of 1 units active\x1b[2J"
    inventory = SimpleNamespace(
        nodes=[SimpleNamespace(name="worker1"), SimpleNamespace(name="worker2")],
        master=SimpleNamespace(name="worker1", fleet_address="10.0.0.1"),
    )
    report = NodeReport(
        name=forged, is_master=False, release=forged, locust_version="2", units={forged: forged},
        run_id=None, state=forged,
    )  # fmt: skip
    answers = Outcomes({"worker1": report}, {"worker2": forged})
    monkeypatch.setattr(fleet_verbs, "load_inventory", lambda *_: inventory)
    monkeypatch.setattr(fleet_verbs, "status_of", lambda _: answers)
    fleet_verbs.status(Namespace(inventory=Path(), vault=None))
    fleet_verbs._clear(cast("Any", inventory), report)
    said = "".join(capsys.readouterr())
    error = str(NodeError("some failed", {"worker2": forged}))
    assert is_harmless(said)
    assert not re.search("(?m)^(  )?master1", said + error)
    outcome("The forged lines are indented or shown as codes, as part of that host's own line.")


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace"))
)
def test_whatever_an_exporter_says_is_shown_or_refused(noise: bytes) -> None:
    texts = [noise.decode(errors="replace")]
    for name in ("locust_workers", "locust_requests_total", "locust_response_time_seconds_bucket"):
        texts += [f'{name}{{x="y"}} 1\n', f'{name}{{state="a",method="b",name="c",le="d"}} inf\n']
    for value in ("NaN", "+Inf", "-Inf", "1e308", "-1e308"):
        gauges = ("locust_users", "locust_exporter_snapshot_age_seconds", "locust_test_requests")
        texts.append("".join(f"{name} {value}\n" for name in gauges))
    history = History()
    for text in texts:
        with contextlib.suppress(ValueError):
            history.add(read(text, 1.0))
            Console(file=io.StringIO(), width=80).print(render(history))


def test_a_scrape_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_scrapes, "SCRAPE_BYTES_MAX", 1 << 16)
    with pytest.raises(OperationError, match="may have been taken over"):
        list(fleet_scrapes.newest(iter([b"x" * 4096] * 20)))


class Tags(HTMLParser):
    """Every element and attribute that a page has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(name for name, _ in attrs)}


@pytest.mark.fault(
    PART, "Names, errors, reasons and SLOs with HTML and scripts are written to the report."
)
def test_the_report_holds_no_element_of_a_names(outcome: Outcome) -> None:
    errors = [ErrorCount(name, name, name, 1) for name in HOSTILE]
    hostile, entries = summary_of_hostile_names(), [entry(name, name) for name in HOSTILE]
    page = build_report(hostile, Record(entries, [], errors=errors))  # type: ignore[arg-type]
    found = Tags(page).found
    assert not found & {"img", "onload", "onerror", "iframe", "object"}
    assert page.count("<script") == 4  # uPlot, the charts, the page's own, and its data
    assert "default-src 'none'" in html.unescape(page)
    junit = build_junit(hostile, entries)  # type: ignore[arg-type]
    assert "\x1b" not in junit
    outcome(
        "The report shows them as text; its policy allows only its own scripts, and it loads "
        "nothing."
    )


@pytest.mark.fault(PART, "Names and errors with spreadsheet formulas are written to the CSV files.")
def test_a_spreadsheet_calculates_nothing(tmp_path: Path, outcome: Outcome) -> None:
    rows = [["Name", "Count"], *([name, "-1.5"] for name in HOSTILE if name != "\ud800")]
    with (tmp_path / "locust_failures.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    archive.rename_locust_reports(tmp_path)
    with (tmp_path / "failures.csv").open(newline="") as file:
        kept = list(csv.reader(file))
    assert [row[1] for row in kept] == [row[1] for row in rows]
    assert not [row[0] for row in kept if row[0][:1] in ("=", "+", "-", "@", "\t")]
    assert [row[0].removeprefix("'") for row in kept[2:]] == [
        r[0].removeprefix("'") for r in rows[2:]
    ]
    (tmp_path / "locust_stats_history.csv").write_text("Timestamp,Name\n=cmd|' /C calc'!A0,x\n")
    archive.rename_locust_reports(tmp_path)
    assert "\n'=cmd" in (tmp_path / "stats_history.csv").read_text()
    (tmp_path / "locust_failures.csv").write_text('a,"=cmd|x' + "y" * (2 << 20))
    (tmp_path / "locust_stats.csv").write_bytes(b"=1,\xff\xfe\n")
    archive.rename_locust_reports(tmp_path)
    for name in ("failures.csv", "stats.csv"):
        assert not (tmp_path / name).exists()
        assert (tmp_path / f"{name}.txt").exists()
    outcome(
        "Each formula gets an apostrophe in front, numbers do not; a malformed file becomes "
        ".csv.txt."
    )


@pytest.mark.fault(PART, "A host sends a CSV file that consists of one line of 64 MiB.")
def test_a_line_without_end_is_read_no_further_than_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    monkeypatch.setattr(archive, "LINE_CHARACTERS_MAX", 1 << 20)
    for line in (b"," * (64 << 20), b"x" * (64 << 20)):
        (tmp_path / "locust_stats.csv").write_bytes(line)
        tracemalloc.start()
        archive.rename_locust_reports(tmp_path)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 20 << 20, f"{most >> 20} MiB"
        assert (tmp_path / "stats.csv.txt").exists()
    outcome("The controller reads the line only up to a limit, and renames the file to .csv.txt.")
