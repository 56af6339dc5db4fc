"""W3C's `traceparent` on a share of the requests, its id from the header to the report."""

import re
from pathlib import Path
from typing import Any

import pytest

from loadgen.node.request_log import RequestLog
from loadgen.results.page.report import build_report
from loadgen.results.request_log import merge_log, read_log, slowest_traces
from loadgen.results.statistics_file import Record
from loadgen.scenario.http.session import HttpSession
from loadgen.scenario.tracing import TracedSession
from tests.unit.samples import summary
from tests.unit.scenario.http.awkward import Awkward
from tests.unit.scenario.http.conftest import Client, close, make_client

PARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01")


def traced(server: Awkward, ratio: float, **attributes: Any) -> Client:
    return make_client("FastUser", server.url, trace_ratio=ratio, **attributes)


def parents(server: Awkward) -> list[list[str]]:
    return [request.values("traceparent") for request in server.received]


def test_a_traced_request_sends_an_id_of_its_own_and_its_event_has_it(server: Awkward) -> None:
    client = traced(server, 1.0)
    for _ in range(2):
        client.http.get("/echo", headers={"X-Mine": "1"}, context={"a": 1})
    sent = [value for values in parents(server) for value in values]
    assert all(PARENT.fullmatch(value) for value in sent)
    assert len(set(sent)) == 2
    assert [one["context"]["trace_id"] for one in client.fired] == [s.split("-")[1] for s in sent]
    assert client.last["context"]["a"] == 1
    assert server.received[-1].values("x-mine") == ["1"]
    close(client)


def test_a_request_that_brings_its_own_trace_keeps_it(server: Awkward) -> None:
    client = traced(server, 1.0)
    own = f"00-{'ab' * 16}-{'cd' * 8}-00"
    client.http.get("/echo", headers={"Traceparent": own})
    assert parents(server) == [[own]]
    assert "trace_id" not in client.last["context"]
    close(client)


def test_about_the_share_is_traced_and_none_without_it(server: Awkward) -> None:
    client = traced(server, 0.2)
    for _ in range(200):
        client.http.get("/plain")
    assert 15 <= sum(map(bool, parents(server))) <= 70
    close(client)
    plain = traced(server, 0.0)
    assert type(plain.http) is HttpSession
    assert not issubclass(HttpSession, TracedSession)
    close(plain)


def test_the_slowest_traces_are_in_the_log_and_in_the_report(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "requests", "w")
    log.add("GET", "/slow", 900.0, start_time=1.0, context={"trace_id": "ab" * 16})
    log.add("GET", "/slower", 950.0, start_time=2.0, context={"trace_id": "cd" * 16},
            exception=ValueError("late <b>"))  # fmt: skip
    log.add("GET", "/untraced", 2000.0, start_time=3.0)
    log.write()
    merge_log(tmp_path)
    assert read_log(tmp_path)["trace_id"].to_list() == ["ab" * 16, "cd" * 16, None]
    found = slowest_traces(tmp_path)
    assert [(one.name, one.seconds, one.trace_id) for one in found] == [
        ("/slower", 0.95, "cd" * 16),
        ("/slow", 0.9, "ab" * 16),
    ]
    page = build_report(summary(), Record([], [], traces=found))
    assert page.index("cd" * 16) < page.index("ab" * 16)
    assert "late &lt;b&gt;" in page
    assert "Slowest traced requests" not in build_report(summary(), Record([], []))


@pytest.mark.parametrize("ratio", [-0.1, 1.5, "much"])
def test_a_ratio_that_is_none_stops_the_user_in_a_sentence(server: Awkward, ratio: Any) -> None:
    with pytest.raises(Exception, match=r"trace_ratio = .* share from 0 to 1"):
        traced(server, ratio)
