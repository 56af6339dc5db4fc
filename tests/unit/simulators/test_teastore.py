"""The TeaStore over HTTP."""

import re
import time
from collections.abc import Iterator

import pytest
import requests

from loadgen.simulators.teastore import KINDS, build
from loadgen.simulators.teastore_pages import PASSWORD, PREFIX
from tests.servers import serving


@pytest.fixture
def url() -> Iterator[str]:
    with serving(build()) as base:
        yield base + PREFIX


@pytest.fixture
def visitor() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def _login(visitor: requests.Session, url: str, password: str = PASSWORD) -> requests.Response:
    query = f"username=user7&password={password}"
    return visitor.post(f"{url}/loginAction?{query}", allow_redirects=False, timeout=10)


def test_category_links_twenty_products_and_each_has_its_page(
    url: str, visitor: requests.Session
) -> None:
    page = visitor.get(f"{url}/category?page=2&category=3", timeout=10).text
    products = re.findall(r"href=.*product.*?id=(\d+). ><img", page)
    assert products == [str(number) for number in range(127, 147)]
    assert visitor.get(f"{url}/product?id={products[0]}", timeout=10).status_code == 200


@pytest.mark.parametrize("query", ["", "category=9", "category=2&page=x", "category=2&page=0"])
def test_category_refuses_what_it_does_not_have(url: str, query: str) -> None:
    assert requests.get(f"{url}/category?{query}", timeout=10).status_code == 400


def test_login_leads_home_and_a_wrong_password_back_to_the_form(
    url: str, visitor: requests.Session
) -> None:
    assert _login(visitor, url, "wrong").headers["location"] == f"{PREFIX}/login"
    assert "Sign in" in visitor.get(f"{url}/", timeout=10).text
    assert _login(visitor, url).headers["location"] == f"{PREFIX}/"
    assert "Logout user7" in visitor.get(f"{url}/", timeout=10).text
    assert "user7" in visitor.get(f"{url}/profile", timeout=10).text


def test_profile_leads_home_without_login(url: str) -> None:
    response = requests.get(f"{url}/profile", allow_redirects=False, timeout=10)
    assert (response.status_code, response.headers["location"]) == (302, f"{PREFIX}/")


def test_cart_shows_what_was_put_in_until_it_is_removed(
    url: str, visitor: requests.Session
) -> None:
    _login(visitor, url)
    cart = visitor.post(f"{url}/cartAction?addToCart=&productid=8", timeout=10)
    assert 'name="removeProduct_8"' in cart.text
    cart = visitor.post(f"{url}/cartAction?removeProduct_8=", timeout=10)
    assert "removeProduct" not in cart.text


def test_carts_are_apart_and_logout_empties_them(url: str, visitor: requests.Session) -> None:
    visitor.post(f"{url}/cartAction?addToCart=&productid=8", timeout=10)
    with requests.Session() as other:
        assert "removeProduct" not in other.get(f"{url}/cart", timeout=10).text
    visitor.post(f"{url}/loginAction?logout=", timeout=10)
    assert "removeProduct" not in visitor.get(f"{url}/cart", timeout=10).text


def test_unknown_products_pages_and_methods_are_refused(url: str) -> None:
    assert requests.get(f"{url}/product?id=5", timeout=10).status_code == 404
    assert requests.get(f"{url}/order", timeout=10).status_code == 404
    assert requests.get(f"{url}/cartAction?addToCart=&productid=8", timeout=10).status_code == 405
    assert requests.post(f"{url}/cartAction?addToCart=&productid=5", timeout=10).status_code == 400


def test_lone_requests_take_the_regressions_time(url: str, visitor: requests.Session) -> None:
    visitor.get(f"{url}/", timeout=10)

    def fastest(path: str) -> float:
        times = []
        for _ in range(9):
            start = time.perf_counter()
            visitor.get(f"{url}{path}", timeout=10)
            times.append(time.perf_counter() - start)
        return min(times)

    _login(visitor, url)
    for path, kind in (("/", "Index"), ("/profile", "Profile")):
        assert fastest(path) >= 0.00267605 + 6.26674e-4 * KINDS[kind]


def test_state_counts_by_path(url: str, visitor: requests.Session) -> None:
    visitor.get(f"{url}/product?id=8", timeout=10)
    visitor.get(f"{url}/product?id=9", timeout=10)
    state = visitor.get(f"{url.removesuffix(PREFIX)}/_state.json", timeout=10).json()
    assert [(row["method"], row["name"], row["answered"]) for row in state["requests"]] == [
        ("GET", "/product", 2)
    ]
    assert state["details"]["sessions"] == 1
