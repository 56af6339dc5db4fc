import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from loadgen.results.summary import Summary, WorkerCounts
from loadgen.runs import grafana_annotation
from loadgen.shared.errors import UsageError

SUMMARY = Summary(
    run_id="r1",
    verdict="invalid",
    reasons=("worker lost",),
    workers=WorkerCounts(expected=1, seen=1, lost=1),
    started_at=datetime.fromtimestamp(10, UTC),
    ended_at=datetime.fromtimestamp(70, UTC),
)


class Taken(BaseHTTPRequestHandler):
    """Stands for Grafana's API: keeps what is posted, refuses other tokens than t."""

    bodies: list[dict[str, object]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        admitted = self.headers["Authorization"] == "Bearer t" and self.path == "/api/annotations"
        if admitted:
            self.bodies.append(body)
        self.send_response(200 if admitted else 401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    Taken.bodies = []
    with HTTPServer(("127.0.0.1", 0), Taken) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def environment(server: HTTPServer, token: str) -> dict[str, str]:
    return {
        grafana_annotation.URL: f"http://127.0.0.1:{server.server_port}/",
        grafana_annotation.TOKEN: token,
    }


def test_a_run_is_one_annotation_with_its_verdict(server: HTTPServer) -> None:
    assert grafana_annotation.post(SUMMARY, environment(server, "t")) is None
    assert Taken.bodies == [
        {
            "text": "INVALID r1\nworker lost",
            "tags": ["loadgen", "verdict:invalid", "run:r1"],
            "time": 10_000,
            "timeEnd": 70_000,
        }
    ]


def test_a_refusal_is_a_sentence_without_the_token(server: HTTPServer) -> None:
    fault = grafana_annotation.post(SUMMARY, environment(server, "secret"))
    assert fault is not None
    assert "did not accept" in fault
    assert "secret" not in fault


def test_nothing_is_sent_without_a_grafana() -> None:
    assert grafana_annotation.post(SUMMARY, {}) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {grafana_annotation.URL: "https://g"},
        {grafana_annotation.TOKEN: "t"},
        {grafana_annotation.URL: "grafana", grafana_annotation.TOKEN: "t"},
    ],
)
def test_half_a_configuration_is_refused_before_the_run(wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        grafana_annotation.check(wrong)
