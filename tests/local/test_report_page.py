"""The report in a real browser: offline, at two widths, light and dark, and on paper."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from loadgen.judging.slo_judge import SloResult
from loadgen.results.report import build_report
from loadgen.results.statistics_file import Record
from loadgen.results.timeline import Point
from loadgen.shared.snapshot import ErrorCount
from tests.unit.samples import START, entry, summary

INSTALL = Path(__file__).parents[1] / "install-packages"
LONG = "/server/api/core/collections/search/findSubmitAuthorized/{uuid}/" + "x" * 80


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    subprocess.run([INSTALL, "chromium"], check=True, timeout=280)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        yield started
        started.close()


@pytest.fixture
def report(tmp_path: Path) -> Path:
    slo = SloResult(slo="x", held=False, measured=3, limit=2, unit="s", sentence=f"p95 of {LONG}")
    points = [
        Point(START + s, 1.0, min(50, s), 100 + s, s % 3, {10.0: 90, 240.0 + s: 10})
        for s in range(1, 121)
    ]
    run = summary("invalid", ("08:00:05 UTC: worker node1 used 97 % of its core",), (slo,))
    record = Record(
        [entry(LONG), entry("/b", "POST", failures=3)],
        points,
        errors=[ErrorCount("GET", LONG, "HTTPError('503 Service Unavailable')" * 4, 7)],
    )
    path = tmp_path / "report.html"
    path.write_text(build_report(run, record))
    return path


def open_report(browser: Browser, report: Path, width: int, scheme: str = "light") -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.context.set_offline(True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    assert asked == [report.as_uri()], "the report asked for something else"
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "columns"), [(375, 1), (1280, 3)])
def test_report_reads_at_both_widths(
    browser: Browser, report: Path, width: int, columns: int, scheme: str
) -> None:
    page = open_report(browser, report, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls aside"
    lefts = page.eval_on_selector_all(
        ".charts figure", "all => all.map(one => one.getBoundingClientRect().left)"
    )
    assert len(lefts) == 3
    assert len(set(lefts)) == columns
    scale = page.eval_on_selector(
        "figure > svg", "svg => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width"
    )
    assert 12 * scale >= 9, "the charts' text is too small to read"
    assert page.inner_text(".verdict") == "Invalid."
    assert page.locator(".verdict").bounding_box()["y"] < 200  # type: ignore[index]
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert abs(lightness(ink) - lightness(paper)) > 150
    assert (lightness(paper) > 128) == (scheme == "light")
    page.close()


def lightness(colour: str) -> float:
    parts = [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(parts) / 3


def test_report_prints_on_white_paper(browser: Browser, report: Path) -> None:
    page = open_report(browser, report, 1280, "dark")
    page.emulate_media(media="print", color_scheme="dark")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert lightness(paper) == 255
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
