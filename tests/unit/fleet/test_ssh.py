"""Asking many nodes at once: an answer or one sentence for each, whatever a node does."""

import io
import resource
import threading
from collections.abc import Iterable

import pytest

from loadgen.fleet.connections import ssh
from loadgen.fleet.connections.ssh import AGENT, Remote, agent_command, ask, ask_all, on_all
from loadgen.fleet.inventory import Node
from loadgen.fleet.requests import AgentAnswer, Collect, Following, NodeReport, Settle, Status, Take
from loadgen.shared.errors import OperationError, UsageError
from tests.unit.fleet.test_agent import WORKERS

NODE = Node("worker1", "10.0.0.1", "10.0.0.1", user="deploy")
REPORT = NodeReport(
    name="worker1",
    is_master=False,
    release="r",
    locust_version="2",
    units={WORKERS[0]: "active"},
    run_id=None,
)
ANSWER = AgentAnswer(report=REPORT).model_dump_json()
SHA = "a" * 64


class Answering(Remote):
    """A node that answers every request alike; `asked` has them with what follows."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.node, self.answer = NODE, answer
        self.asked: list[bytes] = []

    def ask(self, content: bytes, timeout: float, more: Iterable[bytes] = ()) -> bytes:
        del timeout
        self.asked.append(content + b"".join(more))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_request_goes_through_standard_input_and_never_onto_a_command_line() -> None:
    remote = Answering(ANSWER.encode())
    assert ask(remote, Settle(processes={WORKERS[0]: 7})).workers == 1
    assert remote.asked == [b'settle {"processes":{"loadgen-worker@1.service":7}}\n']
    assert AGENT[-1].endswith("-m loadgen.fleet.agent serve")
    assert agent_command(Collect)[-1].startswith("cd /opt/loadgen/current 2>/dev/null || ")


def test_what_follows_a_request_comes_in_pieces_that_say_their_length() -> None:
    remote = Answering(ANSWER.encode())
    ask(remote, Take(kind="scenario", sha256=SHA, bytes=5), [b"abc", b"", b"de"])
    (asked,) = remote.asked
    following = Following(io.BytesIO(asked.partition(b"\n")[2] + b"status {}\n"))
    assert [following.read(9) for _ in range(4)] == [b"abc", b"de", b"", b""]
    with pytest.raises(EOFError):
        Following(io.BytesIO(b"\0\0\0\7abc")).read(7)


def test_a_fault_is_the_agents_one_sentence() -> None:
    said = AgentAnswer(fault="it\nhas no room").model_dump_json().encode()
    with pytest.raises(OperationError, match=r"^has no room$"):
        ask(Answering(said), Status())


def test_many_hosts_get_the_open_files_that_their_connections_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: limits.append(given))
    ssh.allow_descriptors(10)
    assert limits == [(1024, 4096)]
    ssh.allow_descriptors(400)
    assert limits[-1] == (3400, 4096)
    with pytest.raises(UsageError, match="600 hosts need 5,000 open files"):
        ssh.allow_descriptors(600)


@pytest.mark.parametrize("answer", [b"", b"motd\n{}", b'{"name": "x"}', b"\xff"])
def test_an_answer_of_another_release_is_one_sentence(answer: bytes) -> None:
    with pytest.raises(OperationError, match=r"answered 'status' with data .*loadgen deploy"):
        ask(Answering(answer), Status())


def test_one_nodes_fault_hides_no_other_node() -> None:
    remotes = {"good": Answering(ANSWER.encode()), "bad": Answering(OperationError("is down"))}
    found = ask_all(remotes, Status())
    assert list(found.answers) == ["good"]
    assert found.faults == {"bad": "is down"}


def test_nodes_are_asked_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=60)
    remotes = {name: Answering(b"") for name in ("a", "b")}
    assert len(on_all(remotes, lambda _: both.wait()).answers) == 2
