"""The exporter as a process of its own, fed by a publisher's socket in the test."""

import contextlib
import gzip
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import zmq
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from loadgen.shared.snapshot import Snapshot
from tests.monitoring.cluster import ROOT
from tests.ports import free_port
from tests.unit.exporter.samples import SNAPSHOT, entry, snapshot
from tests.waiting import await_


class Exporter:
    """One exporter process."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.port = free_port()
        self.last_scrape = directory / "metrics.prom"
        endpoint = f"ipc://{directory / 'publisher.sock'}"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "exporter", "--subscribe", endpoint),
                *("--listen", f"127.0.0.1:{self.port}"),
                *("--last-scrape", str(self.last_scrape), *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def scrape(self, accept: str = "text/plain") -> str:
        url = f"http://127.0.0.1:{self.port}/metrics"
        request = urllib.request.Request(url, headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read()).decode()

    def value(self, sample: str) -> float | None:
        """Return a sample's value; None while the exporter or the sample isn't there."""
        try:
            lines = self.scrape().splitlines()
        except urllib.error.URLError:
            return None
        return next((float(line.split()[-1]) for line in lines if line.startswith(sample)), None)

    def end(self) -> tuple[int, str]:
        """Ask it to end; return its exit code and standard error."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, stderr = self.process.communicate(timeout=30)
        return self.process.returncode, stderr


Start = Callable[..., Exporter]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Exporter] = []

    def start_one(*options: str) -> Exporter:
        started.append(Exporter(tmp_path, *options))
        return started[-1]

    yield start_one
    for exporter in started:
        exporter.process.kill()
        exporter.process.communicate()


@contextmanager
def publishing(directory: Path) -> Iterator[Callable[[Snapshot], None]]:
    """Bind a publisher's socket, as a master does; yields a function that sends."""
    context = zmq.Context()
    publisher = context.socket(zmq.XPUB)
    publisher.bind(f"ipc://{directory / 'publisher.sock'}")
    try:
        assert publisher.poll(30_000), "the exporter did not subscribe"
        publisher.recv()
        yield lambda snapshot: publisher.send(snapshot.pack())
    finally:
        publisher.close(1000)
        context.term()


REQUESTS = 'locust_requests_total{method="GET",name="/"}'


def test_both_formats_parse_and_agree(start: Start, tmp_path: Path) -> None:
    exporter = start()
    with publishing(tmp_path) as publish:
        publish(SNAPSHOT)
        await_(lambda: exporter.value("locust_up") == 1, "locust_up")
        text = exporter.scrape()
        openmetrics = exporter.scrape("application/openmetrics-text; version=1.0.0")
    samples = [
        {s.name: s.value for f in families for s in f.samples if s.name.startswith("locust_r")}
        for families in (parse_text(text), parse_openmetrics(openmetrics))
    ]
    assert samples[0] == samples[1]
    assert openmetrics.endswith("# EOF\n")


def test_up_is_zero_within_five_seconds_of_silence_and_one_again_after(
    start: Start, tmp_path: Path
) -> None:
    exporter = start()
    with publishing(tmp_path) as publish:
        publish(SNAPSHOT)
        await_(lambda: exporter.value("locust_up") == 1, "locust_up 1")
    await_(lambda: exporter.value("locust_up") == 0, "locust_up 0", seconds=5.0)
    assert exporter.value("locust_users ") is None
    assert exporter.value(REQUESTS) == 4
    with publishing(tmp_path) as publish:
        publish(snapshot("m2-1", entry("/", 3)))
        await_(lambda: exporter.value("locust_up") == 1, "locust_up 1 again")
        assert exporter.value(REQUESTS) == 7


def test_the_last_scrape_is_kept_when_a_test_ends_and_on_exit(start: Start, tmp_path: Path) -> None:
    exporter = start()
    with publishing(tmp_path) as publish:
        publish(replace(SNAPSHOT, final=True))
        await_(exporter.last_scrape.exists, "the last scrape")
        publish(snapshot("m1-2", entry("/", 3)))
        await_(lambda: exporter.value(REQUESTS) == 7, "the next test")
        assert f"{REQUESTS} 4.0" in exporter.last_scrape.read_text()
        publish(snapshot("m1-2", entry("/", 5)))
        assert exporter.end() == (0, "")
    kept = exporter.last_scrape.read_text()
    assert f"{REQUESTS} 9.0" in kept
    assert "locust_up 1.0" in kept
    assert not list(tmp_path.glob(".*"))


def test_a_restarted_exporter_goes_on_counting(start: Start, tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "exporter.state"))
    first = start(*state)
    with publishing(tmp_path) as publish:
        publish(snapshot("m1-1", entry("/", 10)))
        publish(snapshot("m1-2", entry("/", 2)))
        await_(lambda: first.value(REQUESTS) == 12, "both tests")
    first.process.kill()
    second = start(*state)
    with publishing(tmp_path) as publish:
        publish(snapshot("m1-2", entry("/", 3)))
        await_(lambda: second.value(REQUESTS) == 13, "the count to go on")


