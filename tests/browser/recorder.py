"""Records sessions with a real browser, as a person would: Chromium, and its HAR export."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import FilePayload, Page, sync_playwright

from loadgen.simulators import accounts

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
USER = "user0042@example.org"


@contextmanager
def recorded_page(har: Path) -> Iterator[Page]:
    """Open a page whose traffic is in `har` when the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(record_har_path=har, record_har_content="embed")
        page = context.new_page()
        page.set_default_timeout(20_000)
        try:
            yield page
        finally:
            context.close()
            browser.close()


def _loaded(page: Page) -> None:
    page.wait_for_selector("main:not([aria-busy])")


def visit_dspace(url: str, har: Path) -> None:
    """Search, read, log in, submit a thesis, edit it, log out."""
    with recorded_page(har) as page:
        page.goto(f"{url}/home")
        _loaded(page)
        page.fill("input[name=query]", "ocean")
        page.click("#search")
        page.wait_for_url("**/search?**")
        _loaded(page)
        page.click("main a >> nth=1")
        page.wait_for_url("**/items/*")
        _loaded(page)
        page.goto(f"{url}/login")
        _loaded(page)
        page.fill("#user", USER)
        page.fill("#password", accounts.password())
        page.click("#submit")
        page.wait_for_url("**/mydspace")
        _loaded(page)
        page.click("#submit-1")
        page.wait_for_url("**/workspaceitems/*/edit")
        _loaded(page)
        page.fill("#title", "A recorded thesis")
        page.fill("#issued", "2026-11")
        page.fill("#type", "Thesis")
        thesis: FilePayload = {
            "name": "thesis.pdf",
            "mimeType": "application/pdf",
            "buffer": b"%PDF-1.4\xff\x00",
        }
        page.set_input_files("#file", thesis)
        page.click("#save")
        page.wait_for_selector("#saved")
        page.check("#licence")
        page.wait_for_selector("#granted")
        page.click("#deposit")
        page.wait_for_url("**/items/*")
        _loaded(page)
        page.click("#edit")
        page.wait_for_url("**/edit")
        _loaded(page)
        page.fill("#title", "A recorded and edited thesis")
        page.click("#save")
        page.wait_for_url("**/items/*")
        _loaded(page)
        page.click("#logout")
        page.wait_for_url("**/logout")
        _loaded(page)


def visit_django_site(url: str, har: Path) -> None:
    """Log in, read lists and an entry, write one, log out."""
    with recorded_page(har) as page:
        page.goto(url)
        page.click("#login")
        page.fill("#id_username", USER)
        page.fill("#id_password", accounts.password())
        page.click("#submit")
        page.wait_for_selector("#user")
        page.click("text=By titles")
        page.wait_for_url("**/lists/titles/")
        page.click("table a >> nth=3")
        page.wait_for_url("**/entries/*/")
        page.click("text=New entry")
        page.fill("#id_title", "A recorded entry")
        page.select_option("#id_category", "notice")
        page.fill("#id_body", "Written in a browser.")
        page.click("#save")
        page.wait_for_selector("text=Written in a browser.")
        page.click("#logout")
        page.wait_for_selector("#login")
