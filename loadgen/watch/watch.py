"""`make watch`: the running test, live. Grafana's address where one answers, else this terminal.

It reads the exporter every second and starts no load. An exporter on a fleet answers its monitoring
hosts alone, which show a client certificate (--ca, --certificate, --key): with --inventory the
master reads it, over SSH.
"""

import http.client
import ssl
import time
import urllib.parse
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.live import Live

from loadgen.shared.errors import OperationError, UsageError
from loadgen.shared.interruption import Interruption
from loadgen.shared.loopback import open_url
from loadgen.shared.text import plain_line
from loadgen.watch.endpoints import DEFAULT_URL
from loadgen.watch.scrape import Scrape, read
from loadgen.watch.stream import INTERVAL_SECONDS, fetch, pause, tls_context
from loadgen.watch.view import History, render

PLAIN_INTERVAL_SECONDS = 5.0
PICTURE_COLUMNS = 100
PICTURE_LINES = 36

Reader = Callable[[], Scrape]


def reader(url: str, context: ssl.SSLContext | None) -> Reader:
    """Return a function that scrapes; it raises OSError or ValueError when that fails."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"--url {url} is not a URL: give one such as {DEFAULT_URL}.")
    return lambda: read(fetch(url, context).decode(), time.time())


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
        with open_url(f"{grafana.rstrip('/')}/api/health", timeout=2.0) as answer:
            return b"database" in answer.read(10_000)
    except (OSError, ValueError, http.client.HTTPException):
        return False


def follow(scrape: Reader, interruption: Interruption, url: str) -> None:
    """Show scrapes in this terminal, or as plain lines elsewhere, until Ctrl-C.

    The last picture stays: on the screen when the run has ended, in the terminal afterwards.
    """
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
                history.gone = True
            if history.has_any:
                live.update(render(history, console.height))
            else:
                live.update(f"Waiting for {url} … Start a run, for example loadgen run.")
            live.refresh()
            pause(INTERVAL_SECONDS, interruption)
    if history.has_any:
        console.print(render(history, console.height))


def _print_lines(scrape: Reader, interruption: Interruption, url: str) -> None:
    history = History()
    said = ""
    while not interruption.requested:
        try:
            history.add(scrape())
            line = _line(history)
        except (OSError, ValueError, http.client.HTTPException):
            line = f"Waiting for {url}: start a run, for example with loadgen run"
        if line != said:
            print(line, flush=True)
        said = line
        pause(PLAIN_INTERVAL_SECONDS, interruption)


def _line(history: History) -> str:
    scrape = history.last
    return plain_line(
        f"{scrape.run.get('run_id', '')} {scrape.state or 'no master'}"
        f"  {scrape.gauges.get('locust_users', 0):.0f} users"
        f"  {history.rate(None):,.1f} requests/s"
        f"  {history.rate(None, failures=True):,.1f} failures/s"
        f"  {scrape.gauges.get('locust_test_requests', 0):,.0f} requests"
    )


def picture(scrape: Reader, seconds: float, file: Path, interruption: Interruption) -> None:
    """Follow a run for some seconds, then keep its last view as an SVG."""
    history = History()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not interruption.requested:
        history.add(scrape())
        pause(INTERVAL_SECONDS, interruption)
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=PICTURE_COLUMNS, file=nowhere, force_terminal=True)
        console.print(render(history, PICTURE_LINES))
    console.save_svg(str(file), title="loadgen watch")


def watch(given: Namespace) -> int:
    """Carry out `loadgen watch`: until Ctrl-C."""
    interruption = Interruption()
    try:
        with interruption.listen():
            _watch(given, interruption)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise OperationError(
            f"the metrics of {given.url} can't be read: {error}. Start a run, or give --url."
        ) from error
    return 0


def _watch(given: Namespace, interruption: Interruption) -> None:
    if given.inventory:
        _watch_fleet(given, interruption)
        return
    scrape = reader(given.url, tls_context(given))
    if given.svg:
        picture(scrape, given.seconds, given.svg, interruption)
    elif not given.terminal and grafana_answers(given.grafana):
        print(grafana_address(given.grafana, scrape()))
    else:
        follow(scrape, interruption, given.url)


def _watch_fleet(given: Namespace, interruption: Interruption) -> None:
    # What SSH and the inventory need is a controller's, and this machine's own run needs neither.
    from loadgen.fleet.inventory import load_inventory  # noqa: PLC0415
    from loadgen.watch.fleet_scrapes import FleetScrapes  # noqa: PLC0415

    inventory = load_inventory(given.inventory, given.vault)
    with FleetScrapes(inventory) as scrape:
        if inventory.grafana and not given.terminal:
            print(grafana_address(inventory.grafana, scrape()))
        else:
            follow(scrape, interruption, inventory.exporter_url)
