"""Locustfiles that need a package of their own, against real servers: PostgreSQL, MQTT, Socket.IO.

The servers are Debian's (postgresql, mosquitto) and python-socketio's own; Debian has no MongoDB.
Each scenario names its package in requirements.txt, as a user's would.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import socketio  # type: ignore[import-untyped]

from tests.local.conftest import PROJECT
from tests.ports import free_port
from tests.servers import serving, simulator
from tests.waiting import await_

TIMEOUT_SECONDS, USERS = 180, 4
POSTGRES = """
from locust import constant, task
from locust.contrib.postgres import PostgresUser

class Reader(PostgresUser):
    conn_string = "host=127.0.0.1 port={port} user=postgres dbname=postgres"
    wait_time = constant(0.2)

    @task
    def read(self):
        self.client.execute_query("select count(*) from pg_class")
"""
MQTT = """
import time

from locust import constant, task
from locust.contrib.mqtt import MqttUser

class Sensor(MqttUser):
    host, port = "127.0.0.1", {port}
    wait_time = constant(0.2)

    def on_start(self):
        # It connects in the background.
        while not self.client.is_connected():
            time.sleep(0.1)
        self.client.subscribe("rooms")

    @task
    def report(self):
        self.client.publish("rooms", b"21.5")
"""
SOCKETIO = """
from locust import constant, task
from locust.contrib.socketio import SocketIOUser

class Talker(SocketIOUser):
    wait_time = constant(0.2)

    def on_start(self):
        self.sio.connect("{port}", transports=["polling"])

    @task
    def talk(self):
        assert self.sio.call("echo", "hello") == "hello"

    def on_stop(self):
        self.sio.disconnect()
"""
WEBSOCKET = """
import websocket
from locust import User, constant, task

class Caller(User):
    wait_time = constant(0.2)

    def on_start(self):
        self.socket = websocket.create_connection("{port}/echo", timeout=5)

    @task
    def call(self):
        with self.environment.events.request.measure("WS", "echo"):
            self.socket.send("hello")
            assert self.socket.recv() == "hello"
"""


def debian(*packages: str) -> None:
    subprocess.run(
        [str(PROJECT / "tests" / "install-packages"), *packages],
        check=True,
        timeout=TIMEOUT_SECONDS,
    )


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def postgres(directory: Path) -> Iterator[object]:
    """Serve a fresh PostgreSQL on loopback, as its own user, which must not be root."""
    debian("postgresql")
    (programs,) = Path("/usr/lib/postgresql").glob("*/bin")
    data, port = directory / "data", free_port()
    directory.chmod(0o755)
    data.mkdir()
    shutil.chown(data, "postgres")
    for parent in data.parents:
        if parent.owner() == "root" and str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    as_user = ["runuser", "-u", "postgres", "--"]
    init = [*as_user, str(programs / "initdb"), "-A", "trust", "-N", str(data)]
    subprocess.run(init, check=True, capture_output=True, timeout=60, cwd="/")
    own = ["-p", str(port), "-h", "127.0.0.1", "-k", str(data)]
    serve = [*as_user, str(programs / "postgres"), "-D", str(data), *own]
    with ended(subprocess.Popen(serve, stderr=subprocess.DEVNULL, cwd="/")):
        ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        await_(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL's start")
        yield port


@contextmanager
def mosquitto(directory: Path) -> Iterator[object]:
    debian("mosquitto")
    port = free_port()
    configuration = directory / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    command = ["/usr/sbin/mosquitto", "-c", str(configuration)]
    log = directory / "mosquitto.log"
    with log.open("wb") as errors, ended(subprocess.Popen(command, stderr=errors)):
        await_(lambda: " running" in log.read_text(), "mosquitto to run")
        yield port


@contextmanager
def socket_io(directory: Path) -> Iterator[object]:
    del directory
    server = socketio.AsyncServer(async_mode="asgi")

    async def echo(_: str, data: Any) -> Any:
        return data

    server.on("echo", echo)
    with serving(socketio.ASGIApp(server)) as url:
        yield url


@contextmanager
def web_socket(directory: Path) -> Iterator[object]:
    del directory
    with simulator("streams") as url:
        yield url.replace("http:", "ws:")


Serving = Callable[[Path], AbstractContextManager[object]]


@pytest.mark.timeout(TIMEOUT_SECONDS)
@pytest.mark.parametrize(
    ("server", "locustfile", "requirement", "row"),
    [
        (postgres, POSTGRES, "psycopg[binary]", "execute_query"),
        (mosquitto, MQTT, "paho-mqtt", "publish"),
        (socket_io, SOCKETIO, "", "echo"),
        (web_socket, WEBSOCKET, "websocket-client", "echo"),
    ],
    ids=["psycopg", "paho-mqtt", "socketio", "websocket-client"],
)
def test_a_driver_that_requirements_name_loads_a_real_server(
    tmp_path: Path, server: Serving, locustfile: str, requirement: str, row: str
) -> None:
    scenario = tmp_path / "scenario"
    scenario.mkdir()
    (scenario / "requirements.txt").write_text(requirement)
    own = tmp_path / "server"
    own.mkdir()
    with server(own) as port:
        path = scenario / "driver.py"
        path.write_text(locustfile.replace("{port}", str(port)))
        command = [sys.executable, "-m", "loadgen", "run", "-f", str(path), "--users", str(USERS)]
        command += ["--run-time", "4s", "--workers", "2", "--results", str(tmp_path / "results")]
        # Locust gives every user class the run's host, and a sensor has one of its own.
        command += [] if server is mosquitto else ["--host", "http://127.0.0.1"]
        command += ["--skip-target-check", "--web-port"]
        ports = (free_port(), free_port(), free_port())
        command += [str(ports[0]), "--master-bind-port", str(ports[1])]
        command += ["--exporter-port", str(ports[2])]
        said = subprocess.run(
            command,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            env=os.environ,
        )
    assert said.returncode == 0, said.stdout + said.stderr
    summary = json.loads((tmp_path / "results" / "latest" / "summary.json").read_text())
    assert summary["failures"] == 0
    assert summary["requests"] >= USERS
    rows = (tmp_path / "results" / "latest" / "stats.csv").read_text()
    assert row in rows, rows
    print(f"{requirement or 'the kit alone'}: {summary['requests']} requests, no failure")
