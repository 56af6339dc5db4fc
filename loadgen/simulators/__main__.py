"""Start one simulated target: `python -m loadgen.simulators NAME --listen HOST:PORT`."""

import argparse
import importlib
import inspect
import signal
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, get_args

import uvicorn

from loadgen.shared.errors import UsageError
from loadgen.shared.processes import hold_lifeline

NAMES = ("alarm_receiver", "capacity", "django_site", "dspace", "hello", "teastore")
KEEP_ALIVE_SECONDS = 75


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; wrong values end the process with one sentence and exit 2.

    The options of the simulator named are the keyword arguments of its `build`; they come back as
    the mapping `model`.
    """
    parser = _parser()
    name = argparse.ArgumentParser(add_help=False)
    name.add_argument("name", nargs="?")
    simulator = _load(name.parse_known_args(arguments)[0].name)
    models = _add_model_options(parser, simulator.build) if simulator else []
    options = parser.parse_args(arguments)
    options.build = simulator.build if simulator else None
    options.model = {model: getattr(options, model) for model in models}
    address, _, port = options.listen.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        parser.error(f"--listen {options.listen} can't be used: give address:port")
    options.address, options.port = address.strip("[]") or "127.0.0.1", int(port)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadgen.simulators",
        description="Serve a simulated target. Its state stands at /_state.",
        epilog="example: python -m loadgen.simulators hello --listen 127.0.0.1:8000",
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--listen", default="127.0.0.1:8000", help="address:port")
    parser.add_argument("--tls-certificate", help="PEM file; serves https")
    parser.add_argument("--tls-key", help="PEM file")
    parser.add_argument("--seed", type=int, default=42, help="for data and service times")
    parser.add_argument(
        "--connections-max",
        type=int,
        help="answer 503 to whoever comes while so many connections are open: an overloaded server",
    )
    parser.add_argument("--lifeline", type=int, help="end when this descriptor's pipe closes")
    return parser


def _load(name: str | None) -> ModuleType | None:
    if name not in NAMES:
        return None
    try:
        return importlib.import_module(f"loadgen.simulators.{name}")
    except ModuleNotFoundError as error:
        print(
            f"simulator {name} needs the package {error.name}: run "
            f"`make simulator NAME={name}`, which installs it",
            file=sys.stderr,
        )
        sys.exit(2)


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
            flag, type=reader, choices=choices, default=parameter.default, help="%(default)s"
        )
    return [parameter.name for parameter in added]


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; exit 2 when an option can't be used or packages are missing."""
    options = parse(arguments)
    if options.lifeline is not None:
        hold_lifeline(options.lifeline)
    try:
        app = options.build(options.seed, **options.model)
    except UsageError as error:
        print(f"simulator {options.name}: {error}", file=sys.stderr)
        return error.exit_code
    # uvicorn ends with the signal that it was sent: an exit, so that temporary files go too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        app,
        host=options.address,
        port=options.port,
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        limit_concurrency=options.connections_max,
        ssl_certfile=options.tls_certificate,
        ssl_keyfile=options.tls_key,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
