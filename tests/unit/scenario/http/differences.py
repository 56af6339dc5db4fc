"""How FastUser differs from FastHttpUser on purpose. docs/http-user.md has the same table.

A test that asks for `by_kind` names one of these; the tests also see that each is documented.
"""

from typing import TypeVar

T = TypeVar("T")

DIFFERENCES = {
    "TLS verification": (
        "accepts any certificate",
        "verifies, unless `insecure` or `--insecure-target`",
    ),
    "`timeout` argument": ("becomes a query parameter", "limits this request, in seconds"),
    "size of an encoded body": (
        "response_length is the length of the decoded body",
        "response_length is the length of the body as received",
    ),
    "a body that can't be decoded": (
        "fails the request at once",
        "fails the request when the body is used",
    ),
    "several gzip members": ("returns the first one", "returns all of them, as RFC 1952 requires"),
    "zstd and stacked codings": ("raises ValueError in the task", "decodes them"),
    "unknown coding": ("raises ValueError in the task", "fails the request when the body is used"),
    "empty body with a coding": ("fails the request", "returns an empty body"),
    "text in no known charset": ("`text` is None", "`text` is UTF-8 with replacement characters"),
    "body that ends too soon": (
        "returns the status, a part of the body and the error",
        "returns status 0 and the error",
    ),
    "connection closed without a response": (
        "tries up to 12 connections",
        "fails after at most one safe retry",
    ),
    "bytes after the response": (
        "mixes them into the response",
        "returns the response, then closes the connection",
    ),
    "status 101 (switching protocols)": ("can't be parsed", "is a failure with status 101"),
    "header without an end": ("is read until the timeout", "fails at 256 KiB"),
    "lists in forms": (
        "sends Python's text form of the list",
        "sends the name once for each value",
    ),
    "user and password in `host`": ("are sent to every host", "are sent to that host only"),
    "files and iterables as bodies": (
        "are sent in chunks while they are read",
        "are read first and sent with a length",
    ),
    "retries": ("are set by `max_retries`", "are refused"),
    "geventhttpclient's pools": (
        "are shared as `client_pool`",
        "are refused; FastUser has its own Pool",
    ),
    "raw bytes in Location": ("are encoded twice", "are read as UTF-8, as in browsers"),
    "malformed Location": ("raises ValueError in the task", "fails the request"),
    "redirect whose body ends too soon": (
        "is followed",
        "fails, like every body that ends too soon",
    ),
    "redirected PUT and DELETE": ("become GET after 301 and 302", "keep their method"),
    "unknown charset": (
        "raises LookupError in the task",
        "`text` is UTF-8 with replacement characters",
    ),
    "several Content-Types": ("raise AttributeError in the task", "the last one counts"),
    "odd line ends and lengths": ("fail the request", "are accepted as far as RFC 9112 allows"),
    "JSON with a BOM": ("raises JSONDecodeError", "is parsed"),
    "cookies": ("follow Netscape's rules", "follow RFC 6265, as in browsers"),
    "host names in other scripts": ("are sent unchanged in Host", "are sent in Punycode"),
    "`request.body`": ("is a string for `json`", "is the bytes that were sent"),
    "`response.elapsed`": (
        "is a timedelta, and missing in with-blocks",
        "is always there; it is a number with a method `total_seconds()`",
    ),
}


def by_kind(kind: str, difference: str, fast_http_user: T, fast_user: T) -> T:
    """Return what this client is expected to do, where the two differ."""
    assert difference in DIFFERENCES, f"{difference!r} is not among the listed differences"
    return fast_user if kind == "FastUser" else fast_http_user


LOCUSTS_TESTS = {
    "TestFastHttpSession.test_custom_ssl_context_passed_correct_to_client_pool": (
        "inspects the pool of geventhttpclient; FastUser has its own pool"
    ),
    "TestFastHttpSession.test_iter_lines": (
        "replaces the response by a mock of `iter_content`, which FastUser's `iter_lines` doesn't "
        "call"
    ),
    "TestFastHttpSession.test_json_payload": (
        "expects `request.body` to be a string for json; FastUser returns the bytes that were sent"
    ),
    "TestFastHttpUserClass.test_max_redirect_setting": (
        "expects a failure with max_redirects = 0; FastUser returns the redirect itself, as does "
        "FastHttpUser with current versions of geventhttpclient"
    ),
    "TestFastHttpUserClass.test_network_timeout_setting": (
        "expects geventhttpclient's `error.original`; FastUser's error is the TimeoutError itself"
    ),
    "TestFastHttpUserClass.test_shared_client_pool": (
        "shares a geventhttpclient pool, which FastUser refuses with a message"
    ),
}
"""Tests of Locust's test_fasthttp.py that FastUser does not pass, each with the reason."""
