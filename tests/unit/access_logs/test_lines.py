"""Each format's line becomes a hit; what is none of a format is None, whatever it holds."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.access_logs.formats import FORMATS, recognise
from loadgen.access_logs.lines import Hit

TIME = 1791640536.0  # 10/Oct/2026:13:55:36 +0000
LINES = {
    "common": '192.0.2.1 - ann [10/Oct/2026:13:55:36 +0000] "GET /a?b=1 HTTP/1.1" 200 2326',
    "combined": (
        '192.0.2.1 - - [10/Oct/2026:15:55:36 +0200] "GET /a?b=1 HTTP/1.1" 200 - "-" "F \\"1\\""'
    ),
    "nginx": (
        '192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a?b=1 HTTP/2.0" 200 9 "-" "Fox" 0.1'
    ),
    "Apache, virtual host": (
        'www.x.example:443 192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a?b=1 HTTP/1.1" 200 5'
    ),
    "IPv6": '2001:db8::1 - - [10/Oct/2026:13:55:36 +0000] "GET /a?b=1 HTTP/1.1" 200 5 "-" "-"',
    "HAProxy": (
        "Oct 10 13:55:36 lb haproxy[14389]: 192.0.2.1:33317 [10/Oct/2026:13:55:36.655] http-in"
        ' static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {} "GET /a?b=1 HTTP/1.1"'
    ),
    "HAProxy, IPv6": (
        "2001:db8::1:33317 [10/Oct/2026:13:55:36.655] http-in~ static/srv1 10/0/30/69/109 200 2750"
        ' - - ---- 1/1/1/1/0 0/0 "GET /a?b=1 HTTP/1.1"'
    ),
    "nginx, JSON": (
        '{"time_local": "10/Oct/2026:13:55:36 +0000", "remote_addr": "192.0.2.1", "status": "200",'
        ' "request": "GET /a?b=1 HTTP/1.1"}'
    ),
    "Caddy": (
        '{"ts": 1791640536.0, "status": 200, "request": {"remote_ip": "192.0.2.1", "method": "GET",'
        ' "uri": "/a?b=1", "headers": {"User-Agent": ["Fox"]}}}'
    ),
    "Traefik": (
        '{"ClientHost": "192.0.2.1", "DownstreamStatus": 200, "RequestMethod": "GET",'
        ' "RequestPath": "/a?b=1", "StartUTC": "2026-10-10T13:55:36Z"}'
    ),
    "milliseconds": (
        '{"timestamp": 1791640536000, "client_ip": "::1", "method": "get", "status_code": 200,'
        ' "url": "https://shop.example/a?b=1"}'
    ),
}
LINES |= {
    "ALB": (
        "h2 2026-10-10T13:55:36.000Z app/lb/50dc6c 192.0.2.1:2817 10.0.0.1:80 0.000 0.001 0.000"
        ' 200 200 34 366 "GET https://x.example:443/a?b=1 HTTP/2.0" "Fox" - - arn:aws:x "Root=1"'
    ),
    "ELB": (
        "2026-10-10T13:55:36Z lb 192.0.2.1:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200"
        ' 200 0 29 "GET http://x.example:80/a?b=1 HTTP/1.1" "Fox" - -'
    ),
    "S3": (
        "79a59df900b9 bucket [10/Oct/2026:13:55:36 +0000] 192.0.2.1 79a59 3E57 REST.GET.OBJECT a"
        ' "GET /a?b=1 HTTP/1.1" 200 - 113 - 7 - "-" "Fox" - s9l SigV4'
    ),
    "Envoy, its own form": (
        '[2026-10-10T13:55:36.000Z] "GET /a?b=1 HTTP/2" 200 - 154 0 226 100 "192.0.2.1" "Fox"'
        ' "cc21d9b0" "locations" "tcp://10.0.2.1:80"'
    ),
    "Istio": (
        '[2026-10-10T13:55:36.000Z] "GET /a?b=1 HTTP/1.1" 200 - via_upstream - "-" 0 154 0 226'
        ' "192.0.2.1" "Fox" "cc21d9b0" "locations" "10.0.2.1:80" outbound'
    ),
    "Squid": (
        f"{TIME:.3f}    180 192.0.2.1 TCP_MISS/200 411 GET http://x.example/a?b=1 -"
        " DIRECT/10.0.0.1 text/html"
    ),
    "Cloudflare": (
        '{"ClientIP": "192.0.2.1", "ClientRequestMethod": "GET", "ClientRequestURI": "/a?b=1",'
        ' "EdgeStartTimestamp": "2026-10-10T13:55:36Z", "EdgeResponseStatus": 200}'
    ),
    "Azure": (
        '{"time": "2026-10-10T13:55:36Z", "properties": {"httpMethod": "GET", "clientIp":'
        ' "192.0.2.1", "requestUri": "https://x.example/a?b=1", "httpStatusCode": "200"}}'
    ),
    "API gateway": (
        '{"requestTime": "10/Oct/2026:13:55:36 +0000", "httpMethod": "GET", "path": "/a?b=1",'
        ' "status": "200", "ip": "192.0.2.1"}'
    ),
}
COMBINED = '192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a?b=1 HTTP/1.1" 200 9 "-" "Fox"'
LINES |= {
    "behind proxies": COMBINED.replace("192.0.2.1", "192.0.2.1, 198.51.100.7"),
    "IPv6 in brackets": COMBINED.replace("192.0.2.1", "[2001:db8::1]"),
    "microseconds": COMBINED.replace("36 +", "36.123456 +").replace("Fox", "Hen"),
    "duration before the request": COMBINED.replace('"GET', '1234 "GET'),
    "blanks before": f"  {COMBINED}",
    "a user with a blank": COMBINED.replace("- - [", "- Ann Lee ["),
    "whole address": COMBINED.replace("/a?b=1", "http://shop.example/a?b=1"),
    "syslog": f"Oct 10 13:55:36 web nginx: {COMBINED}",
    "syslog, RFC 5424": f"<190>1 2026-10-10T13:55:36.000Z web nginx 12 - - {COMBINED}",
    "docker compose": f"web-1  | {COMBINED}",
    "container, with its time": f"2026-10-10T13:55:36.000000000Z stdout F {COMBINED}",
    "container, JSON": json.dumps({"log": f"{COMBINED}\n", "stream": "stdout"}),
    "HAProxy, HTTP/2": LINES["HAProxy"].replace(
        "/a?b=1 HTTP/1.1", "https://x.example/a?b=1 HTTP/2.0"
    ),
    "Caddy, console": (
        '2026/10/10 13:55:36\tINFO\thandled request\t{"request": {"remote_ip": "192.0.2.1",'
        ' "method": "GET", "uri": "/a?b=1"}, "status": 200}'
    ),
    "Caddy, wall time": (
        '{"ts": "2026/10/10 13:55:36", "status": 200, "request": {"client_ip": "192.0.2.1",'
        ' "method": "GET", "uri": "/a?b=1"}}'
    ),
    "Elastic Common Schema": (
        '{"@timestamp": "2026-10-10T13:55:36Z", "source": {"ip": "192.0.2.1"}, "url": {"path":'
        ' "/a", "query": "b=1"}, "http": {"request": {"method": "GET"}, "response":'
        ' {"status_code": 200}}}'
    ),
    "names with dots": (
        '{"@timestamp": "2026-10-10T13:55:36Z", "client.ip": "192.0.2.1", "url.path": "/a?b=1",'
        ' "http.request.method": "GET", "http.response.status_code": 200}'
    ),
    "Apache, JSON": (
        '{"time": "[10/Oct/2026:13:55:36 +0000]", "remoteIP": "192.0.2.1", "request": "/a",'
        ' "query": "?b=1", "method": "GET", "status": "200"}'
    ),
    "Envoy": (
        '{"start_time": "2026-10-10T13:55:36Z", "method": "GET", "path": "/a?b=1",'
        ' "response_code": 200, "downstream_remote_address": "192.0.2.1"}'
    ),
    "pino": (
        '{"time": 1791640536000, "req": {"method": "GET", "url": "/a?b=1", "remoteAddress":'
        ' "192.0.2.1"}, "res": {"statusCode": 200}}'
    ),
}


@pytest.mark.parametrize("kind", LINES)
def test_a_line_of_each_format_is_read(kind: str) -> None:
    parse = recognise([LINES[kind]])
    assert parse
    hit = parse(LINES[kind] + "\n")
    assert hit
    assert (hit.time, hit.method, hit.path, hit.status) == (TIME, "GET", "/a?b=1", 200)
    assert hit.client.split()[0].strip("[]") in {"192.0.2.1", "2001:db8::1", "::1"}


@pytest.mark.parametrize(
    ("logged", "path"),
    [
        ("/a b HTTP/1.1", "/a%20b"),
        ('/a\\"b HTTP/1.1', "/a%22b"),
        ("/a\\x22b\\x0a HTTP/1.1", "/a%22b%0a"),
        ("/a", "/a"),
        ("* HTTP/1.1", "*"),
        ("/caf\udce9/\xe4 HTTP/1.1", "/caf%E9/%C3%A4"),
        ("/\x1b[31m\x00 HTTP/1.1", "/%1B[31m%00"),
        ("/caf\xe9 HTTP/1.1", "/caf\xe9"),
    ],
)
def test_a_path_is_as_it_can_be_sent_again(logged: str, path: str) -> None:
    hit = FORMATS["common"]()(COMBINED.replace("/a?b=1 HTTP/1.1", logged))
    assert hit
    assert hit.path == path


@pytest.mark.parametrize(
    "line",
    [
        " 1.1.1.1 - - [x" * 4000,
        " 1.1.1.1, " * 6000,
        '"GET ' * 12_000,
        ":" * 60_000,
        ' 1.1.1.1 - - [x] "GET /' + "\\a" * 30_000,
        '{"log":' * 9000,
    ],
)
def test_a_line_made_to_be_slow_is_read_in_no_time(line: str) -> None:
    began = time.process_time()
    assert [made()(line) for made in FORMATS.values()] == [None] * len(FORMATS)
    assert time.process_time() - began < 2


def test_clients_are_told_apart_by_address_and_program() -> None:
    line = LINES["nginx"]
    hits = [FORMATS["common"]()(one) for one in (line, line.replace("Fox", "Hen"), LINES["IPv6"])]
    assert len({hit.client for hit in hits if hit}) == 3


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\x16\x03\x01",
        '192.0.2.1 - - [10/Oct/9999:13:55:36 +0000] "GET / HTTP/1.1" 200 1',
        '192.0.2.1 - - [10/Oct/0001:13:55:36 +0000] "GET / HTTP/1.1" 200 1',
        '192.0.2.1 - - [99/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 1',
        '192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" ok 1',
        '{"time": null, "status": 200}',
        '{"time": 1e999, "path": "/", "method": "GET", "status": 200}',
        '{"time": "soon", "path": "/", "method": "GET", "status": 200}',
        "[" * 10_000,
        "{" * 10_000,
    ],
)
def test_a_broken_line_is_none(line: str) -> None:
    assert [made()(line) for made in FORMATS.values()] == [None] * len(FORMATS)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80), st.sampled_from(sorted(LINES)), st.integers(0, 120))
def test_no_text_in_a_line_raises(noise: str, kind: str, place: int) -> None:
    line = LINES[kind][:place] + noise + LINES[kind][place:]
    for made in FORMATS.values():
        hit = made()(line)
        assert hit is None or isinstance(hit, Hit)
