"""Start one simulated target: `python -m loadgen.simulators NAME --listen HOST:PORT`."""

import argparse
import importlib
import inspect
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import uvicorn

from loadgen.shared import command
from loadgen.shared.errors import UsageError
from loadgen.shared.processes import hold_lifeline
from loadgen.shared.text import in_url
from loadgen.simulators import NAMES
from loadgen.simulators.access_log import AccessLog

KEEP_ALIVE_SECONDS = 75
DEFAULT_LISTEN = "127.0.0.1:8000"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; wrong values end the process with one sentence and exit 2."""
    parser = argparse.ArgumentParser(
        prog="python -m loadgen.simulators",
        description="Serve a simulated target. GET /_state shows the requests that it has counted.",
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument(
        "--lifeline", type=int, help="end when the pipe on this file descriptor closes"
    )
    name = argparse.ArgumentParser(add_help=False)
    name.add_argument("name", nargs="?")
    chosen = name.parse_known_args(arguments)[0].name
    if chosen in NAMES:
        add_options(parser, chosen)
    return parser.parse_args(arguments)


def add_options(parser: argparse.ArgumentParser, name: str) -> None:
    """Add what a simulator can be told: where to listen, and its model's own options.

    The model's options are the keyword arguments of its `build`, named in `models`.
    """
    add = parser.add_argument
    add(
        "--listen",
        default=DEFAULT_LISTEN,
        type=_endpoint,
        help="the address and port to listen on (default: 127.0.0.1:8000)",
    )
    add("--tls-certificate", help="a PEM file with a certificate, to serve HTTPS")
    add("--tls-key", help="a PEM file with the key of the certificate")
    add(
        "--seed",
        type=int,
        default=42,
        help="the random seed for the data and the service times (default: 42)",
    )
    add(
        "--connections-max",
        type=int,
        help="answer 503 when more than this many connections are open",
    )
    add(
        "--access-log",
        type=Path,
        help="a file to which each request is written, in the combined log format",
    )
    build = _load(name).build
    models = _add_model_options(parser, build)
    parser.set_defaults(name=name, build=build, models=models, lifeline=None)


def _endpoint(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(
            f"{text} can't be used: give ADDRESS:PORT, with a port of at most 65535"
        )
    return address.strip("[]") or "127.0.0.1", int(port)


def _load(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"loadgen.simulators.{name}")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"simulator {name} needs the package {error.name}, which isn't installed here: "
            "make .venv/.target installs it"
        ) from error


def _add_model_options(parser: argparse.ArgumentParser, build: Callable[..., Any]) -> list[str]:
    """Add an option for each keyword argument; return the names of these arguments."""
    group = parser.add_argument_group("options of this simulator")
    parameters = inspect.signature(build).parameters.values()
    added = [one for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY]
    for parameter in added:
        flag, kind = f"--{parameter.name.replace('_', '-')}", parameter.annotation
        if kind is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, default=False)
            continue
        choices = get_args(kind) or None
        reader = str if choices else kind
        group.add_argument(
            flag,
            type=reader,
            choices=choices,
            default=parameter.default,
            help="default: %(default)s",
        )
    return [parameter.name for parameter in added]


class _Server(uvicorn.Server):
    """Says where it answers, as soon as it does."""

    def __init__(self, config: uvicorn.Config, name: str) -> None:
        super().__init__(config)
        self._name = name

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            scheme = "https" if self.config.is_ssl else "http"
            url = f"{scheme}://{in_url(self.config.host)}:{self.config.port}"
            said = f"{self._name} answers at {url}; its state is at {url}/_state. Ctrl-C ends it."
            print(said, flush=True)


def _listen(address: str, port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only where a socket names TCP as its protocol; with it,
    # an answer in two parts would wait 40 ms for the client's acknowledgement.
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address, port))
    except OSError as error:
        listening.close()
        raise UsageError(
            f"--listen {in_url(address)}:{port} can't be used: {os.strerror(error.errno or 0)}; "
            f"give another ADDRESS:PORT"
        ) from error
    return listening


def serve(options: argparse.Namespace) -> int:
    """Serve until interrupted. UsageError: a value that the simulator's model refuses."""
    model = {name: getattr(options, name) for name in options.models}
    app = options.build(options.seed, **model)
    if options.access_log:
        app = AccessLog(app, options.access_log.open("w", buffering=1))
    address, port = options.listen
    # uvicorn raises the signal that it received again; exiting instead also removes temporary
    # files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(
        app,
        host=address,
        port=port,
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        limit_concurrency=options.connections_max,
        ssl_certfile=options.tls_certificate,
        ssl_keyfile=options.tls_key,
    )
    server = _Server(config, options.name)
    with _listen(address, port) as listening:
        server.run(sockets=[listening])
    return 0 if server.started else 1


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; exit 2 when an option can't be used or packages are missing."""

    def carry_out() -> int:
        options = parse(arguments)
        if options.lifeline is not None:
            hold_lifeline(options.lifeline)
        return serve(options)

    return command.ending(carry_out, "simulator")


if __name__ == "__main__":
    sys.exit(main())
