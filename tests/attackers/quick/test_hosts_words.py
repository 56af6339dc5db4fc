"""A hostile agent at the other end: what it says is no place, and never a crash."""

import io
import json
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from loadgen.cli import fleet as fleet_verbs
from loadgen.fleet import fleet_lock
from loadgen.fleet.bringing import one_platform
from loadgen.fleet.connections import ssh
from loadgen.fleet.connections.sessions import Session
from loadgen.fleet.connections.ssh import Conversation, Remote, ask
from loadgen.fleet.follower import Follower
from loadgen.fleet.inventory import Node
from loadgen.fleet.probing import certificate_faults
from loadgen.fleet.requests import Collect, Forget, NodeReport, Status
from loadgen.node.settings import RunSettings
from loadgen.runs.course import Course
from loadgen.runs.progress import Progress
from loadgen.shared.errors import BusyError, LoadgenError, OperationError
from loadgen.shared.machine import Machine
from loadgen.shared.run_ids import PATTERN, SUMMARY_FILE, RunId, make_run_id, run_directory
from loadgen.shared.snapshot import ErrorCount, ExceptionCount, SecondCount, SloStatus, Snapshot
from loadgen.shared.text import plain_line
from loadgen.specification.run import RunSpecification
from loadgen.specification.slo import matches
from tests.faults.record import Outcome
from tests.unit.samples import START, entry, snapshot, summary, worker

