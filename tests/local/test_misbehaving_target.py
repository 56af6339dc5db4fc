"""A target that answers HTML instead of JSON, 429, 503, or drops connections."""

import csv
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import ClassVar

import pytest

from tests.local.conftest import Run, Runner
from tests.local.scenarios import ended, start_scenario
from tests.servers import simulator

DSPACE = "locustfiles/dspace.py"
SCENARIOS = ("dspace", "dspace_submission", "django_site", "teastore")


class Misbehaving(BaseHTTPRequestHandler):
    """Answers the look before a run; then HTML, 429, 503, half a body, or nothing at all."""

    protocol_version = "HTTP/1.1"
    faults: ClassVar = cycle(("html", "429", "503", "half", "drop"))

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = next(self.faults) if self.path != "/" else "html"
        if fault in ("half", "drop"):
            self.close_connection = True
        if fault == "drop":
            return
        body = b"<html>Under maintenance</html>"
        self.send_response(int(fault) if fault.isdigit() else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body) * (2 if fault == "half" else 1)))
        self.end_headers()
        self.wfile.write(body)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@contextmanager
def misbehaving() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Misbehaving) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.slow
def test_faults_of_the_target_are_counted_by_cause_and_rise_with_its_overload(
    loadgen: Runner,
) -> None:
    """Side by side: a target at fault; one that bears 30 connections, under 10 and 60 users."""
    options = ("--connections-max", "30")
    with (
        misbehaving() as broken,
        simulator("dspace", options=options) as calm,
        simulator("dspace", options=options) as crowded,
    ):
        files = ",".join(f"locustfiles/{name}.py" for name in SCENARIOS)
        faulty = start_scenario(loadgen, files, broken, "--run-time", "5s", "--stop-timeout", "5s")
        few = start_scenario(loadgen, DSPACE, calm, "--users", "10", "--run-time", "4s")
        many = start_scenario(loadgen, DSPACE, crowded, "--users", "60", "--run-time", "4s")
        ended(faulty, exit_code=1)
        ended(few)
        ended(many, exit_code=1)
    check_causes(faulty)
    assert few.summary["failures"] == 0
    ratio = many.summary["failures"] / many.summary["requests"]
    assert 0.02 < ratio < 1, many.output
    assert "status 503 instead of 200" in many.output


def check_causes(run: Run) -> None:
    assert run.summary["verdict"] == "failed"
    assert "SLO did not hold: failure ratio of all requests" in run.output
    rows = list(csv.DictReader((run.directory / "failures.csv").read_text().splitlines()))
    causes = " ".join(row["Error"] for row in rows)
    for cause in ("HTML instead of JSON", "status 429", "status 503", "onnectionClosed"):
        assert cause in causes, causes
    counted = run.summary["failures"] + run.summary["after_stop"]["failures"]
    assert sum(int(row["Occurrences"]) for row in rows) == counted > 20
    shown = [line for line in run.lines if " x " in line]
    assert len(shown) == 5, "the most frequent ones, one line each"
    exceptions = (run.directory / "exceptions.csv").read_text().splitlines()
    assert exceptions[1:] == [], "no scenario stumbles over an answer"
    assert "Traceback" not in run.output + run.logs()