def test_what_is_not_a_snapshot_is_counted_and_left_aside(start: Start, tmp_path: Path) -> None:
    exporter = start("--state", str(tmp_path / "exporter.state"))
    (tmp_path / "exporter.state").write_bytes(b"\xc1")
    context = zmq.Context()
    publisher = context.socket(zmq.XPUB)
    publisher.bind(f"ipc://{tmp_path / 'publisher.sock'}")
    assert publisher.poll(30_000)
    publisher.send(b"hello")
    await_(lambda: exporter.value("locust_exporter_snapshots_invalid_total") == 1, "the count")
    publisher.close(0)
    context.term()


def test_a_port_in_use_is_one_sentence_and_exit_code_2(start: Start) -> None:
    first = start()
    await_(lambda: first.value("locust_up") is not None, "the exporter")
    refused = start("--listen", f"127.0.0.1:{first.port}")
    code, stderr = refused.process.wait(30), refused.process.communicate()[1]
    assert code == 2
    assert stderr == (
        f"The exporter can't listen on 127.0.0.1:{first.port}: Address already in use. "
        "Free the port, or give another address with --listen.\n"
    )


def test_a_port_is_free_again_at_once_after_scrapes(start: Start) -> None:
    first = start()
    await_(lambda: first.value("locust_up") is not None, "the exporter")
    assert first.end() == (0, "")
    second = start("--listen", f"127.0.0.1:{first.port}")
    second.port = first.port
    await_(lambda: second.value("locust_up") is not None, "an exporter on the same port")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--listen", "9646"), "--listen 9646 is not an address"),
        (("--listen", "0.0.0.0:0"), "can be reached from other machines"),
        (("--tls-key", "key.pem"), "TLS needs both"),
        (("--tls-key", "no.pem", "--tls-certificate", "no.pem"), "client CA can't be used"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_exit_code_2(
    start: Start, options: tuple[str, ...], says: str
) -> None:
    exporter = start(*options)
    code, stderr = exporter.process.wait(30), exporter.process.communicate()[1]
    assert code == 2
    assert says in stderr
    assert len(stderr.splitlines()) == 1


def test_a_last_scrape_that_cannot_be_written_is_said_and_ends_with_4(
    start: Start, tmp_path: Path
) -> None:
    exporter = start("--last-scrape", str(tmp_path / "absent" / "metrics.prom"))
    with publishing(tmp_path) as publish:
        publish(SNAPSHOT)
        await_(lambda: exporter.value("locust_up") == 1, "locust_up")
    code, stderr = exporter.end()
    assert code == 4
    assert (
        stderr
        == f"{tmp_path}/absent/metrics.prom could not be written: No such file or directory\n"
    )


def test_a_client_that_says_nothing_holds_up_nobody(start: Start) -> None:
    exporter = start()
    await_(lambda: exporter.value("locust_up") is not None, "the exporter")
    with socket.create_connection(("127.0.0.1", exporter.port)):
        assert exporter.value("locust_up") == 0


def scrape_as_prometheus(exporter: Exporter) -> str:
    headers = {"Accept-Encoding": "gzip", "X-Prometheus-Scrape-Timeout-Seconds": "1"}
    url = f"http://127.0.0.1:{exporter.port}/metrics"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        return gzip.decompress(answer.read()).decode()


def test_the_scraper_gets_the_last_numbers_and_the_next_exporter_goes_on_from_them(
    start: Start, tmp_path: Path
) -> None:
    options = ("--linger", "30", "--state", str(tmp_path / "exporter.state"))
    first = start(*options)
    with publishing(tmp_path) as publish:
        publish(snapshot("m1-1", entry("/", 10)))
        await_(lambda: first.value(REQUESTS) == 10, "requests")
        scrape_as_prometheus(first)
        scrape_as_prometheus(first)
        publish(replace(snapshot("m1-1", entry("/", 12)), final=True, users=0))
    first.process.send_signal(signal.SIGTERM)
    last = ""
    with contextlib.suppress(OSError):
        while first.process.poll() is None:
            last = scrape_as_prometheus(first)
            time.sleep(0.05)
    assert f"{REQUESTS} 12.0" in last
    assert "locust_test_requests 12.0" in last
    assert first.process.wait(20) == 0
    second = start(*options)
    await_(lambda: second.value(REQUESTS) == 12, "the counts of the run before")
    with publishing(tmp_path) as publish:
        publish(snapshot("m2-1", entry("/", 3)))
        await_(lambda: second.value(REQUESTS) == 15, "both runs")


def test_nobody_is_waited_for_who_never_came_and_a_second_signal_ends_it(
    start: Start, tmp_path: Path
) -> None:
    exporter = start("--linger", "30")
    with publishing(tmp_path) as publish:
        publish(snapshot("m1-1", entry("/", 10)))
        await_(lambda: exporter.value(REQUESTS) == 10, "requests")
        for _ in range(2):
            scrape_as_prometheus(exporter)
        for _ in range(2):
            exporter.process.send_signal(signal.SIGTERM)
        assert exporter.process.wait(20) == 0


def test_it_listens_on_ipv6(start: Start) -> None:
    port = free_port()
    exporter = start("--listen", f"[::1]:{port}")

    def healthy() -> bool:
        with contextlib.suppress(OSError):
            return bool(urllib.request.urlopen(f"http://[::1]:{port}/-/healthy").status == 200)
        return False

    await_(healthy, "an answer")
    assert exporter.process.stdout
    assert exporter.process.stdout.readline() == f"Metrics at http://[::1]:{port}/metrics\n"
