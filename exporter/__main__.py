"""The exporter: a process that hears a master's publisher and serves its metrics.

    python -m exporter --subscribe ipc:///run/loadgen/publisher.sock --listen 127.0.0.1:9646

It ends with 0 on SIGTERM or SIGINT (a scraper that has come may take the last numbers first, see
`--linger`; a second signal ends it at once), with 2 when it was started wrongly, and with 4 when a
file that it was to write could not be written.
"""

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

import zmq
from prometheus_client import ProcessCollector
from prometheus_client.registry import Collector

from exporter.archive import Archive
from exporter.certificates import CertificateCollector
from exporter.collector import LocustCollector
from exporter.compatible import CompatibleNames
from exporter.exposition import Exposition
from exporter.http import MetricsServer, Tls
from exporter.keeping import KeptFiles
from exporter.pages import Pages
from exporter.receiver import Receiver
from exporter.runs import RunsCollector
from loadgen.shared import command
from loadgen.shared.errors import BusyError, UsageError
from loadgen.shared.loopback import is_loopback
from loadgen.shared.processes import hold_lifeline
from loadgen.shared.text import in_url
from loadgen.specification.ports import EXPORTER_PORT

LISTEN = f"127.0.0.1:{EXPORTER_PORT}"
SIGNAL_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, checked."""

    subscribe: str | None
    host: str
    port: int
    tls: Tls | None
    last_scrape: Path | None
    state: Path | None
    compatible_names: bool
    results: Path | None
    certificates: tuple[Path, ...]
    linger: float
    lifeline: int | None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m exporter", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--subscribe",
        metavar="ENDPOINT",
        help="the ZeroMQ endpoint at which a master publishes its statistics",
    )
    parser.add_argument(
        "--listen",
        default=LISTEN,
        metavar="HOST:PORT",
        help=f"the address and port to listen on (default: {LISTEN})",
    )
    parser.add_argument("--tls-certificate", type=Path, metavar="FILE")
    parser.add_argument("--tls-key", type=Path, metavar="FILE")
    parser.add_argument(
        "--client-ca",
        type=Path,
        metavar="FILE",
        help="a PEM file with a CA; only clients with a certificate of this CA may scrape",
    )
    parser.add_argument(
        "--last-scrape",
        type=Path,
        metavar="FILE",
        help=(
            "a file to which the metrics are written when a test ends and when the exporter ends"
        ),
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="a file in which the counters are saved, so that they continue after a restart",
    )
    parser.add_argument(
        "--compatible-names",
        action="store_true",
        help="also serve the metric names of ContainerSolutions/locust_exporter",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIRECTORY",
        help="also serve metrics of the runs in this directory",
    )
    parser.add_argument(
        "--watch-certificate",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="serve the time at which this PEM certificate expires; the option may "
        "be given several times",
    )
    parser.add_argument(
        "--linger",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="before the exporter ends, wait up to this many seconds until each Prometheus "
        "that has scraped it scrapes once more",
    )
    parser.add_argument(
        "--lifeline", type=int, help="end when the pipe on this file descriptor closes"
    )
    return parser


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line. Raises UsageError; argparse itself ends with 2 on unknown options."""
    given = _parser().parse_args(arguments)
    if given.subscribe is None and given.results is None:
        raise UsageError("There is nothing to serve: give --subscribe, --results, or both.")
    host, port = _address(given.listen)
    tls = _tls(given.tls_certificate, given.tls_key, given.client_ca)
    if not is_loopback(host) and (tls is None or tls.client_ca is None):
        raise UsageError(
            f"--listen {given.listen} can be reached from other machines, so --tls-certificate, "
            "--tls-key and --client-ca must all be given; or listen on 127.0.0.1."
        )
    watched = [*given.watch_certificate, *([tls.certificate] if tls else [])]
    certificates = tuple(dict.fromkeys(watched))
    return Options(
        given.subscribe,
        host,
        port,
        tls,
        given.last_scrape,
        given.state,
        given.compatible_names,
        given.results,
        certificates,
        given.linger,
        given.lifeline,
    )


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise UsageError(
            f"--listen {listen} is not an address: give HOST:PORT, such as {LISTEN} or "
            f"[::1]:{EXPORTER_PORT}."
        )
    return host.strip("[]"), int(port)


def _tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> Tls | None:
    if certificate is None and key is None and client_ca is None:
        return None
    if certificate is None or key is None:
        raise UsageError("TLS needs both --tls-certificate and --tls-key; one of them is missing.")
    return Tls(certificate, key, client_ca)


def _serve(options: Options, pages: Pages) -> MetricsServer:
    where = in_url(options.host) + f":{options.port}"
    try:
        context = options.tls.context() if options.tls else None
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(
            f"The exporter's certificate, key or client CA can't be used: {error}. "
            "Give PEM files that this user can read, and a key that belongs to the certificate."
        ) from error
    try:
        return MetricsServer(options.host, options.port, pages, context)
    except OSError as error:
        raise BusyError(
            f"The exporter can't listen on {where}: {error.strerror or error}. "
            "Free the port, or give another address with --listen."
        ) from error


def run(options: Options) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    collector = LocustCollector(time.monotonic)
    kept = KeptFiles(collector, options.last_scrape, options.state)
    kept.restore()
    compatible = CompatibleNames(collector.heard) if options.compatible_names else None
    # An exporter without --subscribe has no master, so it must not report one that is down.
    hearing = collector if options.subscribe is not None else None
    pages = Pages(
        Exposition(hearing, *_others(options, collector, compatible)),
        _what(options),
        loopback=is_loopback(options.host),
    )
    server = _serve(options, pages)
    signals: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.put(number))
    if options.lifeline is not None:
        hold_lifeline(options.lifeline)
    server.start()
    receiver = None
    if options.subscribe is not None:
        receiver = Receiver(zmq.Context.instance(), options.subscribe, collector, kept, compatible)
        receiver.start()
    where = f"{in_url(options.host)}:{server.server_port}"
    print(f"Metrics at http{'s' if options.tls else ''}://{where}/metrics", flush=True)
    _await_one(signals)
    if receiver is not None:
        receiver.stop()
    collector.hold()
    since = time.monotonic()
    code = kept.close()
    pages.scrapes.wait(since, options.linger, lambda: not signals.empty())
    server.stop()
    return code


def _await_one(signals: SimpleQueue[int]) -> None:
    # A signal that the kernel gives to another thread doesn't wake this one, so it looks by itself.
    while True:
        with contextlib.suppress(Empty):
            signals.get(timeout=SIGNAL_POLL_SECONDS)
            return


def _what(options: Options) -> str:
    heard = f"the master heard at {options.subscribe}" if options.subscribe else ""
    kept = f"the runs kept in {options.results}" if options.results else ""
    return " and ".join(part for part in (heard, kept) if part)


def _others(
    options: Options, collector: LocustCollector, compatible: CompatibleNames | None
) -> list[Collector]:
    archive = Archive(options.results) if options.results is not None else None
    others: list[Collector] = [
        ProcessCollector(registry=None),
        CertificateCollector(options.certificates),
        RunsCollector(collector.run, archive.runs if archive else lambda: ()),
    ]
    if compatible is not None:
        others.append(compatible)
    return others


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the exporter; a fault is one sentence on stderr."""
    return command.ending(lambda: run(parse(sys.argv[1:] if arguments is None else arguments)))


if __name__ == "__main__":
    sys.exit(main())
