"""Asking many nodes at once: an answer or one sentence for each, whatever a node does."""

import threading
from collections.abc import Iterable, Sequence

import pytest

from loadgen.fleet.connections.ssh import Remote, agent_command, ask, ask_all, on_all
from loadgen.fleet.inventory import Node
from loadgen.fleet.requests import Settle, Status
from loadgen.shared.errors import OperationError
from tests.unit.fleet.test_agent import WORKERS

NODE = Node("worker1", "10.0.0.1", "10.0.0.1", user="deploy")
ANSWER = (
    '{"name": "worker1", "is_master": false, "release": "r", "locust_version": "2",'
    f' "units": {{"{WORKERS[0]}": "active"}}, "run_id": null}}'
)


class Answering(Remote):
    """A node that answers every command alike; `asked` has command and input."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.node, self.answer = NODE, answer
        self.asked: list[tuple[str, bytes]] = []

    def run(
        self,
        command: Sequence[str],
        stdin: bytes = b"",
        timeout: float = 0.0,
        more: Iterable[bytes] = (),
    ) -> bytes:
        del timeout, more
        self.asked.append((command[-1], stdin))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_request_goes_through_standard_input_and_never_onto_a_command_line() -> None:
    remote = Answering(ANSWER.encode())
    assert ask(remote, Settle(processes={WORKERS[0]: 7})).workers == 1
    ((command, stdin),) = remote.asked
    assert command.endswith("-m loadgen.fleet.agent settle")
    assert stdin == b'{"processes":{"loadgen-worker@1.service":7}}\n'
    assert agent_command(Status)[-1].startswith("cd /opt/loadgen/current 2>/dev/null || ")


@pytest.mark.parametrize("answer", [b"", b"motd\n{}", b'{"name": "x"}', b"\xff"])
def test_an_answer_of_another_release_is_one_sentence(answer: bytes) -> None:
    with pytest.raises(OperationError, match=r"answered 'status' in a way .*make deploy"):
        ask(Answering(answer), Status())


def test_one_nodes_fault_hides_no_other_node() -> None:
    remotes = {"good": Answering(ANSWER.encode()), "bad": Answering(OperationError("is down"))}
    found = ask_all(remotes, Status())
    assert list(found.answers) == ["good"]
    assert found.faults == {"bad": "is down"}


def test_nodes_are_asked_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=5)
    remotes = {name: Answering(b"") for name in ("a", "b")}
    assert len(on_all(remotes, lambda _: both.wait()).answers) == 2
