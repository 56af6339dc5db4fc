"""Hosts that joined a run while it was under way, found at its end."""

from pathlib import Path

import pytest

from loadgen.fleet import joined
from loadgen.fleet.connections.ssh import Outcomes, Remote
from loadgen.fleet.inventory import Inventory, Node
from loadgen.fleet.requests import NodeReport
from loadgen.shared.errors import UsageError

RUN, OTHER = "20261121T101500Z-hello-0001", "20261121T101500Z-hello-0002"
MASTER, FIRST, NEW, IDLE, DOWN = (Node(name, name, name) for name in "mabcd")
FLEET = Inventory(Path("hosts.yml"), MASTER, (FIRST,), ())


def report(name: str, run_id: str | None) -> NodeReport:
    return NodeReport.model_validate(
        {"name": name, "is_master": False, "release": "r", "locust_version": "2", "units": {}}
        | {"run_id": run_id}
    )


@pytest.fixture(autouse=True)
def grown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the inventory have three hosts more by now: one in the run, one in none, one down."""
    now = Inventory(Path("hosts.yml"), MASTER, (FIRST, NEW, IDLE, DOWN), ())
    monkeypatch.setattr(joined, "load_inventory", lambda *_: now)

    def ask_all(remotes: dict[str, Remote], _: object) -> Outcomes[NodeReport]:
        assert sorted(remotes) == [NEW.name, IDLE.name, DOWN.name]
        answers = {"b": report("b", RUN), "c": report("c", OTHER)}
        return Outcomes(answers, {"d": "is down"})

    monkeypatch.setattr(joined, "ask_all", ask_all)


def test_a_host_that_joined_the_run_belongs_to_its_end() -> None:
    found = joined.find_joined(FLEET, {"m", "a"}, RUN)
    assert list(found) == ["b"]
    assert joined.with_joined(FLEET, found).workers == (FIRST, NEW)


def test_nobody_is_asked_for_a_password_at_a_runs_end(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = Inventory(Path("hosts.yml"), MASTER, (FIRST,), (), vault=("--ask-vault-pass",))
    assert joined.find_joined(asking, {"m", "a"}, RUN) == {}

    def broken(*_: object) -> Inventory:
        raise UsageError("somebody is editing it")

    monkeypatch.setattr(joined, "load_inventory", broken)
    assert joined.find_joined(FLEET, {"m", "a"}, RUN) == {}
