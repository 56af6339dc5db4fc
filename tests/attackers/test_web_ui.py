"""Strangers and other sites at a fleet's web UI: nothing is shown, started or stopped."""

import concurrent.futures
import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from werkzeug.security import generate_password_hash

from loadgen.node import channel
from loadgen.node.settings import NodeSettings, WebSettings
from tests.attackers.peers import connections
from tests.faults.record import Outcome
from tests.ports import free_ports
from tests.waiting import await_

PART = "Attackers: the web UI"
PROJECT = Path(__file__).resolve().parents[2]
PASSWORD = secrets.token_urlsafe(12)
GET_PATHS = """/ /stats/report /stats/requests /stats/requests/csv /stats/failures/csv /exceptions
/stats/requests_full_history/csv /exceptions/csv /tasks /logs /worker-count /stats/report?download=1
/nowhere /static/x //stats/requests /login/../stats/requests /%2e%2e/logs /assets/../logs
/login/..;/logs /LOGS /logs/ /logs%00 /.git/config""".split()  # noqa: SIM905  easier to read
POST_PATHS = ("/swarm", "/stop", "/stats/reset", "/user", "/", "/login", "/nowhere")
CLIMBS = ("../" * 8, "..%2f" * 8, "%2e%2e/" * 8, "..%5c" * 8, "/", "..\\" * 8, "....//" * 8)


