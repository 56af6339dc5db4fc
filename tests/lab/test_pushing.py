"""Scenarios on their way to a fleet: several files, others, a full disk, an end meanwhile."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.lab.fleet import Loadgen, lab, on_host, read_until

ONE = """
from locust import HttpUser, constant, task


class {name}(HttpUser):
    wait_time = constant(0.5)

    @task
    def hello(self):
        self.client.get("/hello", name="{name}")
"""
LARGE_BYTES = 80 << 20
# More than a host has free, in a file that no compression makes smaller.
FILL = """
mkdir -p /opt/loadgen/scenarios
mount -t tmpfs -o size=70m tmpfs /opt/loadgen/scenarios
chmod 750 /opt/loadgen/scenarios && chgrp loadgen /opt/loadgen/scenarios
"""
EMPTY = "umount /opt/loadgen/scenarios"


def scenario(directory: Path, *names: str) -> Path:
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / f"{name.lower()}.py").write_text(ONE.replace("{name}", name))
    return directory


def brief(loadgen: Loadgen, *options: str) -> str:
    code, output = loadgen("run", "--users", "6", "--run-time", "2s", *options)
    assert code == 0, output
    return (loadgen.directory / "stats.csv").read_text()


def test_a_directory_of_locustfiles_runs_on_every_host(loadgen: Loadgen, tmp_path: Path) -> None:
    shop = scenario(tmp_path / "shop", "Buyer", "Browser")
    (shop / "_common.py").write_text("raise SystemExit('no locustfile')\n")
    stats = brief(loadgen, "-f", str(shop))
    assert ("Buyer" in stats, "Browser" in stats) == (True, True), stats


def test_scenarios_after_one_another_are_each_the_one_that_was_given(
    loadgen: Loadgen, tmp_path: Path
) -> None:
    first, second = scenario(tmp_path / "a", "First"), scenario(tmp_path / "b", "Second")
    hashes = []
    for path, own, other in ((first, "First", "Second"), (second, "Second", "First")) * 2:
        stats = brief(loadgen, "-f", str(path / f"{own.lower()}.py"))
        assert (own in stats, other in stats) == (True, False), stats
        hashes.append(loadgen.summary["origin"]["scenario_sha256"])
    assert hashes[:2] == hashes[2:]
    assert hashes[0] != hashes[1]


@pytest.fixture
def large(tmp_path: Path) -> Path:
    directory = scenario(tmp_path / "large", "Buyer")
    (directory / "data.bin").write_bytes(os.urandom(LARGE_BYTES))
    return directory / "buyer.py"


def test_a_host_without_room_is_named_and_nothing_is_started(loadgen: Loadgen, large: Path) -> None:
    on_host("worker1", FILL)
    try:
        code, output = loadgen("run", "-f", str(large), "--run-time", "2s")
    finally:
        on_host("worker1", EMPTY)
    assert code == 4, output
    assert re.search(
        r"worker1: /opt/loadgen/scenarios has \d+ MiB free, but \d+ MiB are needed", output
    )
    assert "nothing was started" in output
    assert "worker2:" not in output
    for host in ("worker1", "worker2"):
        assert not on_host(host, "find /opt/loadgen/scenarios -name '.taking-*'").strip()


def test_ctrl_c_while_a_scenario_is_sent_ends_at_once_and_leaves_nothing(
    loadgen: Loadgen, large: Path
) -> None:
    lab("slow", "worker1", "20mbit")
    try:
        running = loadgen.start("run", "-f", str(large), "--run-time", "2s")
        read_until(running, "Waiting for the scenario to be copied")
        running.send_signal(signal.SIGINT)
        output, _ = running.communicate(timeout=60)
    finally:
        lab("join", "worker1")
    assert running.returncode == 130, output
    assert "Traceback" not in output
    left = on_host(
        "worker1",
        "find /opt/loadgen/scenarios -name '.taking-*'; cat /run/loadgen/run.json 2>&1 || true",
    )
    assert ".taking" not in left, left
    assert "No such file" in left, left
    brief(loadgen)
