import pytest

from loadgen.node.web_origin import refusal


@pytest.mark.parametrize(
    ("host", "origin", "loopback"),
    [
        ("127.0.0.1:8089", None, True),
        ("localhost:8089", "http://localhost:8089", True),
        ("[::1]:8089", "http://[::1]:8089", True),
        ("master.example:8089", "https://master.example:8089", False),
        ("anything.example", None, False),
    ],
)
def test_own_pages_pass(host: str, origin: str | None, loopback: bool) -> None:
    assert refusal(host, origin, loopback) is None


@pytest.mark.parametrize(
    ("host", "origin", "loopback"),
    [
        ("127.0.0.1:8089", "http://evil.example", True),
        ("127.0.0.1:8089", "http://127.0.0.1:9999", True),
        ("127.0.0.1:8089", "null", True),
        ("evil.example:8089", "http://evil.example:8089", True),
        ("", None, True),
        ("[", None, True),
        ("master.example:8089", "https://evil.example", False),
    ],
)
def test_other_sites_are_refused(host: str, origin: str | None, loopback: bool) -> None:
    assert refusal(host, origin, loopback) is not None


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "", "null", "http://\uff0f/"])
def test_what_is_no_origin_is_refused_and_not_a_fault(origin: str) -> None:
    assert refusal("localhost:8089", origin, loopback=True) is not None
