"""A run brings its scenario to a deployed fleet: edits, packages and rows, with their figures."""

import itertools
import json
import re
import statistics
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from tests.lab.fleet import Loadgen, await_idle, make, on_host

LOCUSTFILE = """
from locust import HttpUser, constant, task

from common import PATH


class Visitor(HttpUser):
    wait_time = constant(0.5)

    @task
    def hello(self):
        self.client.get(PATH)
"""
ROWS = 10_000
NOISE_SECONDS = 2.0
"""By so much two starts of one scenario differ where hosts share a machine."""
CONTROLLER = "10.77.0.1"
ORDERS = """
from locust import constant, task

from loadgen.scenario import FastUser, Rows

orders = Rows("orders.csv", hand_out="once", at_end="stop_test")


class Buyer(FastUser):
    wait_time = constant(0)

    @task
    def order(self):
        self.client.get("/hello?order=" + orders.next(self)["id"], name="/hello")
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    directory = tmp_path / "shop"
    directory.mkdir()
    (directory / "common.py").write_text('PATH = "/hello"\n')
    (directory / ".env").write_text("TOKEN=secret-1414\n")
    path = directory / "locustfile.py"
    path.write_text(LOCUSTFILE)
    return path


def first_load(loadgen: Loadgen, locustfile: Path, *options: str) -> float:
    """Run briefly; return the seconds from the command to the first load."""
    began = time.time()
    code, output = loadgen(
        "run", "-f", str(locustfile), "--users", "6", "--run-time", "2s", *options
    )
    assert code == 0, output
    started = loadgen.summary["started_at"]
    moment = time.mktime(time.strptime(started[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    return moment - began


def test_an_edit_is_under_load_without_a_deploy_and_secrets_stay(
    loadgen: Loadgen, shop: Path
) -> None:
    before = first_load(loadgen, shop)
    first = loadgen.summary
    again = first_load(loadgen, shop)
    assert loadgen.summary["origin"]["scenario_sha256"] == first["origin"]["scenario_sha256"]
    shop.write_text(LOCUSTFILE + "# edited\n")
    edited = first_load(loadgen, shop)
    second = loadgen.summary
    assert second["origin"]["scenario_sha256"] != first["origin"]["scenario_sha256"]
    assert second["release_sha256"] == first["release_sha256"]
    on_host("worker1", "! grep -rqs secret-1414 /var/lib/loadgen /run/loadgen /opt/loadgen")
    listed = on_host("worker1", "find /opt/loadgen/scenarios -perm /o+rwx")
    assert listed.strip() == ""
    print(f"first load after {before:.1f} s, again {again:.1f} s, after an edit {edited:.1f} s")


def test_deploy_and_rotate_between_runs_change_nothing_of_the_time_from_an_edit_to_load(
    loadgen: Loadgen, shop: Path
) -> None:
    edits = itertools.count()

    def edited() -> float:
        shop.write_text(f"{LOCUSTFILE}# edit {next(edits)}\n")
        return first_load(loadgen, shop)

    edited()
    before = statistics.median(edited() for _ in range(3))
    release = loadgen.summary["release_sha256"]
    after = {}
    for verb in ("deploy", "rotate"):
        make(verb)
        await_idle(loadgen)
        after[verb] = edited()
    print(f"an edit is under load after {before:.1f} s, after {after} s")
    assert loadgen.summary["release_sha256"] == release
    assert max(after.values()) - before <= NOISE_SECONDS


def test_packages_reach_hosts_without_a_way_out_and_cost_nothing_again(
    loadgen: Loadgen, shop: Path
) -> None:
    plain = first_load(loadgen, shop)
    shop.with_name("requirements.txt").write_text("faker\ngrpcio\n")
    shop.write_text("import faker\nimport grpc\n" + LOCUSTFILE)
    first = first_load(loadgen, shop)
    again = first_load(loadgen, shop)
    print(f"first load after {plain:.1f} s, with packages {first:.1f} s, again {again:.1f} s")


def test_what_hosts_lack_is_said_before_anything_is_sent(loadgen: Loadgen, shop: Path) -> None:
    shop.write_text("import no_such_module\n" + LOCUSTFILE)
    code, output = loadgen("run", "-f", str(shop))
    assert code == 2
    assert re.search(r"imports no_such_module, .*requirements\.txt", output), output
    shop.write_text("import os\nos.environ['SHOP_TOKEN']\n" + LOCUSTFILE)
    code, output = loadgen("run", "-f", str(shop))
    assert (code, "give --env SHOP_TOKEN" in output) == (2, True), output


class Record(BaseHTTPRequestHandler):
    """Answers each order and notes its number."""

    protocol_version = "HTTP/1.1"
    orders: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        number = self.path.partition("order=")[2]
        if number:
            self.orders[number] += 1
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_each_row_is_used_once_over_all_workers_by_the_targets_own_record(
    loadgen: Loadgen, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_text("id\n" + "".join(f"{n}\n" for n in range(ROWS)))
    path = tmp_path / "buyers.py"
    path.write_text(ORDERS)
    with ThreadingHTTPServer((CONTROLLER, 0), Record) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"http://{CONTROLLER}:{server.server_port}"
        options = ("--users", "24", "--run-time", "120s", "--workers", "4")
        _, output = loadgen("run", "-f", str(path), "--host", host, *options)
        server.shutdown()
    used = Counter(Record.orders.values())
    print(f"{len(Record.orders)} of {ROWS} rows over 4 workers; used so often: {dict(used)}")
    assert (len(Record.orders), dict(used)) == (ROWS, {1: ROWS}), output


def test_the_web_ui_offers_what_was_run_last(loadgen: Loadgen, shop: Path) -> None:
    first_load(loadgen, shop)
    idle = on_host("master1", "cat /run/loadgen/idle.json")
    assert json.loads(idle)["locustfiles"] == ["locustfile.py"]
    journal = on_host("master1", "systemctl is-active loadgen-master")
    assert journal.strip() == "active"
