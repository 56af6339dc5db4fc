"""Scripts in names, in a real browser: neither the kit's report nor Locust's runs one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from locust import User, task
from locust.env import Environment
from locust.html import get_html_report
from playwright.sync_api import Dialog, sync_playwright

from loadgen.results.page.report import build_report
from loadgen.results.statistics_file import Record
from loadgen.shared.snapshot import ErrorCount
from tests.attackers.quick.test_shown import HOSTILE, PART
from tests.faults.record import Outcome
from tests.unit.samples import entry, summary

INSTALL = Path(__file__).parents[1] / "install-packages"
NAMES = [name for name in HOSTILE if name != "\ud800"]


def locusts_report() -> str:
    """Locust's own page with hostile names and errors."""
    nobody = type("Nobody", (User,), {"nothing": task(lambda _: None), "__module__": __name__})
    environment = Environment(user_classes=[nobody], host="http://x")
    environment.create_local_runner()
    for name in NAMES:
        environment.stats.log_request("GET", name, 10, 10)
        environment.stats.log_error("GET", name, name)
    page: str = get_html_report(environment, show_download_link=False)
    return page


@pytest.mark.fault(
    PART, "Names and errors contain scripts, and Chromium opens report.html and locust.html."
)
def test_no_script_of_a_names_runs(tmp_path: Path, outcome: Outcome) -> None:
    subprocess.run([INSTALL, "chromium"], check=True, timeout=280)
    errors = [ErrorCount(name, name, name, 1) for name in NAMES]
    reasons = tuple(NAMES)
    record = Record([entry(n, n) for n in NAMES], [], errors=errors)
    report = build_report(summary("failed", reasons), record)
    pages = {"report.html": report, "locust.html": locusts_report()}
    asked: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        for name, text in pages.items():
            (tmp_path / name).write_text(text)
            page = browser.new_page()
            page.on("dialog", dismiss)
            page.goto((tmp_path / name).as_uri())
            page.wait_for_function("document.body.innerText.includes('onerror=alert(1)')")
            page.wait_for_timeout(300)
            assert page.locator("img[onerror], svg[onload]").count() == 0
            page.close()
        browser.close()
    assert asked == []
    outcome("No such script runs in either page; the names are shown as text.")
