"""What the verbs of a fleet ask its nodes and say to the user; the nodes are stand-ins."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from loadgen.cli import fleet, main
from loadgen.fleet import fleet_lock
from loadgen.fleet.inventory import Inventory, Node
from loadgen.fleet.requests import AgentAnswer, NodeReport
from loadgen.shared.errors import OperationError

RUN = "20260102T030405Z-shop-1a2b"
RELEASE = "ab" * 32
Verb = Callable[..., tuple[int, str, str]]


def _report(name: str, **fields: object) -> NodeReport:
    units = ["master"] if name == "master" else ["worker@1", "worker@2"]
    known = {
        "name": name,
        "is_master": name == "master",
        "release": RELEASE,
        "locust_version": "2",
        "units": {f"loadgen-{unit}": "active" for unit in units},
        "run_id": None,
    }
    return NodeReport.model_validate(known | fields)


class FakeRemote:
    """A node that answers with what is told of it, or not at all; it notes what it was asked."""

    reports: ClassVar[dict[str, NodeReport | str]] = {}
    asked: ClassVar[list[tuple[str, str]]] = []
    opened: ClassVar[list["FakeRemote"]] = []

    def __init__(self, node: Node) -> None:
        self.node, self.is_open = node, True
        self.opened.append(self)

    def ask(self, content: bytes, timeout: float, more: Iterable[bytes] = ()) -> bytes:
        del timeout, more
        self.asked.append((self.node.name, content.split()[0].decode()))
        report = self.reports[self.node.name]
        if isinstance(report, str):
            raise OperationError(report)
        return AgentAnswer(report=report).model_dump_json().encode()

    def stream(self, command: Sequence[str], stdin: bytes = b"") -> Iterator[bytes]:
        del command, stdin
        if isinstance(report := self.reports[self.node.name], str):
            raise OperationError(report)
        packed, said = io.BytesIO(), f"hello of {self.node.name} \x1b[31m\n".encode()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            member = tarfile.TarInfo("logs/loadgen-worker@1.log")
            member.size = len(said)
            tar.addfile(member, io.BytesIO(said))
        yield gzip.compress(packed.getvalue())

    def close(self) -> None:
        self.is_open = False


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, NodeReport | str]]:
    """A master and two workers, all well and idle; a test may change what they say."""
    names = ("master", "worker1", "worker2")
    made = {name: Node(name, f"{name}.example", f"10.0.0.{n}") for n, name in enumerate(names)}
    workers = (made["worker1"], made["worker2"])
    inventory = Inventory(tmp_path / "inventory", made["master"], workers, ())
    reports: dict[str, NodeReport | str] = {name: _report(name) for name in names}
    monkeypatch.setattr(FakeRemote, "reports", reports)
    monkeypatch.setattr(FakeRemote, "asked", [])
    monkeypatch.setattr(FakeRemote, "opened", [])
    monkeypatch.setattr(fleet, "Remote", FakeRemote)
    monkeypatch.setattr(fleet, "load_inventory", lambda *_: inventory)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    yield reports
    assert not [remote.node.name for remote in FakeRemote.opened if remote.is_open]


@pytest.fixture
def verb(nodes: object, capsys: pytest.CaptureFixture[str]) -> Verb:
    """Carry out a verb as the command line does; return its code, output and errors."""
    del nodes

    def carry_out(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main.main([words[0], "--inventory", "inventory", *words[1:]])
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return carry_out


def test_status_is_a_line_a_node_and_one_for_the_run(
    verb: Verb, nodes: dict[str, NodeReport | str]
) -> None:
    code, said, _ = verb("status")
    lines = said.splitlines()
    assert code == 0
    assert lines[0].split(maxsplit=1)[1].startswith("master, 1 of 1 units active, release abab")
    assert lines[-1] == "no run is under way; web UI https://10.0.0.0:8089"
    nodes["master"] = _report("master", run_id=RUN, state="running")
    assert f"run {RUN} is under way (running)" in verb("status")[1]
    nodes["master"] = _report("master", state="spawning")
    assert "a test started from the web UI is under way (spawning)" in verb("status")[1]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("the host is cut off", "worker2      the host is cut off"),
        (
            _report("worker2", units={"loadgen-worker@1": "failed"}),
            "0 of 1 units active, release abababababab, loadgen-worker@1 is failed",
        ),
        (_report("worker2", release="\x1b[2J"), "worker, 2 of 2 units active, release"),
    ],
)
def test_status_tells_what_is_not_well_and_shows_no_hosts_control_characters(
    verb: Verb, nodes: dict[str, NodeReport | str], answer: NodeReport | str, sentence: str
) -> None:
    nodes["worker2"] = answer
    code, said, _ = verb("status")
    assert sentence in said
    assert "\x1b" not in said
    well = isinstance(answer, NodeReport) and "active" in answer.units.values()
    assert code == (0 if well else 4)


def test_stop_of_an_idle_fleet_says_so_and_changes_nothing(verb: Verb) -> None:
    assert verb("stop")[:2] == (0, "no run is under way\n")
    assert FakeRemote.asked == [("master", "status")]


def test_stop_has_what_cannot_be_read_removed(
    verb: Verb, nodes: dict[str, NodeReport | str]
) -> None:
    nodes["master"] = _report("master", faults=["run.json can't be read"])
    code, said, errors = verb("stop")
    assert (code, said) == (0, "the data of a run on the hosts could not be read and was removed\n")
    assert "run.json can't be read" in errors
    assert {name for name, word in FakeRemote.asked if word == "abort"} == set(nodes)


def test_stop_leaves_collecting_to_the_process_that_started_the_run(
    verb: Verb, nodes: dict[str, NodeReport | str], tmp_path: Path
) -> None:
    nodes["master"] = _report("master", run_id=RUN, state="running")
    lock = fleet_lock.take(tmp_path / "inventory")
    try:
        code, said, _ = verb("stop")
    finally:
        os.close(lock)
    assert code == 0
    assert said.startswith(f"run {RUN} was asked to stop; the process that started it collects")
    assert FakeRemote.asked == [("master", "status"), ("master", "stop")]


def test_stop_of_a_run_of_another_release_names_the_way_out(
    verb: Verb, nodes: dict[str, NodeReport | str]
) -> None:
    nodes["master"] = _report("master", run_id=RUN, state="running", specification='{"gone": 1}')
    code, _, errors = verb("stop")
    assert code == 4
    assert (
        "was started by another release of loadgen, whose data this release can't "
        "read: end the run with that release" in errors
    )


@pytest.mark.parametrize("words", [("stop",), ("drain", "--host-limit", "worker1")])
def test_a_master_that_cannot_be_asked_ends_the_verb(
    verb: Verb, nodes: dict[str, NodeReport | str], words: tuple[str, ...]
) -> None:
    nodes["master"] = "it refuses the key"
    code, _, errors = verb(*words)
    assert code == 4
    assert "the master can't be asked\n  master: it refuses the key" in errors
    assert [word for _, word in FakeRemote.asked] == ["status"]


def test_logs_come_from_the_hosts_that_are_named_and_are_kept(verb: Verb, tmp_path: Path) -> None:
    code, said, errors = verb("logs", "--host-limit", "worker2", "--lines", "5")
    assert code == 0, errors
    assert said.startswith("worker2 loadgen-worker@1: hello of worker2")
    assert "\x1b" not in said
    kept = tmp_path / errors.split("also in ")[1].strip() / "hosts"
    assert [one.name for one in kept.iterdir()] == ["worker2"]


def test_logs_of_a_dead_host_do_not_keep_the_others_from_being_shown(
    verb: Verb, nodes: dict[str, NodeReport | str]
) -> None:
    nodes["worker1"] = "no route to host"
    code, said, errors = verb("logs")
    assert code == 4
    assert "hello of master" in said
    assert "hello of worker2" in said
    assert "worker1: no route to host" in errors


def test_drain_asks_the_hosts_that_are_named_and_says_who_carries_on(
    verb: Verb, nodes: dict[str, NodeReport | str]
) -> None:
    nodes["master"] = _report("master", run_id=RUN, state="running")
    code, said, _ = verb("drain", "--host-limit", "worker2")
    assert code == 0
    assert said.splitlines()[0] == "worker2: 2 worker processes ended"
    assert "worker1 keeps running" in said
    assert FakeRemote.asked == [("master", "status"), ("worker2", "drain")]


def test_drain_without_a_run_changes_nothing(verb: Verb) -> None:
    code, said, _ = verb("drain", "--host-limit", "worker2")
    assert (code, said.startswith("no run is under way")) == (0, True)
    assert FakeRemote.asked == [("master", "status")]


@pytest.mark.parametrize(
    ("hosts", "sentence"),
    [("worker1,worker2", "names every worker host"), ("worker9", "worker9")],
)
def test_drain_of_all_or_unknown_hosts_is_refused(verb: Verb, hosts: str, sentence: str) -> None:
    code, _, errors = verb("drain", "--host-limit", hosts)
    assert code == 2
    assert sentence in errors
    assert FakeRemote.asked == []
