"""The targets of a benchmark: nginx with fixed answers, and the server with known delays."""

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.certificates import make_certificate

_NGINX = """
daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log;
worker_rlimit_nofile 16384;
events {{ worker_connections 12288; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {directory}/1; proxy_temp_path {directory}/2;
  fastcgi_temp_path {directory}/3; uwsgi_temp_path {directory}/4; scgi_temp_path {directory}/5;
  ssl_certificate {directory}/cert.pem; ssl_certificate_key {directory}/key.pem;
  server {{
    listen 127.0.0.1:{http} backlog=4096; listen 127.0.0.1:{https} ssl backlog=4096;
    root {directory}; default_type text/plain;
    location = /small {{ return 200 "{small}"; }}
    location = /10kb {{ }}
  }}
}}
"""


@dataclass(frozen=True)
class Urls:
    """Base URLs of the fixed answers."""

    http: str
    https: str


@dataclass
class Truth:
    """Delays as the server really made them, in milliseconds; known when it has ended."""

    url: str
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    min_ms: float = 0.0


def free_port() -> int:
    """Return a port that nothing listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether something listens on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def await_listener(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when something listens on `port`; RuntimeError if the process ends first."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        if listens(port):
            return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not listen on port {port}")


def pinned(core: int, *command: str) -> list[str]:
    """Return a command that runs on one core."""
    return ["taskset", "--cpu-list", str(core), *command]


@contextmanager
def nginx(core: int) -> Iterator[Urls]:
    """Serve 36 bytes at /small and 10 kB at /10kb, over HTTP and HTTPS."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        make_certificate(directory)
        (directory / "10kb").write_bytes(b"x" * 10_000)
        http, https = free_port(), free_port()
        text = _NGINX.format(directory=name, http=http, https=https, small="x" * 36)
        (directory / "nginx.conf").write_text(text)
        command = pinned(core, "nginx", "-p", name, "-c", f"{name}/nginx.conf")
        with _running(command) as process:
            await_listener(https, process)
            yield Urls(f"http://127.0.0.1:{http}", f"https://127.0.0.1:{https}")


@contextmanager
def delayed(core: int) -> Iterator[Truth]:
    """Serve with known delays."""
    with tempfile.TemporaryDirectory() as name:
        port, file = free_port(), Path(name) / "truth.json"
        script = str(Path(__file__).with_name("delay_server.py"))
        truth = Truth(f"http://127.0.0.1:{port}")
        command = pinned(core, sys.executable, script, str(port), str(file))
        with _running(command) as process:
            await_listener(port, process)
            yield truth
        delays = json.loads(file.read_text())
        truth.min_ms = delays[0] * 1000
        truth.p50_ms = delays[len(delays) // 2] * 1000
        truth.p99_ms = delays[int(len(delays) * 0.99)] * 1000


@contextmanager
def _running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
