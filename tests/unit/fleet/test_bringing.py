"""Archives on their way: one for all nodes, a fault each, and an end when nobody wants to wait."""

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from loadgen.cluster.scenario import Scenario, find_scenario
from loadgen.fleet.bringing import bring_scenario, join, one_platform
from loadgen.fleet.connections.ssh import Remote
from loadgen.fleet.inventory import Node
from loadgen.fleet.requests import AgentAnswer, Following, NodeReport
from loadgen.shared.errors import NodeError, OperationError

SHA256 = "a" * 64
REPORT = NodeReport(
    name="w", is_master=False, release="r", locust_version="2", units={}, run_id=None
)


class Taking(Remote):
    """A node that keeps what it is sent, or refuses it; `has` answers `give`."""

    def __init__(self, fault: str = "", has: bytes = b"", report: NodeReport = REPORT) -> None:
        self.node = Node("worker1", "10.0.0.1", "10.0.0.1")
        self.fault, self.has, self.report = fault, has, report
        self.got: list[tuple[dict[str, object], bytes]] = []

    def ask(self, content: bytes, timeout: float, more: Iterable[bytes] = ()) -> bytes:
        del timeout
        following = Following(io.BytesIO(b"".join(more)))
        if self.fault:
            return AgentAnswer(fault=self.fault).model_dump_json().encode()
        pieces = iter(lambda: following.read(1 << 20), b"") if content.startswith(b"take") else ()
        self.got.append((json.loads(content.partition(b" ")[2]), b"".join(pieces)))
        return AgentAnswer(report=self.report).model_dump_json().encode()

    def stream(
        self,
        command: Sequence[str],
        stdin: bytes = b"",
        timeout: float = 0.0,
        more: Iterable[bytes] = (),
    ) -> Iterator[bytes]:
        del command, stdin, timeout, more
        yield self.has


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    (tmp_path / "locustfile.py").write_text("from locust import User\n")
    return find_scenario([str(tmp_path / "locustfile.py")])


def test_every_node_gets_the_same_archive_and_one_that_cant_is_named(scenario: Scenario) -> None:
    first, second, full = Taking(), Taking(), Taking(fault="no room")
    with pytest.raises(NodeError, match=r"(?s)scenario could not be copied to 1 of 3.*no room"):
        bring_scenario({"a": first, "b": second, "c": full}, scenario, SHA256, lambda: False)
    assert first.got == second.got
    ((request, content),) = first.got
    assert request == {"kind": "scenario", "sha256": SHA256, "bytes": scenario.listing.bytes}
    assert content[:2] == b"\x1f\x8b"


def test_the_user_may_stop_while_it_is_sent_and_that_is_no_fault(scenario: Scenario) -> None:
    remote = Taking()
    bring_scenario({"a": remote}, scenario, SHA256, lambda: True)
    assert remote.got == []


def test_a_host_that_joins_gets_what_the_masters_run_has(scenario: Scenario) -> None:
    file = io.BytesIO()
    scenario.pack(file)
    running = REPORT.model_copy(update={"scenario": SHA256, "packages": ["b" * 64]})
    host, master = Taking(), Taking(has=file.getvalue(), report=running)
    join(master, host)
    assert [(got["kind"], got["sha256"]) for got, _ in host.got] == [
        ("scenario", SHA256), ("installed", "b" * 64),
    ]  # fmt: skip
    assert {content for _, content in host.got} == {file.getvalue()}

    idle = Taking()
    join(Taking(), idle)
    assert idle.got == []
    with pytest.raises(OperationError, match="can't be unpacked"):
        join(Taking(has=b"no archive", report=running), host)


def test_packages_are_chosen_for_the_oldest_host_and_for_one_python() -> None:
    old = REPORT.model_copy(update={"platform": "manylinux_2_28_x86_64"})
    new = REPORT.model_copy(update={"platform": "manylinux_2_36_x86_64"})
    assert one_platform({"a": new, "b": old}) == ("3.11", "manylinux_2_28_x86_64")
    other = REPORT.model_copy(update={"python_version": "3.12"})
    with pytest.raises(NodeError, match=r"(?s)same version of Python.*3\.12"):
        one_platform({"a": old, "b": other})
