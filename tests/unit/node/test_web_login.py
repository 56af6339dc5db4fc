"""Sessions of the web UI end when they should, whoever has their cookie."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from locust import events
from locust.env import Environment
from locust.web import WebUI
from werkzeug.security import generate_password_hash

from loadgen.node import web_login

NAMES = ("ada", "grace")
HASHES = {name: generate_password_hash(f"{name}-1", "scrypt:1024:8:1") for name in NAMES}


class Site:
    """A master's web UI with a login, without a server."""

    def __init__(self, directory: Path) -> None:
        self.now = 1_800_000_000.0
        self.file = directory / "login.json"
        self.hashes = dict(HASHES)
        self.restart()

    def restart(self) -> None:
        content = {"users": self.hashes, "secret_key": "0" * 32}
        self.file.write_text(json.dumps(content))
        environment = Environment(events=events.__class__())
        environment.create_local_runner()
        environment.web_ui = WebUI(environment, "127.0.0.1", 0, web_login=True, delayed_start=True)
        web_login.install(environment, self.file)
        assert environment.web_ui.app
        self.app = environment.web_ui.app

    def browser(self, name: str = "ada") -> FlaskClient:
        browser = self.app.test_client()
        form = {"username": name, "password": f"{name}-1"}
        assert browser.post("/login_submit", data=form).location == "/"
        return browser


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(sys, "argv", ["locust"])  # Locust reads it wherever it shows a page
    site = Site(tmp_path)
    real = web_login.Sessions
    clock: Callable[[], float] = lambda: site.now  # noqa: E731  one clock for sessions to come
    monkeypatch.setattr(web_login, "Sessions", lambda book: real(book, clock))
    monkeypatch.setattr(web_login, "REFUSAL_SECONDS", 0.0)
    site.restart()
    return site


def admitted(browser: FlaskClient) -> bool:
    return browser.get("/logs").status_code == 200


def test_a_busy_session_ends_twelve_hours_after_the_login(site: Site) -> None:
    browser = site.browser()
    for _ in range(11):
        site.now += 3600
        assert admitted(browser)
        browser.post("/login_submit", data={"username": "ada", "password": "wrong"})
    site.now += 3601

    assert not admitted(browser)


def test_a_session_ends_with_its_password_and_its_user(site: Site) -> None:
    ada, grace = site.browser("ada"), site.browser("grace")
    cookies = [browser.get_cookie("session") for browser in (ada, grace)]
    site.hashes["ada"] = generate_password_hash("another", "scrypt:1024:8:1")
    site.restart()
    held = []
    for cookie in cookies:
        assert cookie
        browser = site.app.test_client()
        browser.set_cookie("session", cookie.value)
        held.append(admitted(browser))

    assert held == [False, True]


def test_a_logged_out_session_is_over_for_a_copy_of_its_cookie_too(site: Site) -> None:
    browser, copy = site.browser(), site.app.test_client()
    cookie = browser.get_cookie("session")
    assert cookie
    copy.set_cookie("session", cookie.value)
    assert admitted(copy)

    assert browser.get("/logout").location == "/login"

    assert not admitted(browser)
    assert not admitted(copy)
    assert admitted(site.browser())


def test_no_answer_but_that_to_a_login_sets_a_cookie(site: Site) -> None:
    """Locust keeps the answer of /stats/requests for the next one who asks."""
    ada, grace = site.browser("ada"), site.browser("grace")
    for browser in (ada, grace, site.app.test_client()):
        for path in ("/stats/requests", "/", "/logs", "/login", "/nowhere"):
            answer = browser.get(path)
            assert "Set-Cookie" not in answer.headers, path
            assert answer.headers["Cache-Control"] == "no-store"


def test_a_wrong_password_is_said(site: Site) -> None:
    browser = site.app.test_client()
    browser.post("/login_submit", data={"username": "ada", "password": "wrong"})

    assert "wrong password" in browser.get("/login").text
