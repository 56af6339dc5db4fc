"""The web UI's login: names and password hashes from a file, a signed cookie afterwards.

Locust leaves the login to its user (https://docs.locust.io/en/stable/extending-locust.html).
What is here shuts every page but the login itself, whatever Locust or a plugin adds.

A session is its cookie: who, since when, under which password, all signed. It ends twelve hours
after the login however busy it is, with its password, and with the logout. Flask would renew the
cookie with every answer, and Locust keeps some answers for whoever asks next; so the cookie is
set where somebody logs in or out, and nowhere else.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import gevent
from flask import Flask, Response, redirect, request, session, url_for
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from flask_login import UserMixin, current_user, login_user
from gevent.lock import BoundedSemaphore
from locust.env import Environment
from werkzeug.security import check_password_hash

SESSION_LIFETIME = timedelta(hours=12)
REFUSAL_SECONDS = 1.0
SUBMIT_PATH = "/login_submit"
LOGOUT_PATH = "/logout"
OPEN_ENDPOINTS = frozenset({"locust.login", "locust.send_assets", "login_submit", "logout"})
COOKIE_ENDPOINTS = frozenset({"login_submit", "logout"})


class Operator(UserMixin):  # type: ignore[misc]
    """Somebody who has logged in; `id` is the name."""

    def __init__(self, name: str) -> None:
        self.id = name


class PasswordBook:
    """The login file: JSON `{"users": {name: hash}, "secret_key": hex}`."""

    def __init__(self, path: Path) -> None:
        content = json.loads(path.read_text())
        self._hashes: Mapping[str, str] = content["users"]
        self.secret_key: str = content["secret_key"]
        # An unknown name is checked against this hash, so that it takes as long as a wrong
        # password.
        like = next(iter(self._hashes.values()))
        self._nobody = f"{like.rpartition('$')[0]}${'0' * 64}"
        self._one_at_a_time = BoundedSemaphore()

    def knows(self, name: str) -> bool:
        """Whether somebody of that name may log in."""
        return name in self._hashes

    def mark(self, name: str) -> str:
        """Return what a session keeps of a password: it tells that it changed, and nothing else."""
        stored = self._hashes.get(name, self._nobody).encode()
        return hmac.new(self.secret_key.encode(), stored, hashlib.sha256).hexdigest()

    def admits(self, name: str, password: str) -> bool:
        """Check a password without holding up the master: in a thread, one at a time.

        A refusal takes a second more, which bounds how fast passwords can be tried.
        """
        with self._one_at_a_time:
            threads = gevent.get_hub().threadpool
            stored = self._hashes.get(name, self._nobody)
            if threads.apply(check_password_hash, (stored, password)) and self.knows(name):
                return True
            gevent.sleep(REFUSAL_SECONDS)
            return False


class Sessions:
    """Which sessions hold. Those that were logged out are known until they would end anyway."""

    def __init__(self, book: PasswordBook, now: Callable[[], float] = time.time) -> None:
        self._book = book
        self._now = now
        self._ended: dict[str, float] = {}

    def begin(self, name: str, kept: SessionMixin) -> None:
        """Write a fresh session into the cookie of somebody who has logged in."""
        kept.clear()
        kept.permanent = True
        kept.update(id=secrets.token_hex(16), since=self._now(), password=self._book.mark(name))

    def end(self, kept: SessionMixin) -> None:
        """Let the session hold no longer, whoever has copied its cookie."""
        now = self._now()
        self._ended = {one: until for one, until in self._ended.items() if until > now}
        if isinstance(kept.get("id"), str):
            self._ended[kept["id"]] = now + SESSION_LIFETIME.total_seconds()
        kept.clear()

    def holder(self, name: str, kept: SessionMixin) -> Operator | None:
        """Return who is logged in by a session that was signed here; None when it is over."""
        since, identifier, password = (kept.get(key) for key in ("since", "id", "password"))
        holds = (
            self._book.knows(name)
            and isinstance(since, float)
            and 0 <= self._now() - since < SESSION_LIFETIME.total_seconds()
            and identifier not in self._ended
            and hmac.compare_digest(str(password), self._book.mark(name))
        )
        return Operator(name) if holds else None


class _SelfSetCookies(SecureCookieSessionInterface):
    """Sets the cookie with the answers to a login and a logout only."""

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if request.endpoint in COOKIE_ENDPOINTS:
            super().save_session(app, session, response)


def install(environment: Environment, login_file: Path) -> None:
    """Put the login into a master's web UI; call on Locust's `init` event."""
    web_ui = environment.web_ui
    if web_ui is None or web_ui.app is None:
        return
    book = PasswordBook(login_file)
    app = web_ui.app
    app.secret_key = book.secret_key
    app.session_interface = _SelfSetCookies()
    app.permanent_session_lifetime = SESSION_LIFETIME
    sessions = Sessions(book)
    app.config.update(
        SESSION_COOKIE_SECURE=bool(web_ui.tls_cert),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
    )
    web_ui.login_manager.user_loader(lambda name: sessions.holder(name, session))
    web_ui.auth_args = {"username_password_callback": SUBMIT_PATH}

    def shut() -> ResponseReturnValue | None:
        if request.endpoint in OPEN_ENDPOINTS or current_user.is_authenticated:
            return None
        return redirect(url_for("locust.login"))

    def login_submit() -> ResponseReturnValue:
        name = request.form.get("username", "")
        if not book.admits(name, request.form.get("password", "")):
            session["auth_error"] = "Unknown name or wrong password"
            return redirect(url_for("locust.login"))
        sessions.begin(name, session)
        login_user(Operator(name))
        return redirect(url_for("locust.index"))

    def logout() -> ResponseReturnValue:
        sessions.end(session)
        return redirect(url_for("locust.login"))

    def keep_out_of_caches(response: Response) -> Response:
        if request.endpoint != "locust.send_assets":
            response.headers["Cache-Control"] = "no-store"
        return response

    app.before_request(shut)
    app.after_request(keep_out_of_caches)
    app.add_url_rule(LOGOUT_PATH, "logout", logout, methods=["GET", "POST"])
    app.add_url_rule(SUBMIT_PATH, "login_submit", login_submit, methods=["POST"])
