"""Records a session in a browser that Playwright opens, where Playwright is installed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.shared.errors import UsageError
from loadgen.shared.origin import origin
from loadgen.shared.text import plain_line

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOW_ELSE = (
    "or record in your own browser: developer tools, Network, Save all as HAR, then loadgen record"
    " session.har"
)
BROWSERS = ("chromium", "google-chrome", "chromium-browser")


def wait_for_the_end(page: "Page") -> None:
    """Wait until the person closes the window."""
    print("Recording; close the browser's window when you are done.", flush=True)
    page.wait_for_event("close", timeout=0)


def record_session(
    url: str,
    har: Path,
    visit: Callable[["Page"], object] = wait_for_the_end,
    *,
    headless: bool = False,
) -> None:
    """Open a browser at `url`, let `visit` happen, and keep its traffic in `har`.

    The file is its owner's alone: it holds what was typed. UsageError: there is no Playwright, no
    browser, no display, or no such address.
    """
    try:
        origin(url)
    except ValueError as fault:
        raise UsageError(
            f"--browser {url} is not a URL: give one such as https://shop.example"
        ) from fault
    try:
        from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 - few have it
    except ImportError as fault:
        raise UsageError(
            "--browser needs Playwright, which is not installed: pip install playwright, then"
            f" playwright install chromium; {HOW_ELSE}"
        ) from fault
    own = next(filter(None, map(shutil.which, BROWSERS)), None)
    # As root Chromium has no sandbox; this is only for tests in containers.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                headless=headless, executable_path=own, args=arguments
            )
            har.touch(mode=0o600)
            context = browser.new_context(record_har_path=har, record_har_content="embed")
            try:
                page = context.new_page()
                page.goto(url)
                visit(page)
            finally:
                context.close()
                browser.close()
    except Error as fault:
        reason = plain_line(str(fault).splitlines()[0])[:200]
        raise UsageError(f"the browser could not record {url}: {reason}; {HOW_ELSE}") from fault
