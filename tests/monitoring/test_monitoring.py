"""`make monitoring` as a process: comes up, says where, ends clean."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.monitoring.cluster import ROOT
from tests.ports import free_port

pytestmark = pytest.mark.usefixtures("prometheus_package")


def start(directory: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "loadgen", "monitoring", "--directory", str(directory)]
    ports = [
        f"--{name}-port={free_port()}"
        for name in ("prometheus", "grafana", "exporter", "archive", "node")
    ]
    return subprocess.Popen(
        [*command, *ports, "--results", str(directory), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def test_it_says_where_prometheus_is_and_leaves_nothing_running(tmp_path: Path) -> None:
    process = start(tmp_path)
    assert process.stdout is not None
    address = process.stdout.readline().split()[-1]
    port = int(address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10):
        pass
    while "Ctrl-C" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_in_use_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(tmp_path, "--prometheus-port", str(port))
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert stderr.startswith(f"loadgen: Prometheus can't listen on 127.0.0.1:{port}")
    assert len(stderr.splitlines()) == 1
