"""A Django application's users: log in, see lists, fill in a form, use the API.

    make run-distributed LOCUSTFILE=locustfiles/django_site.py HOST=https://site.example.org
    ACCOUNTS=accounts.csv     columns username,password (see docs/scenarios.md)

The paths are those of the bundled site: change LISTS, FORM and LOGIN to your own.
"""

import random
import re
import time
from typing import Any
from urllib.parse import urlencode

from locust import between, events, task

from loadgen.scenario import (
    Account,
    AccountPool,
    CaughtResponse,
    FastUser,
    Login,
    answers,
    group_path,
)

SIMULATOR = "django_site"
LOGIN = "/accounts/login/"
LOGOUT = "/accounts/logout/"
LISTS = ("/lists/recent/", "/lists/titles/", "/lists/categories/", "/lists/authors/")
FORM = "/entries/new/"
TOKEN = "/api/token/"  # noqa: S105 - a path
API = "/api/entries/"
TOKEN_LIFETIME_SECONDS = 4 * 60
_FIELD = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')

accounts = AccountPool()
accounts.listen_to(events)


class SiteUser(FastUser):
    """Works with the site in a browser, and with its API. Each has an account of its own."""

    wait_time = between(0.5, 2)

    def on_start(self) -> None:
        """Log in and see the index."""
        self.access, self.access_until = "", 0.0
        self.account = accounts.log_in(self, self.log_in)
        self.index()

    def on_stop(self) -> None:
        """Log out, by a form as well."""
        if accounts.holds(self) and (token := self._form_token("/")):
            self._post_form(LOGOUT, {"csrfmiddlewaretoken": token})
        accounts.give_back(self)

    def log_in(self, account: Account) -> Login:
        """Fill in the login form. Django answers a wrong password with 200 and the form again."""
        token = self._form_token(LOGIN)
        if not token:
            return Login.UNANSWERED
        form = {
            "username": account.username,
            "password": account.password,
            "csrfmiddlewaretoken": token,
        }
        with self._post(LOGIN, form) as response:
            if response.status_code == 200 and _FIELD.search(response.text or ""):
                response.failure("login refused")
                return Login.REFUSED
            return Login.ACCEPTED if answers.status_is(response, (302,)) else Login.UNANSWERED

    @task(2)
    def index(self) -> None:
        """See the index, as oneself."""
        with self.client.get("/", catch_response=True) as response:
            answers.contains(response, self.account.username)

    @task(10)
    def list_page(self) -> None:
        """See one of the four list pages."""
        path = random.choice(LISTS)
        page = random.randint(1, 8)
        with self.client.get(f"{path}?page={page}", name=path, catch_response=True) as response:
            answers.contains(response, 'href="/entries/')

    @task(3)
    def new_entry(self) -> None:
        """Open the form, send it, and see what it made."""
        token = self._form_token(FORM)
        if not token:
            return
        form = {
            "title": "A load test's entry",
            "category": random.choice(("report", "notice", "question", "record")),
            "body": "Written by a simulated user.",
            "csrfmiddlewaretoken": token,
        }
        made = self._post_form(FORM, form)
        if made:
            with self.client.get(made, name=group_path(made), catch_response=True) as response:
                answers.contains(response, form["body"])

    @task(3)
    def api(self) -> None:
        """List entries through the API, and write one now and then."""
        if time.monotonic() > self.access_until and not self._fetch_token():
            return
        headers = {"Authorization": f"Bearer {self.access}"}
        with self.client.get(API, headers=headers, catch_response=True) as response:
            found = answers.json_object(response)
            if found is not None and not found.get("results"):
                response.failure("a list without results")
        if random.random() < 0.3:
            entry = {"title": "By API", "category": "record", "body": "Written by a program."}
            with self.client.post(
                API, json=entry, headers=headers, catch_response=True
            ) as response:
                answers.json_object(response, (201,))

    def _fetch_token(self) -> bool:
        credentials = {"username": self.account.username, "password": self.account.password}
        body: dict[str, Any] | None
        with self.client.post(TOKEN, json=credentials, catch_response=True) as response:
            body = answers.json_object(response)
            if body is not None and "access" not in body:
                response.failure("an answer without a token")
        self.access = (body or {}).get("access", "")
        self.access_until = time.monotonic() + TOKEN_LIFETIME_SECONDS
        return bool(self.access)

    def _form_token(self, path: str) -> str:
        """Open a page with a form; return its CSRF token, empty when the request failed."""
        with self.client.get(path, catch_response=True) as response:
            if not answers.status_is(response, (200,)):
                return ""
            field = _FIELD.search(response.text or "")
            if field is None:
                response.failure("a page without a CSRF token")
            return field.group(1) if field else ""

    def _post(self, path: str, form: dict[str, str]) -> CaughtResponse:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            # Over https Django wants to see where a form comes from.
            "Referer": f"{self.client.base_url}{path}",
        }
        return self.client.post(
            path, data=urlencode(form), headers=headers, allow_redirects=False, catch_response=True
        )

    def _post_form(self, path: str, form: dict[str, str]) -> str:
        """Send a form; return where it leads, empty when it was not accepted."""
        with self._post(path, form) as response:
            if not answers.status_is(response, (302,)):
                return ""
            return str(response.headers.get("Location", "")) if response.headers else ""
