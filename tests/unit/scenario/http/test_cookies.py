"""Which cookies a jar takes and gives back: RFC 6265, without a server."""

import pytest
from geventhttpclient.header import Headers

from loadgen.scenario.http.cookies import Jar, default_path, parse_date

SITE = "http://home.example.org:8888/shop/list?q=1"


def _after(*lines: str, url: str = SITE) -> Jar:
    jar, headers = Jar(), Headers()
    for line in lines:
        headers.add("Set-Cookie", line)
    jar.take(url, headers)
    return jar


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("a=1", "a=1"),
        ("  a =  1  ; x", "a=1"),
        ('a="1;2"', 'a="1'),
        ("a=1=2", "a=1=2"),
        ("a=", "a="),
        ("a", ""),
        ("=1", ""),
        ("a=1; Path=/shop", "a=1"),
        ("a=1; Path=/sho", ""),
        ("a=1; Path=/shop/", "a=1"),
        ("a=1; Path=relative", "a=1"),
        ("a=1; Path=/else; Path=/shop", "a=1"),
        ("a=1; Domain=example.org", "a=1"),
        ("a=1; Domain=.Example.ORG", "a=1"),
        ("a=1; Domain=", "a=1"),
        ("a=1; Domain=ample.org", ""),
        ("a=1; Domain=org", ""),
        ("a=1; Domain=b.home.example.org", ""),
        ("a=1; Secure", ""),
        ("a=1; HttpOnly", "a=1"),
        ("a=1; Max-Age=0", ""),
        ("a=1; Max-Age=-5; Expires=Fri, 01 Jan 2100 00:00:00 GMT", ""),
        ("a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "a=1"),
        ("a=1; Max-Age=soon", "a=1"),
        ("a=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT", ""),
        ("a=1; Expires=never", "a=1"),
        ("a=\x00", ""),
    ],
)
def test_what_a_host_gets_back(line: str, sent: str) -> None:
    assert _after(line).header(SITE) == sent


@pytest.mark.parametrize(
    ("line", "url", "sent"),
    [
        ("a=1", "http://www.home.example.org/shop/", ""),
        ("a=1; Domain=home.example.org", "http://www.home.example.org/shop/", "a=1"),
        ("a=1; Domain=example.org; Path=/", "http://example.org/", "a=1"),
        ("a=1; Domain=example.org; Path=/", "http://anexample.org/", ""),
        ("a=1; Path=/shop", "http://home.example.org/shopping", ""),
        ("a=1; Path=/; Secure", "https://home.example.org/", "a=1"),
    ],
)
def test_where_else_a_cookie_goes(line: str, url: str, sent: str) -> None:
    assert _after(line).header(url) == sent


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_host_without_dots_and_an_address_may_name_themselves(host: str) -> None:
    url = f"http://{host}:8000/"
    named = host.strip("[]")
    assert _after(f"a=1; Domain={named}", url=url).header(url) == "a=1"
    assert _after(f"a=1; Domain={named}x", url=url).header(url) == ""


def test_longer_paths_and_older_cookies_come_first() -> None:
    jar = _after("a=1; Path=/", "b=2; Path=/shop", "c=3; Path=/", "a=4; Path=/")
    assert jar.header(SITE) == "b=2; a=4; c=3"


def test_a_cookie_that_is_deleted_at_once_is_gone() -> None:
    assert list(_after("a=1", "a=; Max-Age=0")) == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        ("Sun Nov  6 08:49:37 1994", 784111777),
        ("6 novEMBER 1994 8:49:37junk", 784111777),
        ("1 Jan 69 0:0:0", 3124224000),
        ("32 Jan 2020 0:0:0", None),
        ("1 Jan 1600 0:0:0", None),
        ("1 Jan 2020 24:0:0", None),
        ("1 Jan 2020", None),
        ("", None),
    ],
)
def test_dates_are_read_as_browsers_read_them(text: str, seconds: int | None) -> None:
    assert parse_date(text) == seconds


@pytest.mark.parametrize(
    ("path", "expected"), [("/a/b", "/a"), ("/a", "/"), ("/", "/"), ("", "/"), ("/a/b/", "/a/b")]
)
def test_a_cookie_without_path_is_for_its_directory(path: str, expected: str) -> None:
    assert default_path(path) == expected