class Master:
    """A fleet's idle master with a login, on loopback and without TLS."""

    def __init__(self, directory: Path) -> None:
        web, worker = free_ports(2)
        self.url, self.port = f"http://127.0.0.1:{web}", web
        channel.create_key_pair(directory, channel.MASTER)
        (directory / channel.ADMITTED_DIRECTORY).mkdir()
        login = directory / "login.json"
        users = {"operator": generate_password_hash(PASSWORD, "scrypt:1024:8:1")}
        login.write_text(json.dumps({"users": users, "secret_key": secrets.token_hex(16)}))
        node = NodeSettings(
            name="master1",
            release_directory=PROJECT,
            keys_directory=directory,
            state_directory=directory,
            master_port=worker,
            web=WebSettings(port=web, login_file=login),
        )
        (directory / "node.json").write_text(node.model_dump_json())
        self.log = directory / "master.log"
        command = [sys.executable, "-m", "loadgen.node", "master", "--settings"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, str(directory / "node.json")],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(os.environ),
            )

    def answers(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/login", timeout=5).status_code == 200
        return False

    def logged_in(self) -> requests.Session:
        browser = requests.Session()
        form = {"username": "operator", "password": PASSWORD}
        answer = browser.post(f"{self.url}/login_submit", data=form, timeout=30)
        assert answer.url.endswith("/"), answer.url
        return browser

    def raw(self, path: str, method: str = "GET") -> bytes:
        """Ask for a path as it is; clients would tidy it up."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as peer:
            words = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            peer.sendall(f"{words}Connection: close\r\nContent-Length: 0\r\n\r\n".encode())
            while chunk := peer.recv(1 << 16):
                answer += chunk
        return answer


@pytest.fixture
def master(outcome: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    assert outcome
    master = Master(tmp_path_factory.mktemp("m"))
    try:
        await_(master.answers, "the web UI")
        yield master
    except BaseException:
        print(master.log.read_text())
        raise
    finally:
        master.process.kill()
        master.process.wait()


def status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1.[01] (\d+)", answer)
    return int(found.group(1)) if found else 0


def leads_to_login(answer: bytes) -> bool:
    location = re.search(rb"(?i)\r\nlocation: (\S+)", answer)
    if status(answer) in (302, 308) and location:
        return location.group(1) == b"/login" or location.group(1).endswith(b"/logs")
    return status(answer) in (400, 403, 404, 405)


@pytest.mark.fault(
    PART,
    "A client requests each page, download and action without a login or with a forged cookie.",
)
def test_without_a_login_nothing_is_shown_or_done(master: Master, outcome: Outcome) -> None:
    for path in GET_PATHS:
        assert leads_to_login(master.raw(path)), path
    for path in POST_PATHS:
        assert leads_to_login(master.raw(path, "POST")), path
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "NONSENSE"):
        assert leads_to_login(master.raw("/logs", method)) or status(
            master.raw("/logs", method)
        ) in (200, 501), method
    forged = {"session": "eyJfdXNlcl9pZCI6Im9wZXJhdG9yIn0.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb"}
    answer = requests.get(f"{master.url}/logs", cookies=forged, timeout=10, allow_redirects=False)
    assert answer.status_code == 302
    for climb in CLIMBS:
        for name in ("etc/passwd", "pyproject.toml", "login.json"):
            shown = master.raw(f"/assets/{climb}{name}")
            assert b"root:" not in shown
            assert b"scrypt" not in shown
            assert status(shown) != 200, climb
    browser = master.logged_in()
    assert browser.get(f"{master.url}/logs", timeout=10).status_code == 200
    tried = len(GET_PATHS) + len(POST_PATHS)
    outcome(
        f"{tried} paths redirect to the login; {3 * len(CLIMBS)} paths with `../` return nothing."
    )


@pytest.mark.fault(
    PART, "A page of another site sends POST requests with the operator's session (CSRF)."
)
def test_another_sites_requests_are_refused(master: Master, outcome: Outcome) -> None:
    browser = master.logged_in()
    foreign = ("http://evil.example", "null", "http://127.0.0.1:1", master.url.upper() + ".x", "")
    for path in (*POST_PATHS, "/login_submit"):
        for origin in foreign:
            headers = {"Origin": origin}
            answer = browser.post(f"{master.url}{path}", headers=headers, data={"a": 1}, timeout=10)
            assert answer.status_code == 403, (path, origin, answer.status_code)
            assert "Access-Control-Allow-Origin" not in answer.headers
    rebound = browser.get(f"{master.url}/logs", headers={"Host": "evil.example"}, timeout=10)
    assert rebound.status_code == 403
    answer = browser.get(f"{master.url}/logs", headers={"Origin": master.url}, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["X-Frame-Options"] == "DENY"
    cookie = master.raw("/login")
    assert b"Access-Control-Allow-Origin" not in cookie
    outcome(
        f"Each of {(len(POST_PATHS) + 1) * len(foreign)} requests gets status 403; requests "
        "from the web UI's own page are accepted."
    )


@pytest.mark.fault(
    PART, "A client sends 16 wrong passwords at once, and requests the login page at the same time."
)
def test_passwords_cannot_be_tried_fast(master: Master, outcome: Outcome) -> None:
    def attempt(number: int) -> str:
        form = {"username": "operator" if number % 2 else "nobody", "password": f"guess{number}"}
        return requests.post(f"{master.url}/login_submit", data=form, timeout=60).url

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        attempts = [pool.submit(attempt, number) for number in range(16)]
        asked = time.monotonic()
        assert master.answers()
        waited = time.monotonic() - asked
        assert all(one.result().endswith("/login") for one in attempts)
    taken = time.monotonic() - began
    assert taken >= 16
    assert waited < 5
    master.logged_in()
    outcome(f"The 16 passwords take {taken:.0f} s; the login page answers within {waited:.1f} s.")


@pytest.mark.fault(
    PART, "1,000 connections send half a request, and one connection sends a body of 100 MB."
)
def test_half_requests_keep_nobody_out(master: Master, outcome: Outcome) -> None:
    with connections(master.port, 1000, b"GET /login HTTP/1.1\r\nHost: x\r\n"):
        began = time.monotonic()
        assert master.answers()
        waited = time.monotonic() - began
        browser = master.logged_in()
        assert browser.get(f"{master.url}/logs", timeout=10).status_code == 200
    with contextlib.suppress(requests.RequestException):
        body = {"username": "x" * 100_000_000}
        answer = requests.post(f"{master.url}/login_submit", data=body, timeout=60)
        assert answer.status_code != 200 or answer.url.endswith("/login")
    assert master.answers()
    assert master.process.poll() is None
    outcome(f"The login page still answers within {waited:.1f} s; the master keeps running.")
