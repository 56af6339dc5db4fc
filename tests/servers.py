"""Real servers for tests: an ASGI application in a thread, or a simulator in its own process."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from tests.ports import free_port

ROOT = Path(__file__).parent.parent
START_TIMEOUT_SECONDS = 100.0


@contextmanager
def serving(
    app: ASGIApp, certificate: Path | None = None, key: Path | None = None
) -> Iterator[str]:
    """Serve `app` from a thread until the block ends; yields its base URL, without a slash."""
    listener = _listen()
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        http="httptools",
        ws="none",
        lifespan="auto",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        _await_start(server, thread)
        scheme = "https" if certificate else "http"
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(START_TIMEOUT_SECONDS)
        listener.close()
        assert not thread.is_alive(), "the server's thread did not end"


@contextmanager
def webhook(status: Callable[[str], int] = lambda _path: 200) -> Iterator[tuple[str, list[Any]]]:
    """Take what is posted as JSON; yields the base URL, without a slash, and what has come.

    `status` is what a path is answered with.
    """
    heard: list[Any] = []

    class Chat(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status(self.path))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Chat) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", heard
        finally:
            server.shutdown()
            thread.join()


def _listen() -> socket.socket:
    # asyncio turns Nagle's algorithm off only on sockets that name TCP as their protocol; with it,
    # a response in two parts waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not server.started:
        assert thread.is_alive(), "the server ended before it listened"
        assert time.monotonic() < deadline, "the server did not listen in time"
        time.sleep(0.01)


@contextmanager
def simulator(
    name: str,
    tls: tuple[Path, Path] | None = None,
    options: Sequence[str] = (),
    address: str = "127.0.0.1",
) -> Iterator[str]:
    """Run `python -m loadgen.simulators NAME` on a free port; yields its base URL, without a slash.

    `tls` is a certificate and its key, as PEM files: the simulator then serves HTTPS.
    """
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "loadgen.simulators",
        name,
        "--listen",
        f"{address}:{port}",
        *options,
    ]
    if tls:
        command += ["--tls-certificate", str(tls[0]), "--tls-key", str(tls[1])]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        _await_port(process, address, port)
        yield f"{'https' if tls else 'http'}://{address}:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=START_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


def _await_port(process: subprocess.Popen[bytes], address: str, port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            output = process.communicate()[0].decode()
            raise AssertionError(f"the simulator ended with {process.returncode}:\n{output}")
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the simulator did not listen in time")
