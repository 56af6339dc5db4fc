"""Origins are written as browsers write them: sites compare them letter by letter."""

import pytest

from loadgen.shared.origin import origin


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("http://LocalHost:18001", "http://localhost:18001"),
        ("HTTPS://Shop.Example:443/path?q#f", "https://shop.example"),
        ("http://shop.example:80/", "http://shop.example"),
        ("https://shop.example:80", "https://shop.example:80"),
        ("http://user:pass@shop.example/", "http://shop.example"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://my_host:8080", "http://my_host:8080"),
        (" http://shop.example ", "http://shop.example"),
    ],
)
def test_origin_is_what_a_browser_sends(url: str, right: str) -> None:
    assert origin(url) == right


@pytest.mark.parametrize("url", ["", "shop.example", "http:///path", "http://a:99999", "http://[a"])
def test_origin_of_what_has_no_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - urllib's own words
        origin(url)
