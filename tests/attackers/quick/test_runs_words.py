"""What a locustfile leaves on its host: root's agent can be asked about it, and told to end it."""

import io
import json
import os
import socket
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from loadgen.fleet import (
    agent,
    agent_files,
    agent_report,
    agent_run,
    agent_snapshots,
    agent_units,
    foreign_tar,
)
from loadgen.fleet.agent_units import MASTER_UNIT
from loadgen.fleet.requests import Collect, NodeReport
from loadgen.node import control
from loadgen.node.settings import NodeSettings, RunSettings
from loadgen.shared.project import PROJECT
from loadgen.shared.run_ids import RunId, run_directory
from tests.faults.record import Outcome
from tests.unit.fleet.test_agent import WORKERS, Systemd, paragraph

PART = "Attackers: a hostile locustfile"
RUN = RunId("20261121T101500Z-hello-0001")
PLAIN = json.loads(RunSettings(run_id=RUN, locustfiles=("a.py",)).model_dump_json())
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root's agent becomes another user")


@pytest.fixture
def node(open_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeSettings:
    """A master's host, whose runs' user is `nobody`."""
    state = open_directory / "run"
    state.mkdir()
    os.chown(state, 65534, 65534)
    systemd = Systemd(tmp_path)
    systemd.enable(paragraph(MASTER_UNIT), paragraph(WORKERS[0]))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(agent_units, "WANTS", systemd.wants)
    monkeypatch.setattr(agent_files, "USER", "nobody")
    monkeypatch.setattr(agent_report, "RUNS", open_directory / "runs")
    ask = control.request
    monkeypatch.setattr(control, "request", lambda where, what: ask(where, what, 0.02))
    return NodeSettings(
        name="n", release_directory=PROJECT, keys_directory=state, state_directory=state
    )


def said(node: NodeSettings) -> NodeReport:
    """Have the agent say what a controller then reads."""
    return NodeReport.model_validate_json(agent_report.report(node).model_dump_json())


ODD_RUNS: tuple[dict[str, Any], ...] = (
    *({"scenario_directory": text} for text in ("/opt/x", "/", "", "/a\0b", "/" + "a" * 5000)),
    *({"packages_directory": text} for text in ("/opt/x", "relative", "..", "\n", "/" + "f" * 65)),
)
ODD_TIMES = (-1e6, -1.0, 2**33, 1e11 + 1, 2e11)


@pytest.mark.fault(
    PART, "A locustfile writes unusual names and times into run.json, and a very long master state."
)
def test_a_host_can_be_asked_whatever_its_run_says(
    node: NodeSettings, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    place = node.state_directory / "run.json"
    for odd in ODD_RUNS:
        with agent_files.as_owner():
            place.write_text(json.dumps(PLAIN | odd))
        assert said(node).run_id == RUN, odd
    place.write_text(json.dumps(PLAIN))
    for moment in ODD_TIMES:
        monkeypatch.setattr(agent_files, "changed_at", lambda _, moment=moment: moment)
        assert said(node).run_id == RUN, moment
    monkeypatch.setattr(control, "request", lambda *_: {"state": "x" * 60_000})
    assert len(str(said(node).state)) == 300
    outcome(f"The host still reports its run in all {len(ODD_RUNS) + len(ODD_TIMES) + 1} cases.")


def test_a_worker_has_no_specification_that_it_would_read(
    node: NodeSettings, tmp_path: Path, open_directory: Path
) -> None:
    """As where an administrator has made the directory for results, with a umask of 077."""
    (tmp_path / "wants" / MASTER_UNIT).unlink()
    (tmp_path / "shown").write_text(paragraph(WORKERS[0]))
    run_directory(open_directory / "runs", RUN).mkdir(parents=True)
    (open_directory / "runs").chmod(0o700)
    with agent_files.as_owner():
        (node.state_directory / "run.json").write_text(json.dumps(PLAIN))

    assert said(node).faults == []


@pytest.mark.fault(
    PART,
    "A locustfile replaces the control socket with a link to a socket that only root can open.",
)
def test_root_connects_to_nothing_of_roots(
    node: NodeSettings, open_directory: Path, outcome: Outcome
) -> None:
    roots = open_directory / "roots"
    roots.mkdir(0o700)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(roots / "sock"))
        listening.listen()
        listening.settimeout(0.2)
        with agent_files.as_owner():
            (node.state_directory / "control.sock").symlink_to(roots / "sock")
        with pytest.raises(TimeoutError):
            agent_report.ask_master(node, "quit")
        with pytest.raises(TimeoutError):
            listening.accept()
    outcome("The agent does not connect to that socket.")


def test_snapshots_are_followed_as_the_runs_user(
    node: NodeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users: list[int] = []

    def context() -> object:
        users.append(os.geteuid())
        raise KeyboardInterrupt

    monkeypatch.setattr("loadgen.fleet.agent_snapshots.zmq.Context", context)
    (tmp_path / "node.json").write_text(node.model_dump_json())
    (tmp_path / "node.json").chmod(0o600)
    with pytest.raises(KeyboardInterrupt):
        agent_snapshots.follow(tmp_path / "node.json")

    assert users == [65534]
    assert os.geteuid() == 0


class Shrinking(io.BytesIO):
    """What a tar is written to; the first thing written cuts the files that are packed."""

    def __init__(self, run: Path) -> None:
        super().__init__()
        self.run = run

    def write(self, content: Any) -> int:
        for path in self.run.iterdir():
            if path.stat().st_size > 9000:
                os.truncate(path, 7)
        return super().write(content)


@pytest.mark.fault(PART, "A locustfile truncates a file while the agent packs it.")
def test_a_file_that_shrinks_takes_no_other_with_it(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    monkeypatch.setattr(agent_files, "USER", "nobody")
    run = open_directory / "run"
    run.mkdir()
    os.chown(run, 65534, 65534)
    with agent_files.as_owner():
        (run / "large.log").write_bytes(os.urandom(1 << 20))
        for name in "abcdef":
            (run / f"{name}.log").write_bytes(b"x" * 5000)
    sent = Shrinking(run)
    with tarfile.open(fileobj=sent, mode="w|gz") as packed:
        agent_files.add_results(packed, run)
    sent.seek(0)
    found = {
        info.name: len(content.read()) if content else 0
        for info, content in foreign_tar.members_of(sent)
    }

    assert found == {"results/large.log": 1 << 20} | {f"results/{n}.log": 5000 for n in "abcdef"}
    outcome("The rest of that file becomes zeros, and every other file is complete.")


@pytest.mark.fault(
    PART, "A locustfile creates 3,000 files where a host stores the verdicts of runs."
)
def test_a_crowd_of_verdicts_holds_nobody_up(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    verdicts = open_directory / "verdicts"
    verdicts.mkdir()
    os.chown(verdicts, 65534, 65534)
    monkeypatch.setattr(agent_files, "USER", "nobody")
    monkeypatch.setattr(agent_files, "VERDICTS", verdicts)
    with agent_files.as_owner():
        for number in range(3000):
            (verdicts / str(number)).touch()
    agent_files.keep_figures(RUN, "{}")

    assert (verdicts / RUN / "summary.json").read_text() == "{}"
    assert len(list(verdicts.iterdir())) == 2001
    outcome("The agent removes a thousand of these files at a time.")


def test_a_journal_is_kept_nowhere_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "journalctl"
    program.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked\nyes line | head -c 3000000\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(agent, "JOURNAL_BYTES_MAX", 1 << 16)
    kept = agent._journal("unit", Collect(since=time.time()))

    assert (1 << 16) - 5 <= len(kept) <= 1 << 16
    assert kept.startswith(b"line\n")
    assert f"--lines={agent.JOURNAL_LINES_MAX}" in (tmp_path / "asked").read_text()
    assert agent._journal("unit", Collect(lines=7))
    assert "--lines=7" in (tmp_path / "asked").read_text()


def test_the_masters_process_is_asked_in_one_place() -> None:
    """`ask_master` does so as the runs' user."""
    sources = {path: path.read_text() for path in Path(agent_run.__file__).parent.glob("agent*.py")}

    assert [path.name for path, text in sources.items() if "control.request" in text] == [
        "agent_report.py"
    ]
