"""A stranger on the fleet's network gets nothing: no port, no run, no locustfile, no web UI.

Neither does who has the fleet's former keys.
"""

import time
import urllib.error
from collections.abc import Iterator

import pytest

from tests.lab.fleet import (
    ADDRESSES,
    Loadgen,
    await_idle,
    lab,
    make,
    on_host,
    read_until,
)
from tests.lab.web import Browser
from tests.lab.worker_port import answers, key_pair, run_in

STRANGER, ITS_ADDRESS = "stranger", "10.77.0.99/24"
PROBE = """
import socket, sys
for port in sys.argv[2:]:
    try:
        socket.create_connection((sys.argv[1], int(port)), 2).close()
    except OSError:
        continue
    print(port)
"""
KIT_PORTS = {"5557", "8089", "9646", "9100", "8000"}
# What listens, loopback's own left out: nothing else can be open.
LISTENING = r"ss -tlnH | awk '{print $4}' | grep -vE '^(127\.|\[::1\])' | sed 's/.*://' | sort -u"
HOSTS = ("master1", "worker1", "worker2", "worker3")
CERTIFICATE = "sha256sum </etc/loadgen/tls/certificate.pem"
WEB_PATHS = ("/", "/stats/requests", "/stats/report", "/tasks", "/logs", "/stop", "/stats/reset")


@pytest.fixture
def stranger() -> Iterator[str]:
    lab("attach", STRANGER, ITS_ADDRESS)
    yield STRANGER
    lab("detach", STRANGER)


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("host", ["master1", "worker1", "worker3"])
def test_a_stranger_finds_no_port_open_but_ssh(stranger: str, host: str) -> None:
    ports = KIT_PORTS | set(on_host(host, LISTENING).split())
    assert "22" in ports
    assert run_in(stranger, PROBE, ADDRESSES[host], *sorted(ports)).split() == ["22"]


def test_one_whom_the_firewall_lets_through_neither_joins_nor_reads_nor_stops(
    loadgen: Loadgen,
) -> None:
    public, _ = key_pair("master1")
    running = loadgen.start("run", "--users", "6", "--run-time", "15s")
    read_until(running, "Loading http")
    # A worker host's address, but not its key: in the clear, then under a key of its own.
    assert answers("worker1") == 0
    assert answers("worker1", public) == 0
    rest, _ = running.communicate(timeout=100)
    assert running.returncode == 0, rest
    assert loadgen.summary["workers"] == {"expected": 6, "seen": 6, "lost": 0}
    log = (loadgen.directory / "hosts/master1/loadgen-master.log").read_text()
    assert "Refused a connection to the worker port from 10.77.0.21" in log
    assert "stranger (index" not in log


@pytest.mark.usefixtures("deployed")
def test_without_a_login_the_web_ui_shows_its_login_page_only() -> None:
    browser = Browser()
    for path in WEB_PATHS:
        assert ended_at(browser, path) == "/login"
    assert ended_at(browser, "/swarm", user_count=1, spawn_rate=1) == "/login"
    began = time.monotonic()
    assert browser.log_in("wrong") == "/login"
    assert time.monotonic() - began >= 1
    assert ended_at(browser, "/stats/requests") == "/login"


def ended_at(browser: Browser, path: str, **fields: object) -> str:
    """Return the page that a request ends at; a refusal counts as the login page."""
    try:
        return browser.ask(path, **fields)[0].partition("?")[0]
    except urllib.error.HTTPError as refusal:
        return "/login" if refusal.code in (401, 403, 405) else str(refusal)


def test_rotation_keeps_the_fleet_and_shuts_former_keys_out(loadgen: Loadgen) -> None:
    former = {name: key_pair(name) for name in HOSTS}
    certificate = on_host("master1", CERTIFICATE)
    assert answers("worker1", former["master1"][0], former["worker1"]) > 0
    make("rotate")

    present = {name: key_pair(name) for name in HOSTS}
    assert all(present[name] != former[name] for name in HOSTS)
    assert on_host("master1", CERTIFICATE) != certificate
    assert answers("worker1", present["master1"][0], former["worker1"]) == 0
    assert Browser().log_in() == "/"
    await_idle(loadgen)
    code, said = loadgen("run", "--users", "6", "--run-time", "4s")
    assert code == 0, said
    assert loadgen.summary["workers"] == {"expected": 6, "seen": 6, "lost": 0}
