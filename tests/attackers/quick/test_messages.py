"""Whatever the guard lets pass, the master can merge, publish, and write reports of."""

import copy
import csv
import io
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locust import events, stats
from locust.env import Environment
from locust.rpc import Message, zmqrpc
from locust.runners import MasterRunner

from loadgen.node import channel_guard
from loadgen.node.channel import AdmittedKeys
from loadgen.node.message_shapes import COUNT_MAX, fault, make_names_text
from loadgen.node.statistics.master_snapshot import entries_of, errors_of
from loadgen.node.statistics.worker_ledger import WorkerLedger
from tests.attackers.test_bad_workers import DATA, places, with_wrong
from tests.faults.record import Outcome

PART = "Attackers: a worker with a valid key"
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-5, COUNT_MAX + 1),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=4),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.one_of(st.text(max_size=4), st.integers(), st.floats()), inner, max_size=3
        )
    ),
    max_leaves=8,
)
STATISTICS = DATA["stats"]


def like(value: Any) -> st.SearchStrategy[Any]:
    """Values of the same kind, far out ones too."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, dict):
        return st.dictionaries(st.integers(0, 10**11), st.integers(0, COUNT_MAX), max_size=3)
    if isinstance(value, str):
        return st.one_of(st.text(max_size=8), st.none(), st.integers(-9, 9))
    return st.one_of(st.integers(0, COUNT_MAX), st.floats(0, 1e11), st.none())


@st.composite
def statistics(draw: st.DrawFn) -> Any:
    """A worker's statistics with up to three values replaced by anything."""
    data = copy.deepcopy(STATISTICS)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(places(data))))
        here = data
        for key in place:
            here = here[key]
        data = with_wrong(data, place, draw(st.one_of(like(here), VALUES)))
    return data


def bear(data: dict[str, Any]) -> None:
    """Do with statistics all that a master does."""
    environment = Environment(events=events.__class__())
    merged = environment.stats
    stats.setup_distributed_stats_event_listeners(environment.events, merged)
    for one in (copy.deepcopy(STATISTICS), data, copy.deepcopy(STATISTICS)):
        environment.events.worker_report.fire(client_id="bad", data=one)
        ledger = WorkerLedger()
        ledger.receive("bad", one, 1.7e9)
    assert [entry.name for entry in merged.entries.values()]
    entries_of(merged)
    errors_of(merged)
    stats.sort_stats(merged.entries)
    stats.sort_stats(merged.errors)
    writer = stats.StatsCSV(environment, stats.PERCENTILES_TO_REPORT)
    for write in (writer.requests_csv, writer.failures_csv, writer.exceptions_csv):
        write(csv.writer(io.StringIO()))


def test_a_workers_own_messages_pass() -> None:
    for kind, data in DATA.items():
        assert fault(kind, data) is None
    assert fault("a plugin's own", object()) is None


@pytest.mark.parametrize("kind", [None, 7, [], {}])
def test_a_type_that_is_no_text_is_refused(kind: object) -> None:
    assert fault(kind, None)


@pytest.mark.fault(
    PART, "A worker sends 200 statistics messages with random values in random fields."
)
def test_what_the_guard_lets_pass_the_master_can_bear(outcome: Outcome) -> None:
    passed = dropped = 0

    @settings(max_examples=200)
    @given(statistics())
    def check(data: Any) -> None:
        nonlocal passed, dropped
        if fault("stats", data):
            dropped += 1
            return
        passed += 1
        make_names_text(data)
        bear(data)

    check()
    assert passed
    assert dropped
    outcome(f"The master drops {dropped} messages; it merges and writes the other {passed}.")


@given(VALUES)
def test_a_fault_is_one_sentence(data: Any) -> None:
    errors = {**STATISTICS, "errors": {"a\nb\x1b[2J": data}}
    for kind, content in (*((one, data) for one in DATA), ("stats", errors)):
        sentence = fault(kind, content)
        assert sentence is None or sentence.isprintable()


FORGED = "w\n[2026-11-26 07:00:00,000] master1/CRITICAL/root: forged\x1b[2J"


@pytest.mark.fault(PART, "A worker's id and version contain line breaks and escape sequences.")
def test_a_workers_words_are_no_line_of_the_masters_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    # What it puts in their places goes with the test.
    monkeypatch.setattr(zmqrpc.BaseSocket, "recv_from_client", zmqrpc.BaseSocket.recv_from_client)
    monkeypatch.setattr(MasterRunner, "handle_message", MasterRunner.handle_message)
    before, log = logging.getLogRecordFactory(), io.StringIO()
    logger = logging.getLogger("locust.runners")
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter("[%(asctime)s] %(message)s"))
    logger.addHandler(handler)
    try:
        channel_guard.install(AdmittedKeys(tmp_path))
        logger.warning("A worker (%s) that had a different version (%s) connected", FORGED, FORGED)
        logger.warning(f"{FORGED} failed to send heartbeat")
    finally:
        logging.setLogRecordFactory(before)
        logger.removeHandler(handler)
    lines = log.getvalue().splitlines()
    assert "\x1b" not in log.getvalue()
    assert sum(line.startswith("[") for line in lines) == 2
    assert sum("/CRITICAL/" in line and line.startswith("    ") for line in lines) == 3
    outcome(
        "The master's log shows escape sequences as codes, and indents the lines after a "
        "line break."
    )


@pytest.mark.fault(PART, "A worker sends refused messages under a new id each time.")
def test_ever_new_ids_fill_neither_the_log_nor_the_memory(
    caplog: pytest.LogCaptureFixture, outcome: Outcome
) -> None:
    guard = channel_guard.Guard(AdmittedKeys(Path()))
    for number in range(5000):
        worker = f"w{number}".ljust(255, "x")
        guard.drop(worker, Message("stats", None, worker), "malformed: x")
    assert len(caplog.records) < 30
    assert len(guard._drops) == 1
    outcome("A key's refused messages are counted together, and the log names fewer and fewer.")
