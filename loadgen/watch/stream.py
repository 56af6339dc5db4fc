"""Reads an exporter; as a program, writes a scrape a second for a watch on another machine.

    python -m loadgen.watch.stream --url https://[::1]:9646/metrics --ca F --certificate F --key F

The master runs it over SSH, with a node's packages only: its exporter answers the monitoring hosts
alone.
"""

import argparse
import http.client
import os
import ssl
import sys
import threading
import time

from loadgen.fleet.agent_files import SCRAPE_BYTES_MAX
from loadgen.shared import command
from loadgen.shared.errors import UsageError
from loadgen.shared.interruption import Interruption
from loadgen.shared.loopback import open_directly
from loadgen.watch.endpoints import add_exporter_options
from loadgen.watch.scrape import END

TIMEOUT_SECONDS = 5.0
INTERVAL_SECONDS = 1.0


def tls_context(given: argparse.Namespace) -> ssl.SSLContext | None:
    """Return the TLS settings for `given.url`, None for http. UsageError: a file of no use."""
    if not given.url.startswith("https:"):
        return None
    try:
        context = ssl.create_default_context(cafile=given.ca)
        if given.certificate:
            context.load_cert_chain(given.certificate, given.key)
    except OSError as error:
        raise UsageError(
            f"--ca, --certificate or --key can't be used: {error}. Give PEM files, "
            f"and a key that belongs to the certificate."
        ) from error
    return context


def fetch(url: str, context: ssl.SSLContext | None) -> bytes:
    """Return one exposition, its histogram merged. Raises OSError, ValueError, HTTPException."""
    where = f"{url}{'&' if '?' in url else '?'}histogram=merged"
    with open_directly(where, TIMEOUT_SECONDS, context) as answer:
        content = answer.read(SCRAPE_BYTES_MAX + 1)
    if len(content) > SCRAPE_BYTES_MAX:
        raise ValueError(f"its answer has more than {SCRAPE_BYTES_MAX >> 20} MiB")
    return content


def pause(seconds: float, interruption: Interruption) -> None:
    """Wait until a whole number of `seconds` of the clock, or until the user interrupts.

    So polls keep their pace, however long each takes.
    """
    # It sleeps in short steps, because a signal handler that raises nothing doesn't end a sleep.
    now = time.monotonic()
    deadline = (now // seconds + 1) * seconds
    while time.monotonic() < deadline and not interruption.requested:
        threading.Event().wait(0.05)


def stream(url: str, context: ssl.SSLContext | None, interruption: Interruption) -> None:
    """Write a scrape a second, each closed by `END`, until nobody reads; empty is a fault."""
    while not interruption.requested:
        try:
            content = fetch(url, context)
        except (OSError, ValueError, http.client.HTTPException):
            content = b""
        try:
            sys.stdout.buffer.write(content + END)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # Python writes what is left in the buffer when it ends, and that would fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        pause(INTERVAL_SECONDS, interruption)


def main() -> int:
    """Stream until nobody reads; a wrong option is one sentence."""
    parser = argparse.ArgumentParser(prog="python -m loadgen.watch.stream")
    add_exporter_options(parser)
    given = parser.parse_args()
    interruption = Interruption()
    with interruption.listen():
        return command.ending(lambda: stream(given.url, tls_context(given), interruption), "stream")


if __name__ == "__main__":
    sys.exit(main())
