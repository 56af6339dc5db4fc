"""Contract: Django's own login, CSRF, sessions, and the JWT API; over HTTP."""

import re
from collections.abc import Iterator

import pytest
import requests

from loadgen.simulators import accounts
from tests.servers import simulator

USER = "user0001@example.org"
TIMEOUT = 20


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with simulator("django_site") as base:
        yield base


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def _login(browser: requests.Session, url: str, password: str = "") -> requests.Response:
    browser.get(f"{url}/accounts/login/", timeout=TIMEOUT)
    form: dict[str, str] = {"username": USER, "password": password or accounts.password()}
    form["csrfmiddlewaretoken"] = str(browser.cookies["csrftoken"])
    return browser.post(f"{url}/accounts/login/", data=form, timeout=TIMEOUT, allow_redirects=False)


def test_login_is_302_with_a_session_and_a_new_csrf_token(
    browser: requests.Session, url: str
) -> None:
    browser.get(f"{url}/accounts/login/", timeout=TIMEOUT)
    before = browser.cookies["csrftoken"]
    response = _login(browser, url)
    assert response.status_code == 302
    assert "sessionid" in browser.cookies
    assert browser.cookies["csrftoken"] != before
    assert USER in browser.get(url, timeout=TIMEOUT).text


def test_failed_login_is_200_with_the_form(browser: requests.Session, url: str) -> None:
    response = _login(browser, url, "wrong")
    assert response.status_code == 200
    assert "Please enter a correct username and password" in response.text
    assert "sessionid" not in browser.cookies


def test_login_without_csrf_token_is_403(browser: requests.Session, url: str) -> None:
    form = {"username": USER, "password": accounts.password()}
    assert browser.post(f"{url}/accounts/login/", data=form, timeout=TIMEOUT).status_code == 403


def test_token_in_the_header_does_instead_of_the_form(browser: requests.Session, url: str) -> None:
    browser.get(f"{url}/accounts/login/", timeout=TIMEOUT)
    response = browser.post(
        f"{url}/accounts/login/",
        data={"username": USER, "password": accounts.password()},
        headers={"X-CSRFToken": str(browser.cookies["csrftoken"])},
        timeout=TIMEOUT,
        allow_redirects=False,
    )
    assert response.status_code == 302


def test_post_over_https_needs_a_referer_of_the_same_host(
    browser: requests.Session, url: str
) -> None:
    # uvicorn takes the scheme from a proxy on this machine.
    browser.headers.update({"X-Forwarded-Proto": "https"})
    assert _login(browser, url).status_code == 403
    browser.headers.update({"Referer": url.replace("http:", "https:") + "/accounts/login/"})
    assert _login(browser, url).status_code == 302


@pytest.mark.parametrize("variant", ["recent", "titles", "categories", "authors"])
def test_list_pages_need_a_login_and_show_entries(
    browser: requests.Session, url: str, variant: str
) -> None:
    anonymous = browser.get(f"{url}/lists/{variant}/", timeout=TIMEOUT, allow_redirects=False)
    assert anonymous.headers["Location"] == f"/accounts/login/?next=/lists/{variant}/"
    _login(browser, url)
    page = browser.get(f"{url}/lists/{variant}/?page=2", timeout=TIMEOUT)
    assert len(re.findall(r'href="/entries/\d+/"', page.text)) == 25
    assert "Page 2 of" in page.text


def test_form_makes_an_entry(browser: requests.Session, url: str) -> None:
    _login(browser, url)
    page = browser.get(f"{url}/entries/new/", timeout=TIMEOUT)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token
    form = {"title": "A title", "category": "notice", "body": "A body"}
    sent = form | {"csrfmiddlewaretoken": token.group(1)}
    made = browser.post(f"{url}/entries/new/", data=sent, timeout=TIMEOUT)
    assert re.fullmatch(rf"{url}/entries/\d+/", made.url)
    assert "<h1>A title</h1>" in made.text
    refused = browser.post(f"{url}/entries/new/", data=form, timeout=TIMEOUT)
    assert refused.status_code == 403


@pytest.mark.parametrize("prefix", ["Bearer", "JWT"])
def test_api_takes_a_token_of_either_prefix(url: str, prefix: str) -> None:
    credentials = {"username": USER, "password": accounts.password()}
    tokens = requests.post(f"{url}/api/token/", json=credentials, timeout=TIMEOUT).json()
    assert set(tokens) == {"access", "refresh"}
    headers = {"Authorization": f"{prefix} {tokens['access']}"}
    found = requests.get(f"{url}/api/entries/", headers=headers, timeout=TIMEOUT).json()
    assert len(found["results"]) == 20
    entry = {"title": "By API", "category": "record", "body": "x"}
    made = requests.post(f"{url}/api/entries/", json=entry, headers=headers, timeout=TIMEOUT)
    assert (made.status_code, made.json()["author"]) == (201, USER)


def test_api_refuses_wrong_credentials_and_tokens(url: str) -> None:
    credentials = {"username": USER, "password": "wrong"}
    refused = requests.post(f"{url}/api/token/", json=credentials, timeout=TIMEOUT)
    headers = {"Authorization": "Bearer nonsense"}
    assert refused.status_code == 401
    assert requests.get(f"{url}/api/entries/", timeout=TIMEOUT).status_code == 401
    assert requests.get(f"{url}/api/entries/", headers=headers, timeout=TIMEOUT).status_code == 401


def test_access_token_is_refreshed(url: str) -> None:
    credentials = {"username": USER, "password": accounts.password()}
    tokens = requests.post(f"{url}/api/token/", json=credentials, timeout=TIMEOUT).json()
    response = requests.post(
        f"{url}/api/token/refresh/", json={"refresh": tokens["refresh"]}, timeout=TIMEOUT
    )
    assert "access" in response.json()


def test_state_page_counts_requests_and_rows(url: str) -> None:
    requests.get(url, timeout=TIMEOUT)
    state = requests.get(f"{url}/_state.json", timeout=TIMEOUT).json()
    names = {(row["method"], row["name"]) for row in state["requests"]}
    assert ("GET", "/") in names
    assert state["details"]["users"] == 1000
