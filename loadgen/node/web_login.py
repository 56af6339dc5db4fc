"""The web UI's login: names and scrypt hashes from a file, a signed cookie afterwards.

Locust leaves the login to its user (https://docs.locust.io/en/stable/extending-locust.html).
What is here shuts every page but the login itself, whatever Locust or a plugin adds.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import gevent
from flask import redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import UserMixin, current_user, login_user
from gevent.lock import BoundedSemaphore
from locust.env import Environment
from werkzeug.security import check_password_hash

SESSION_LIFETIME = timedelta(hours=12)
REFUSAL_SECONDS = 1.0
SUBMIT_PATH = "/login_submit"
OPEN_ENDPOINTS = frozenset({"locust.login", "locust.send_assets", "login_submit"})
# Checked for a name that nobody has, so that it takes as long as a wrong password.
_NOBODY = "scrypt:32768:8:1$nobody$" + "0" * 128


class Operator(UserMixin):  # type: ignore[misc]
    """Somebody who has logged in; `id` is the name."""

    def __init__(self, name: str) -> None:
        self.id = name


class PasswordBook:
    """The login file: JSON `{"users": {name: scrypt hash}, "secret_key": hex}`."""

    def __init__(self, path: Path) -> None:
        content = json.loads(path.read_text())
        self._hashes: Mapping[str, str] = content["users"]
        self.secret_key: str = content["secret_key"]
        self._one_at_a_time = BoundedSemaphore()

    def knows(self, name: str) -> bool:
        """Whether somebody of that name may log in."""
        return name in self._hashes

    def admits(self, name: str, password: str) -> bool:
        """Check a password without holding up the master: in a thread, one at a time.

        A refusal takes a second more, which bounds how fast passwords can be tried.
        """
        with self._one_at_a_time:
            threads = gevent.get_hub().threadpool
            stored = self._hashes.get(name, _NOBODY)
            if threads.apply(check_password_hash, (stored, password)) and self.knows(name):
                return True
            gevent.sleep(REFUSAL_SECONDS)
            return False


def install(environment: Environment, login_file: Path) -> None:
    """Put the login into a master's web UI; call on Locust's `init` event."""
    web_ui = environment.web_ui
    if web_ui is None or web_ui.app is None:
        return
    book = PasswordBook(login_file)
    app = web_ui.app
    app.secret_key = book.secret_key
    app.permanent_session_lifetime = SESSION_LIFETIME
    app.config.update(
        SESSION_COOKIE_SECURE=bool(web_ui.tls_cert),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
    )
    web_ui.login_manager.user_loader(lambda name: Operator(name) if book.knows(name) else None)
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
        session.permanent = True
        login_user(Operator(name))
        return redirect(url_for("locust.index"))

    app.before_request(shut)
    app.add_url_rule(SUBMIT_PATH, "login_submit", login_submit, methods=["POST"])
