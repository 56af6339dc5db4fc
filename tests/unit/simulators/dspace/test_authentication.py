"""Contract: CSRF tokens, login, refresh, logout."""

import pytest

from tests.unit.simulators.dspace.visitor import Clock, Visitor


def test_csrf_endpoint_hands_out_a_token_as_header_and_cookie(visitor: Visitor) -> None:
    response = visitor.get("/security/csrf")
    token = response.headers["DSPACE-XSRF-TOKEN"]
    assert response.status_code == 204
    assert response.headers["Set-Cookie"] == (
        f"DSPACE-XSRF-COOKIE={token}; Path=/server; SameSite=Lax; HttpOnly"
    )


def test_status_hands_out_a_token_and_ordinary_reads_do_not(visitor: Visitor) -> None:
    assert "DSPACE-XSRF-TOKEN" not in visitor.get("").headers
    assert "DSPACE-XSRF-TOKEN" in visitor.get("/authn/status").headers


def test_change_without_any_token_is_refused_without_a_new_one(visitor: Visitor) -> None:
    response = visitor.send("POST", "/authn/logout")
    assert response.status_code == 403
    assert response.json()["message"] == "Access is denied. Invalid CSRF token."
    assert "DSPACE-XSRF-TOKEN" not in response.headers


def test_change_with_another_token_is_refused_with_a_new_one(visitor: Visitor) -> None:
    first = visitor.get("/security/csrf").headers["DSPACE-XSRF-TOKEN"]
    response = visitor.send("POST", "/authn/logout", headers={"X-XSRF-TOKEN": "stale"})
    assert response.status_code == 403
    assert response.json()["message"] == "Access is denied. Invalid CSRF token."
    assert response.headers["DSPACE-XSRF-TOKEN"] not in {first, "stale"}
    assert visitor.send("POST", "/authn/logout").status_code == 204


def test_login_gives_a_jwt_and_changes_the_csrf_token(visitor: Visitor) -> None:
    before = visitor.get("/security/csrf").headers["DSPACE-XSRF-TOKEN"]
    response = visitor.login("user0002@example.org")
    assert response.status_code == 200
    assert response.headers["Authorization"].startswith("Bearer ey")
    assert response.headers["DSPACE-XSRF-TOKEN"] != before
    cookies = response.raw.headers.getlist("Set-Cookie")
    assert [cookie.partition(";")[0] for cookie in cookies] == [
        "DSPACE-XSRF-COOKIE=",
        f"DSPACE-XSRF-COOKIE={visitor.csrf}",
    ]
    assert visitor.get("/authn/status").json()["authenticated"] is True


@pytest.mark.parametrize(
    ("user", "password"), [("user0002@example.org", "wrong"), ("nobody@example.org", "")]
)
def test_login_with_wrong_credentials_is_401_and_names_the_method(
    visitor: Visitor, user: str, password: str
) -> None:
    response = visitor.login(user, password)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'password realm="DSpace REST API"'
    assert "Authorization" not in response.headers


def test_login_with_only_a_bearer_token_refreshes_it(visitor: Visitor, clock: Clock) -> None:
    visitor.login("user0003@example.org")
    before, clock.offset = visitor.csrf, clock.offset + 1200
    response = visitor.send("POST", "/authn/login")
    visitor.jwt = response.headers["Authorization"].removeprefix("Bearer ")
    clock.offset += 1200
    assert response.headers["DSPACE-XSRF-TOKEN"] != before
    assert visitor.get("/authn/status").json()["authenticated"] is True


def test_jwt_expires_after_thirty_minutes(visitor: Visitor, clock: Clock) -> None:
    visitor.login("user0004@example.org")
    clock.offset += 29 * 60
    assert visitor.get("/authn/status").json()["authenticated"] is True
    clock.offset += 61
    assert visitor.get("/authn/status").json()["authenticated"] is False
    assert visitor.send("POST", "/submission/workspaceitems").status_code == 401
    assert visitor.send("POST", "/authn/login").status_code == 401


@pytest.mark.parametrize("token", ["", "nonsense", "ey.ey.ey"])
def test_status_is_always_200(visitor: Visitor, token: str) -> None:
    visitor.jwt = token
    response = visitor.get("/authn/status")
    body = response.json()
    assert response.status_code == 200
    assert (body["okay"], body["authenticated"], body["type"]) == (True, False, "status")


def test_logout_invalidates_every_token_of_the_account(dspace_url: str) -> None:
    with Visitor(dspace_url) as first, Visitor(dspace_url) as second:
        first.login("user0005@example.org")
        second.login("user0005@example.org")
        assert first.jwt
        before = first.csrf
        assert first.send("POST", "/authn/logout").status_code == 204
        assert first.csrf != before
        assert second.get("/authn/status").json()["authenticated"] is False


def test_logout_by_get_is_405(visitor: Visitor) -> None:
    assert visitor.get("/authn/logout").status_code == 405


def test_cookie_over_https_is_secure_and_cross_site(visitor: Visitor) -> None:
    response = visitor.get("/security/csrf", headers={"X-Forwarded-Proto": "https"})
    cookie = response.headers["Set-Cookie"]
    assert cookie.endswith("; Path=/server; SameSite=None; Secure; HttpOnly")
