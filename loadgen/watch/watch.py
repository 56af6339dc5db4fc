"""`make watch`: the running test, live. Grafana's address where one answers, else this terminal.

    python -m loadgen.watch.watch [--url http://127.0.0.1:9646/metrics] [--terminal] [--svg FILE]
    python -m loadgen.watch.watch --inventory inventory/mine

It reads the exporter every second and starts no load. An exporter on a fleet answers its monitoring
hosts alone, which show a client certificate (--ca, --certificate, --key): with --inventory the
master reads it, over SSH.
"""

import argparse
import http.client
import ssl
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.live import Live

from loadgen.shared.errors import LoadgenError, UsageError
from loadgen.shared.interruption import Interruption
from loadgen.shared.text import plain_line
from loadgen.watch.scrape import END, Scrape, read
from loadgen.watch.view import History, render

DEFAULT_URL = "http://127.0.0.1:9646/metrics"
DEFAULT_GRAFANA = "http://127.0.0.1:3000"
TIMEOUT_SECONDS = 5.0
INTERVAL_SECONDS = 1.0
PLAIN_INTERVAL_SECONDS = 5.0
PICTURE_COLUMNS = 100

Reader = Callable[[], Scrape]


def reader(url: str, context: ssl.SSLContext | None) -> Reader:
    """Return a function that scrapes; it raises OSError or ValueError when that fails."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"--url {url} is no web address: give one like {DEFAULT_URL}.")
    return lambda: read(_scrape(url, context).decode(), time.time())


def _scrape(url: str, context: ssl.SSLContext | None) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310
        content: bytes = answer.read()
        return content


def stream(url: str, context: ssl.SSLContext | None, interruption: Interruption) -> None:
    """Write a scrape a second, each closed by `END`, until nobody reads; empty is a fault."""
    while not interruption.requested:
        try:
            content = _scrape(url, context)
        except (OSError, ValueError, http.client.HTTPException):
            content = b""
        try:
            sys.stdout.buffer.write(content + END)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            return
        _pause(INTERVAL_SECONDS, interruption)


def grafana_address(grafana: str, scrape: Scrape) -> str:
    """Return the address of the dashboard *Run* on this run's time."""
    start = scrape.gauges.get("locust_test_start_timestamp_seconds", time.time() - 900)
    ended = scrape.gauges.get("locust_test_end_timestamp_seconds")
    query = {
        "var-run": scrape.run.get("run_id", ""),
        "from": str(int(start * 1000)),
        "to": str(int(ended * 1000)) if ended else "now",
    }
    return f"{grafana.rstrip('/')}/d/loadgen-run?{urllib.parse.urlencode(query)}"


def grafana_answers(grafana: str) -> bool:
    """Tell whether a Grafana is there."""
    try:
        with urllib.request.urlopen(f"{grafana.rstrip('/')}/api/health", timeout=2.0) as answer:  # noqa: S310
            return b"database" in answer.read(10_000)
    except (OSError, ValueError, http.client.HTTPException):
        return False


def follow(scrape: Reader, interruption: Interruption, url: str) -> None:
    """Show scrapes in this terminal, or as plain lines elsewhere, until Ctrl-C."""
    console = Console()
    history = History()
    if not console.is_terminal:
        _print_lines(scrape, interruption, url)
        return
    with Live(f"Waiting for {url} …", console=console, screen=True, auto_refresh=False) as live:
        while not interruption.requested:
            try:
                history.add(scrape())
            except (OSError, ValueError, http.client.HTTPException):
                live.update(f"Waiting for {url} … Start a run, for example make run-distributed.")
            else:
                live.update(render(history))
            live.refresh()
            _pause(INTERVAL_SECONDS, interruption)


def _print_lines(scrape: Reader, interruption: Interruption, url: str) -> None:
    history = History()
    said = ""
    while not interruption.requested:
        try:
            history.add(scrape())
            line = _line(history)
        except (OSError, ValueError, http.client.HTTPException):
            line = f"waiting for {url}"
        if line != said:
            print(line, flush=True)
        said = line
        _pause(PLAIN_INTERVAL_SECONDS, interruption)


