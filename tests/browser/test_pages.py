"""The report in a real browser: offline, at two widths, light and dark, and on paper."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from loadgen.judging.slo_judge import SloResult
from loadgen.results.page.index_page import renew_index
from loadgen.results.page.report import build_report
from loadgen.results.statistics_file import Record
from loadgen.results.timeline import Point
from loadgen.shared.snapshot import ErrorCount
from tests.unit.results.many_runs import make_runs
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
@pytest.mark.parametrize("width", [375, 1280])
def test_report_reads_at_both_widths(
    browser: Browser, report: Path, width: int, scheme: str
) -> None:
    page = open_report(browser, report, width, scheme)
    page.wait_for_selector("#response-times canvas")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls aside"
    drawn = page.eval_on_selector_all(
        ".chart", "all => all.map(one => one.querySelectorAll('canvas').length)"
    )
    assert drawn == [1] * 4
    assert page.inner_text(".verdict") == "Invalid."
    assert page.locator(".verdict").bounding_box()["y"] < 200  # type: ignore[index]
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert abs(lightness(ink) - lightness(paper)) > 150
    assert (lightness(paper) > 128) == (scheme == "light")
    page.close()


def test_a_moment_shows_in_every_chart_and_dragging_zooms_them_all(
    browser: Browser, report: Path
) -> None:
    page = open_report(browser, report, 1280)
    over = page.locator("#response-times .u-over")
    over.hover(position={"x": 400, "y": 40})
    values = page.locator("#users .u-legend .u-value").all_inner_texts()
    assert all(any(char.isdigit() for char in value) for value in values)
    box = over.bounding_box()
    assert box
    page.mouse.move(box["x"] + 200, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 40, steps=4)
    page.mouse.up()
    over.hover(position={"x": 5, "y": 40})
    first = page.locator("#users .u-legend .u-value").first.inner_text()
    assert first not in ("0s", "1s", "2s"), "the other charts did not zoom"
    page.close()


@pytest.fixture
def index(tmp_path: Path) -> Path:
    results = tmp_path / "results"
    make_runs(results, 500, broken=20)
    return renew_index(results)


@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1280, "light")])
def test_the_page_of_results_lists_sorts_filters_and_compares(
    browser: Browser, index: Path, width: int, scheme: str
) -> None:
    page = open_report(browser, index, width, scheme)
    page.wait_for_selector("#times canvas")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls aside"
    loading = page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
    assert loading < 5000
    rows = page.locator("#runs tbody tr")
    assert rows.count() == 500
    page.get_by_role("button", name="p95 ms").click()
    times = [float(text) for text in page.locator("#runs tbody td:nth-child(10)").all_inner_texts()]
    assert times == sorted(times)
    page.locator("#find").fill("failed shop.py")
    shown = page.locator("#runs tbody tr:not(.hidden)")
    assert 0 < shown.count() < 60
    assert set(shown.locator("td:nth-child(3)").all_inner_texts()) == {"failed"}
    page.locator("#find").fill("")
    for row in (rows.first, rows.last):
        row.locator("input").focus()
        page.keyboard.press("Space")
    page.locator("#compare").focus()
    page.keyboard.press("Enter")
    assert "holds for these two runs only" in page.inner_text("#comparison")
    assert page.locator("#compared td.worse, #compared td.better, #compared td.same").count() >= 3
    assert "The two runs have different specifications" in page.inner_text("#comparison") or (
        "users" not in page.inner_text("#comparison")
    )
    assert page.locator("text=broken-0001").count() == 1
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
