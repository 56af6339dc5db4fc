"""A run on this machine hears its master's last words, however late they come."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
import zmq

from loadgen.cluster import local
from loadgen.cluster.local import LocalCluster
from loadgen.shared.processes import Child
from loadgen.specification.run import specify
from tests.unit.samples import snapshot

ENDED = cast("Child", SimpleNamespace(alive=False, kill=lambda: None, fault=None, exit_code=9))


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    """One whose master has ended."""
    cluster = LocalCluster(specify({}))
    cluster._master = ENDED
    yield cluster
    cluster.kill()


def test_the_last_words_of_a_master_that_has_ended_are_waited_for(cluster: LocalCluster) -> None:
    words = [replace(snapshot(1), exit_code=7), replace(snapshot(2), exit_code=7, parting=True)]
    with zmq.Context() as context, context.socket(zmq.XPUB) as master:
        cluster._subscription.subscribe(b"")
        cluster._subscription.connect(
            f"tcp://127.0.0.1:{master.bind_to_random_port('tcp://127.0.0.1')}"
        )
        assert master.poll(5000), "nobody has subscribed"

        def speak() -> None:
            for word in words:
                master.send(word.pack())

        late = threading.Timer(0.1, speak)
        late.start()
        cluster.finish()
        late.join()
    assert [cluster.next_snapshot(0), cluster.next_snapshot(0)] == words


def test_a_master_without_last_words_costs_a_moment(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "PARTING_SECONDS", 0.01)
    cluster.finish()
    assert cluster.next_snapshot(0) is None


@pytest.mark.parametrize(("code", "asked"), [(9, 9), (0, None), (-11, None)])
def test_the_exit_code_of_a_master_that_was_ended_while_it_quit_is_asked_for(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch, code: int, asked: int | None
) -> None:
    monkeypatch.setattr(local, "PARTING_SECONDS", 0.01)
    monkeypatch.setattr(ENDED, "exit_code", code)
    cluster._last = snapshot(1)
    faults = cluster.finish()
    assert [one[:21] for one in faults.values()] == (["was ended by SIGSEGV "] if code < 0 else [])
    last = cluster.next_snapshot(0)
    assert (last.exit_code if last else None) == asked
