"""What a listener does to leave at once while Locust quits is borne, said and found again."""

import logging
import os
import sys
from pathlib import Path

import pytest
from locust.env import Environment

from loadgen.node.statistics.exits import (
    AskedExit,
    Exits,
    RaisedWhileQuitting,
    asked,
    raised,
)

LINE = "[2026-11-26 10:00:00,000] host/ERROR/loadgen.node.statistics.exits: "


class LeftError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """One whose exits are watched; `os._exit` only raises."""

    def leave(status: int) -> None:
        raise LeftError(status)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(logging, "shutdown", lambda: None)
    return watched(on_worker=False)


def watched(*, on_worker: bool) -> Environment:
    made = Environment()
    Exits(made, "run", lambda: called.append("reports"), on_worker=on_worker).watch()
    called.clear()
    return made


called: list[str] = []


@pytest.mark.parametrize("event", ["quitting", "quit"])
@pytest.mark.parametrize(("given", "code"), [(7, 7), (None, 0), ("no data", 1)])
def test_the_other_listeners_are_called_after_one_that_exits(
    environment: Environment, event: str, given: object, code: int
) -> None:
    hook = getattr(environment.events, event)
    hook.add_listener(lambda **_: sys.exit(given))  # type: ignore[arg-type]
    hook.add_listener(lambda **_: called.append("after"))
    hook.fire()
    assert called == ["after"]
    assert environment.process_exit_code == code


def test_on_a_worker_only_what_was_asked_for_before_it_quits_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    judging, working = watched(on_worker=True), watched(on_worker=True)
    working.process_exit_code = 7
    for environment in (judging, working):

        def judge(environment: Environment = environment, **_: object) -> None:
            environment.process_exit_code = 1

        environment.events.quitting.add_listener(judge)
        environment.events.quitting.fire()
        environment.events.quit.fire()
    assert caplog.messages == ["Run run: the locustfile asked for exit code 7"]


@pytest.mark.usefixtures("environment")
def test_os_exit_says_its_code_and_finishes_the_reports(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(LeftError):
        os._exit(3)
    assert called == ["reports"]
    assert caplog.messages == ["Run run: the locustfile asked for exit code 3"]


def test_codes_are_found_in_the_logs_of_their_own_run(tmp_path: Path) -> None:
    logs = tmp_path / "hosts" / "worker1"
    logs.mkdir(parents=True)
    said = "the locustfile asked for exit code"
    (logs / "a.log").write_text(f"{LINE}Run run: {said} 0\n{LINE}Run run: {said} 7\nthe end\n")
    (logs / "b.log").write_text(f"{LINE}Run run-2: {said} 8\n")
    (logs / "c.log").write_text(f"{LINE}Run run: {said} 9\n{LINE}Run run: {said} 0\n")
    (logs / "d.log").symlink_to(logs / "a.log")
    (logs / "e.log").write_bytes(b"\xff")
    assert list(asked(tmp_path, "run")) == [AskedExit(7, "hosts/worker1/a.log")]


@pytest.mark.parametrize("event", ["quitting", "quit"])
def test_what_a_workers_listener_raises_while_it_quits_is_said_in_its_log_and_found(
    event: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def fail(**_: object) -> None:
        raise ValueError("broken\nin two lines " + "x" * 1000)

    for on_worker in (True, False):
        caplog.clear()
        hook = getattr(watched(on_worker=on_worker).events, event)
        hook.add_listener(fail)
        hook.add_listener(lambda **_: called.append("after"))
        hook.fire()
        assert called == ["after"]
        log = tmp_path / "hosts" / "localhost" / "one.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(f"{LINE}{one.getMessage()}\n" for one in caplog.records))
        found = list(raised(tmp_path, "run"))
        if on_worker:
            (one,) = found
            assert one == RaisedWhileQuitting(one.text, "hosts/localhost/one.log")
            assert one.text.startswith("ValueError: broken in two lines xxx")
            assert len(one.text) == 300
        else:
            assert found == [], "a master says it to the run itself"
        assert list(raised(tmp_path, "another")) == []