PART = "Attackers: data from a host"
RUN = "20261121T101500Z-hello-3f9a"
IDS = [
    "../locustfiles", "/root/.ssh", "..", ".", "latest", "baseline", "", " ", "a/b", "a\\b",
    f"{RUN}/..", f"../{RUN}", f"{RUN}\n", f"{RUN}\x00", f" {RUN}", f"{RUN}/", "~", "-rf",
    RUN.upper(), "web-../x", "web-20261121T101500Z/../..", f"{RUN}{'a' * 300}", ".fleet",
    f"{RUN}\u2028", "\u0662\u0660\u0662\u0666\u0661\u0661\u0662\u0661" + RUN[8:],
]  # fmt: skip
REPORT: dict[str, Any] = {
    "name": "master1", "is_master": True, "release": "ab", "locust_version": "2",
    "units": {"loadgen-master.service": "active"}, "run_id": RUN, "state": "running",
    "specification": "{}", "started_at": 1.8e9, "certificate": None, "web_port": 8089,
    "faults": [], "processes": {}, "scenario": "a" * 64, "has_scenario": True, "packages": [],
    "python_version": "3.11", "platform": "manylinux_2_28_x86_64",
    "machine": {"name": "master1", "cores": 2},
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


class HostileSession(Session):
    """A session with an agent that says what it likes, once it is root."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        super().__init__([])
        self.chunks = chunks

    def exec_command(self, command: str) -> None:
        del command

    def receive(self, timeout: float) -> Iterator[tuple[bool, bytes]]:
        del timeout
        yield from ((False, chunk) for chunk in (b"STARTED\n", *self.chunks))

    def recv_exit_status(self) -> int:
        return 0


class Hostile(Remote):
    """A node whose agent answers what it likes."""

    def __init__(self, *chunks: bytes) -> None:
        super().__init__(Node("master1", "10.0.0.1", "10.0.0.1", started="STARTED"))
        self._agent = Conversation(self.node, HostileSession(chunks))


def answer(report: bytes) -> NodeReport:
    """Have a host answer with a report of this text."""
    return ask(Hostile(b'{"report": ' + report + b"}\n"), Status())


@pytest.mark.parametrize("text", IDS)
def test_what_is_no_id_of_a_run_is_refused_wherever_one_is_read(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not the id of a run"):
        RunId(text)
    with pytest.raises(ValueError, match="is not the id of a run"):
        run_directory(tmp_path, text)
    for kind, fields in (
        (NodeReport, REPORT | {"run_id": text}),
        (RunSettings, {"run_id": text, "locustfiles": ("a.py",)}),
        (Forget, {"run_id": text}),
        (Collect, {"run_id": text}),
    ):
        with pytest.raises(ValidationError):
            kind.model_validate(fields)
    if text:
        said = asdict(snapshot()) | {"run_id": text}
        with pytest.raises(ValidationError):
            TypeAdapter(Snapshot).validate_json(json.dumps(said))
    with pytest.raises(LoadgenError):
        answer(json.dumps(REPORT | {"run_id": text}).encode())


@given(st.text(max_size=60) | st.from_regex(PATTERN, fullmatch=True))
def test_an_id_is_one_step_below_its_base_or_none(text: str) -> None:
    base = Path("/results")
    try:
        directory = run_directory(base, text)
    except ValueError:
        return
    assert directory.parent == base
    assert directory.name == text
    assert not text.startswith(".")


@given(st.text(max_size=80))
def test_what_the_kit_makes_is_an_id(locustfile: str) -> None:
    assert RunId(make_run_id(f"a{locustfile}".replace("\x00", "")))


@pytest.mark.fault(PART, "In 300 answers of an agent, a field is replaced by random JSON.")
def test_any_answer_is_a_report_or_one_sentence(outcome: Outcome) -> None:
    taken = refused = 0
    sentences: list[str] = []

    @settings(max_examples=300)
    @given(st.sampled_from(sorted(REPORT)), JSON)
    def check(field: str, value: Any) -> None:
        nonlocal taken, refused
        try:
            report = answer(json.dumps(REPORT | {field: value}).encode(errors="surrogatepass"))
        except OperationError as error:
            refused += 1
            sentences.append(str(error))
            return
        taken += 1
        assert report.run_id is None or PATTERN.fullmatch(report.run_id)
        assert not any(isinstance(one, Path) for one in report.model_dump().values())
        assert "\n" not in plain_line(fleet_verbs.describe(report))
        certificate_faults(report.certificate or "", datetime.now(UTC))
        one_platform({"master1": report})

    check()
    assert taken
    assert refused
    assert not any("\n" in one for one in sentences)
    outcome(
        f"{refused} answers are refused with an error; {taken} are valid reports without any path."
    )


@pytest.mark.fault(
    PART, "The description of a host's machine contains numbers of 400 digits, NaN and infinity."
)
def test_any_machine_can_be_shown_and_kept(outcome: Outcome) -> None:
    taken = refused = 0
    for field in Machine.model_fields:
        for value in ("-1", "1" + "0" * 400, "9" * 4000, "1e400", "NaN", "Infinity", "1e18", '""'):
            said = json.dumps(REPORT | {"machine": {"name": "m", "cores": 2, field: "VALUE"}})
            try:
                report = answer(said.replace('"VALUE"', value).encode())
            except OperationError:
                refused += 1
                continue
            taken += 1
            assert report.machine
            assert report.machine.sentence
            assert Machine.model_validate_json(report.machine.model_dump_json()) == report.machine
    assert taken
    assert refused
    outcome(
        f"{refused} descriptions are refused with an error; {taken} are accepted and can be "
        "shown and saved."
    )


class Clock:
    """A clock that goes on by so many seconds with each look."""

    def __init__(self, each: float) -> None:
        self.now, self.each = 1000.0, each

    def monotonic(self) -> float:
        self.now += self.each
        return self.now


@pytest.mark.fault(PART, "A host sends single bytes slowly and without end.")
def test_an_answer_is_bounded_in_time(monkeypatch: pytest.MonkeyPatch, outcome: Outcome) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ssh, "time", Clock(1.0))
        with pytest.raises(OperationError, match="answering for more than 60 s"):
            ask(Hostile(*[b"x"] * 500), Status())
        for seconds, size in ((599, 0), (900, 20 << 20)):
            patch.setattr(ssh, "time", Clock(seconds))
            ssh.require_pace(Hostile().node, 1000.0, size)
        with pytest.raises(OperationError, match="and is still sending"):
            ssh.require_pace(Hostile().node, 1000.0, 10 << 20)
    for said in ("echo", "echo >&2"):
        session = Session([])
        session.exec_command(f"while sleep 0.02; do {said}; done")
        rooted = ssh.Rooted(Node("m", "a", "a", started="STARTED"), session, 0.2)
        with pytest.raises(TimeoutError):
            list(rooted.output(b""))
        session.close()
    outcome("The controller stops reading an answer after a minute, and a file after ten minutes.")


@given(st.text("ab*", max_size=9), st.text("ab", max_size=9))
def test_a_pattern_of_names_means_what_its_stars_say(pattern: str, name: str) -> None:
    meant = ".*".join(map(re.escape, pattern.split("*")))
    assert matches(pattern, name) == bool(re.fullmatch(meant, name))


@pytest.mark.fault(
    PART, "A host sends an SLO whose pattern of request names contains thirty asterisks."
)
@pytest.mark.timeout(10)
def test_a_pattern_of_many_stars_takes_no_time(outcome: Outcome) -> None:
    assert not matches("*a" * 30 + "*b", "a" * 5000)
    assert matches("*a" * 30 + "*b", "a" * 5000 + "b")
    outcome("The controller compares the pattern without delay, in one pass.")


@pytest.mark.fault(
    PART, "An agent's answer is endless, half a JSON document, deeply nested, or contains NaN."
)
def test_an_answer_is_bounded(monkeypatch: pytest.MonkeyPatch, outcome: Outcome) -> None:
    monkeypatch.setattr(ssh, "ANSWER_BYTES_MAX", 1 << 20)
    with pytest.raises(OperationError, match="answered more than 1 MiB"):
        ask(Hostile(*[b"x" * (1 << 16)] * 40), Status())
    for said in (b"", b"{", b"[" * 100_000, b"\xff", b"null", b'{"run_id": NaN}'):
        with pytest.raises(OperationError):
            answer(said)
        with pytest.raises(OperationError):
            ask(Hostile(said), Status())
        with pytest.raises(OperationError):
            ask(Hostile(said + b"\n"), Status())
    for time in ("NaN", "Infinity", "-1", "1e300"):
        with pytest.raises(OperationError):
            answer(json.dumps(REPORT).replace("1800000000.0", time).encode())
    outcome("Each answer is refused with an error, after 1 MiB at most.")


@pytest.mark.fault(
    PART, "The master reports the id of another run, of another fleet's run, or of a finished run."
)
def test_an_id_never_names_another_run(tmp_path: Path, outcome: Outcome) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    results = tmp_path / "results"
    for path in (mine, other, results):
        path.mkdir()
    finished = results / RUN
    finished.mkdir()
    (finished / SUMMARY_FILE).write_text("ours")
    fleet_lock.mark(finished, mine)
    foreign = results / RUN.replace("hello", "foreign")
    foreign.mkdir()
    fleet_lock.mark(foreign, other)
    local = results / RUN.replace("hello", "local")
    local.mkdir()
    for directory in (finished, foreign, local):
        before = sorted(directory.iterdir())
        with pytest.raises(OperationError, match="belongs to another run"):
            fleet_lock.claim(results, directory.name, mine)
        assert sorted(directory.iterdir()) == before
    left = results / RUN.replace("hello", "left")
    left.mkdir()
    fleet_lock.mark(left, mine)
    assert fleet_lock.claim(results, left.name, mine) == left
    # A master that was cut off goes on, and what it did is collected when it can be reached again.
    for verdict in ("error", "interrupted"):
        (left / SUMMARY_FILE).write_text(summary(verdict).model_dump_json())
        assert fleet_lock.claim(results, left.name, mine) == left
    for judged in ("passed", "failed", "invalid"):
        (left / SUMMARY_FILE).write_text(summary(judged).model_dump_json())
        with pytest.raises(OperationError, match="belongs to another run"):
            fleet_lock.claim(results, left.name, mine)
    # When its hosts have nothing more of it, it is over whatever its verdict is.
    (left / SUMMARY_FILE).write_text(summary("error").model_dump_json())
    fleet_lock.unmark(left)
    with pytest.raises(OperationError, match="belongs to another run"):
        fleet_lock.claim(results, left.name, mine)
    new = fleet_lock.claim(results, RUN.replace("hello", "new"), mine)
    assert new.is_dir()
    outcome(
        "Each such id is refused, and no file of those runs changes; an unfinished run is "
        "collected."
    )


HOSTILE_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**62, -(2**62), 2**200, float("nan"), float("inf"), -float("inf"), 1e308,
    "", "\x1b[2J", "../..", [], {}, [[]], "9", 10**11, 2**53,
)  # fmt: skip


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where each value of a JSON document is."""
    names = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for name in names:
        yield (*place, name)
        yield from places(value[name], (*place, name))


def told(second: float) -> dict[str, Any]:
    """What an honest master says."""
    entries, workers = [entry()], [worker()]
    said = snapshot(second, entries, workers, errors=[ErrorCount("GET", "/", "boom", 1)])
    more: dict[str, Any] = {
        "run_id": RUN, "measured_from": START, "test_started_at": START, "requests_total": 100,
        "measured_seconds": second, "refused": {"time": 1},
        "completed": [SecondCount(int(START), 1, 0)], "exceptions": [ExceptionCount("x", 1)],
        "slos": [SloStatus("x", True, 1.0, 2.0)],
    }  # fmt: skip
    return asdict(replace(said, **more))


@pytest.mark.fault(
    PART, "Each value of a statistics snapshot is replaced by unusual numbers, texts and lists."
)
def test_any_snapshot_is_one_that_can_be_used_or_none(outcome: Outcome) -> None:
    kind = TypeAdapter(Snapshot)
    taken = refused = 0
    for place in list(places(told(1.0))):
        for value in HOSTILE_VALUES:
            says = [told(1.0), told(2.0)]
            for said in says:
                *way, last = place
                inner: Any = said
                for step in way:
                    inner = inner[step]
                inner[last] = value
            try:
                snapshots = [kind.validate_json(json.dumps(said)) for said in says]
            except ValidationError:
                refused += 1
                continue
            taken += 1
            course = Course.of(RunSpecification(), "a" * 64, "2.47.0")
            progress = Progress(10.0, io.StringIO())
            for one in snapshots:
                course.take(one)
                progress.show(replace(one, final=True), course.totals, course.judge.results())
                course.news()
                course.unmatched()
            concluded = course.conclude(False, True, 1, {"locust": "2"})
            assert len(concluded.timeline.completed.counts()) < 5000, (place, value)
    assert taken
    assert refused
    outcome(f"{refused:,} snapshots are refused, {taken} are accepted, and the run continues.")


def test_a_fleet_is_looked_after_by_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with (
        fleet_lock.held(tmp_path / "mine"),
        fleet_lock.held(tmp_path / "other"),
        pytest.raises(BusyError),
        fleet_lock.held(tmp_path / "mine"),
    ):
        pass
    with fleet_lock.held(tmp_path / "mine"):
        pass


def test_a_flood_of_snapshots_waits_in_a_bounded_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Follower, "_follow", lambda _: None)
    monkeypatch.setattr("loadgen.fleet.follower.Remote", lambda node: node)
    follower = Follower(cast("Remote", Hostile()), RUN)
    for number in range(200):
        follower._take(replace(snapshot(), run_id=RUN, time=float(number)))

    assert follower.snapshots.qsize() <= 30
    assert [follower.snapshots.get().time for _ in range(30)][-1] == 199.0


def test_whoever_stops_following_has_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        """Says nothing until its connection is closed."""

        def __init__(self, _: Node) -> None:
            self.closed, self.asked = threading.Event(), threading.Event()
            self.open = 0

        def stream(self, *_: object, **__: object) -> Iterator[bytes]:
            self.open += 1
            self.asked.set()
            self.closed.wait(10)
            yield from ()
            raise OperationError("it was closed")

        def close(self) -> None:
            self.open = 0
            self.closed.set()

    monkeypatch.setattr("loadgen.fleet.follower.Remote", Silent)
    follower = Follower(cast("Remote", Hostile()), RUN)
    remote = cast("Silent", follower._remote)
    assert remote.asked.wait(10)
    follower.end()

    assert remote.open == 0
    assert not follower._thread.is_alive()
