"""Where FastUser behaves otherwise than FastHttpUser, on purpose. docs/http-user.md has the same.

A test that asks for `by_kind` names one of these; the tests also see that each is documented.
"""

from typing import TypeVar

T = TypeVar("T")

DIFFERENCES = {
    "TLS verification": (
        "accepts any certificate",
        "verifies, unless `insecure` or `--insecure-target`",
    ),
    "timeout argument": ("becomes a query parameter", "limits this request, in seconds"),
    "encoded size": ("response_length is of the decoded body", "of the body as received"),
    "broken coding": ("fails the request at once", "fails where the body is looked at"),
    "several gzip members": ("gives the first", "gives all, as RFC 1952 has it"),
    "zstd and stacked codings": ("raises ValueError in the task", "decodes them"),
    "unknown coding": ("raises ValueError in the task", "fails where the body is looked at"),
    "empty coded body": ("fails the request", "is an empty body"),
    "binary text": ("`text` is None when no charset fits", "is UTF-8 with replacements"),
    "cut-off body": ("status and part of the body, with the error", "status 0, with the error"),
    "closed without answer": ("tries up to 12 connections", "fails, after one safe retry at most"),
    "more than was asked for": ("mixes it into the response", "gives the response, then closes"),
    "switching protocols": ("fails to parse", "gives status 101 as a failure"),
    "endless header": ("reads until the timeout", "fails at 256 KiB"),
    "lists in forms": ("sends the list's Python text", "sends the name once for each value"),
    "credentials in host": ("go to every host", "go to that host only"),
    "files and iterables": ("are streamed, chunked", "are read first, sent with a length"),
    "retries": ("max_retries", "are refused"),
    "geventhttpclient pools": ("are shared as `client_pool`", "are refused; it has its own Pool"),
    "raw bytes in Location": ("are encoded twice", "are UTF-8, as browsers take them"),
    "malformed Location": ("raises ValueError in the task", "fails the request"),
    "cut-off redirect": ("is followed", "fails as every cut-off body"),
    "redirected PUT and DELETE": ("become GET at 301 and 302", "stay what they are"),
    "unknown charset": ("raises LookupError in the task", "is UTF-8 with replacements"),
    "several Content-Types": ("raise AttributeError in the task", "the last one counts"),
    "odd line ends and lengths": ("fail the request", "are taken as RFC 9112 has it"),
    "JSON with a BOM": ("raises JSONDecodeError", "is parsed"),
    "cookies": ("Netscape's rules", "RFC 6265, as browsers"),
    "names in other scripts": ("are sent raw as Host", "are sent in punycode"),
    "request.body": ("is text for json", "is bytes, as sent"),
    "response.elapsed": (
        "a timedelta, missing in with-blocks",
        "a number with total_seconds(), everywhere",
    ),
}


def by_kind(kind: str, difference: str, fast_http_user: T, fast_user: T) -> T:
    """Return what this client is expected to do, where the two differ."""
    assert difference in DIFFERENCES, f"{difference!r} is not among the listed differences"
    return fast_user if kind == "FastUser" else fast_http_user


LOCUSTS_TESTS = {
    "TestFastHttpSession.test_custom_ssl_context_passed_correct_to_client_pool": (
        "looks into geventhttpclient's pool; FastUser has its own"
    ),
    "TestFastHttpSession.test_iter_lines": (
        "replaces the response by a mock of `iter_content`, which FastUser's lines don't pass"
    ),
    "TestFastHttpSession.test_json_payload": (
        "wants `request.body` as text for json; FastUser gives the bytes that were sent"
    ),
    "TestFastHttpUserClass.test_max_redirect_setting": (
        "wants a failure at max_redirects = 0; with today's geventhttpclient FastHttpUser gives "
        "the redirect itself, too"
    ),
    "TestFastHttpUserClass.test_network_timeout_setting": (
        "wants geventhttpclient's `error.original`; the error itself is the TimeoutError here"
    ),
    "TestFastHttpUserClass.test_shared_client_pool": (
        "shares a geventhttpclient pool, which FastUser refuses in words"
    ),
}
"""Tests of Locust's test_fasthttp.py that FastUser does not pass, each with the reason."""