def _line(history: History) -> str:
    scrape = history.last
    return plain_line(
        f"{scrape.run.get('run_id', '')} {scrape.state or 'no master'}"
        f"  {scrape.gauges.get('locust_users', 0):.0f} users"
        f"  {history.rate(None):,.1f} requests/s"
        f"  {history.rate(None, failures=True):,.1f} failures/s"
        f"  {scrape.gauges.get('locust_test_requests', 0):,.0f} requests"
    )


def _pause(seconds: float, interruption: Interruption) -> None:
    # In short steps: a signal handler that raises nothing doesn't end a sleep.
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not interruption.requested:
        threading.Event().wait(0.05)


def picture(scrape: Reader, seconds: float, file: Path, interruption: Interruption) -> None:
    """Follow a run for some seconds, then keep its last view as an SVG."""
    history = History()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not interruption.requested:
        history.add(scrape())
        _pause(INTERVAL_SECONDS, interruption)
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=PICTURE_COLUMNS, file=nowhere, force_terminal=True)
        console.print(render(history))
    console.save_svg(str(file), title="make watch")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make watch", description=__doc__.split("\n")[0])
    parser.add_argument("--url", default=DEFAULT_URL, help=f"the exporter ({DEFAULT_URL})")
    parser.add_argument("--inventory", type=Path, help="the fleet to watch, over SSH")
    parser.add_argument(
        "--stream", action="store_true", help="write scrapes, for a watch on another machine"
    )
    parser.add_argument("--ca", type=Path, help="CA of the exporter's certificate (PEM)")
    parser.add_argument("--certificate", type=Path, help="client certificate (PEM)")
    parser.add_argument("--key", type=Path, help="its key (PEM)")
    parser.add_argument("--grafana", default=DEFAULT_GRAFANA, help=f"Grafana ({DEFAULT_GRAFANA})")
    parser.add_argument("--terminal", action="store_true", help="don't look for Grafana")
    parser.add_argument("--svg", type=Path, help="follow for --seconds, then write a picture")
    parser.add_argument("--seconds", type=float, default=20.0)
    return parser.parse_args()


def _context(given: argparse.Namespace) -> ssl.SSLContext | None:
    if not given.url.startswith("https:"):
        return None
    try:
        context = ssl.create_default_context(cafile=given.ca)
        if given.certificate:
            context.load_cert_chain(given.certificate, given.key)
    except OSError as error:
        raise UsageError(
            f"--ca, --certificate or --key can't be used: {error}. Give PEM files."
        ) from error
    return context


def _watch(given: argparse.Namespace, interruption: Interruption) -> None:
    if given.inventory:
        _watch_fleet(given, interruption)
        return
    if given.stream:
        stream(given.url, _context(given), interruption)
        return
    scrape = reader(given.url, _context(given))
    if given.svg:
        picture(scrape, given.seconds, given.svg, interruption)
    elif not given.terminal and grafana_answers(given.grafana):
        print(grafana_address(given.grafana, scrape()))
    else:
        follow(scrape, interruption, given.url)


def _watch_fleet(given: argparse.Namespace, interruption: Interruption) -> None:
    # What SSH and the inventory need is a controller's; the master streams without it.
    from loadgen.fleet.inventory import load_inventory  # noqa: PLC0415
    from loadgen.watch.fleet_scrapes import FleetScrapes  # noqa: PLC0415

    inventory = load_inventory(given.inventory)
    with FleetScrapes(inventory) as scrape:
        if inventory.grafana and not given.terminal:
            print(grafana_address(inventory.grafana, scrape()))
        else:
            follow(scrape, interruption, inventory.exporter_url)


def main() -> int:
    """Watch until Ctrl-C; a fault is one sentence."""
    given = _options()
    interruption = Interruption()
    try:
        with interruption.listen():
            _watch(given, interruption)
    except LoadgenError as error:
        print(f"watch: {error}", file=sys.stderr)
        return error.exit_code
    except (OSError, ValueError, http.client.HTTPException) as error:
        print(
            f"watch: no metrics at {given.url}: {error}. Start a run, or give --url.",
            file=sys.stderr,
        )
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
