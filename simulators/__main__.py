"""Start one simulated target: `python -m simulators NAME --listen HOST:PORT`."""

import argparse
import importlib
import sys

import uvicorn

from operations.lifeline import hold_lifeline

NAMES = ("alarm_receiver", "django_site", "dspace", "hello", "teastore")
KEEP_ALIVE_SECONDS = 75


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; wrong values end the process with one sentence and exit 2."""
    parser = argparse.ArgumentParser(
        prog="python -m simulators",
        description="Serve a simulated target. Its state stands at /_state.",
        epilog="example: python -m simulators hello --listen 127.0.0.1:8000",
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--listen", default="127.0.0.1:8000", help="address:port")
    parser.add_argument("--tls-certificate", help="PEM file; serves https")
    parser.add_argument("--tls-key", help="PEM file")
    parser.add_argument("--seed", type=int, default=42, help="for data and service times")
    parser.add_argument("--lifeline", type=int, help="end when this descriptor's pipe closes")
    options = parser.parse_args(arguments)
    address, _, port = options.listen.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        parser.error(f"--listen {options.listen} can't be used: give address:port")
    options.address, options.port = address.strip("[]") or "127.0.0.1", int(port)
    return options


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; exit 2 when a simulator's packages are missing."""
    options = parse(arguments)
    if options.lifeline is not None:
        hold_lifeline(options.lifeline)
    try:
        simulator = importlib.import_module(f"simulators.{options.name}")
    except ModuleNotFoundError as error:
        print(
            f"simulator {options.name} needs the package {error.name}: run "
            f"`make simulator NAME={options.name}`, which installs it",
            file=sys.stderr,
        )
        return 2
    uvicorn.run(
        simulator.build(options.seed),
        host=options.address,
        port=options.port,
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ssl_certfile=options.tls_certificate,
        ssl_keyfile=options.tls_key,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
