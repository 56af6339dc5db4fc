"""The agent's verbs on a node whose systemd is a script that notes what it was asked."""

import contextlib
import io
import os
from pathlib import Path

import pytest

from loadgen.fleet import agent, agent_files, agent_report, agent_run, agent_units, collecting
from loadgen.fleet.agent_units import EXPORTER_UNIT, MASTER_UNIT, Units, parse_units
from loadgen.fleet.requests import (
    Abort,
    AgentAnswer,
    Collect,
    Drain,
    Finish,
    Halt,
    Keep,
    NodeReport,
    Prepare,
    Settle,
    Start,
    Status,
)
from loadgen.node.__main__ import locust_arguments
from loadgen.node.settings import (
    DRAINED_FILE,
    NodeSettings,
    RunSettings,
    load_idle_settings,
    load_run_settings,
)
from loadgen.shared.errors import BusyError, OperationError
from loadgen.shared.project import PROJECT
from loadgen.shared.run_ids import RunId

WORKERS = [f"loadgen-worker@{n}.service" for n in (1, 2, 10)]
SYSTEMCTL = """#!/bin/sh
echo "$*" >> "{log}"
case "$1" in show) cat "{shown}";; stop) test ! -e "{refuses}" || {{ echo broken >&2; exit 1; }};;
esac
"""


def paragraph(name: str, state: str = "active", process: int = 0, restarts: int = 0) -> str:
    return (
        f"Id={name}\nActiveState={state}\nMainPID={process}\nNRestarts={restarts}\n"
        "LimitNOFILE=65536\n"
    )


RUN_1, RUN_2 = "20261121T101500Z-hello-0001", "20261121T101600Z-hello-0002"


class Systemd:
    """Units that are enabled and what is known of them; `asked` has systemctl's arguments."""

    def __init__(self, directory: Path) -> None:
        self.log, self.shown = directory / "asked", directory / "shown"
        self.refuses, self.wants = directory / "refuses", directory / "wants"
        self.wants.mkdir()
        program = directory / "bin" / "systemctl"
        program.parent.mkdir()
        program.write_text(SYSTEMCTL.format(log=self.log, shown=self.shown, refuses=self.refuses))
        program.chmod(0o755)

    def enable(self, *paragraphs: str) -> None:
        for text in paragraphs:
            (self.wants / text.splitlines()[0].removeprefix("Id=")).touch()
        self.shown.write_text("\n".join(paragraphs))

    @property
    def asked(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def asked_to(self, verb: str) -> list[str]:
        return [line.partition(" ")[2] for line in self.asked if line.split()[0] == verb]


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    made = Systemd(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(agent_units, "WANTS", made.wants)
    return made


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeSettings:
    monkeypatch.setattr(agent_files, "as_owner", contextlib.nullcontext)
    for module in (agent_report, agent_run):
        monkeypatch.setattr(module, "QUIT_SECONDS", 0.2, raising=False)
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.setattr(agent_report, "RUNS", tmp_path / "runs")
    return NodeSettings(
        name="node1", release_directory=PROJECT, keys_directory=state, state_directory=state
    )


def run_settings(run_id: str = RUN_1, results: Path | None = None) -> RunSettings:
    return RunSettings(run_id=RunId(run_id), locustfiles=("a.py",), results_directory=results)


def prepare(node: NodeSettings, run_id: str = RUN_1, results: Path | None = None) -> NodeReport:
    run = run_settings(run_id, results)
    return agent_run.prepare(node, Prepare(run=run, specification="{}"))


def test_systemd_is_asked_once_for_all_units_and_workers_are_sorted_by_number(
    systemd: Systemd,
) -> None:
    systemd.enable(*(paragraph(name) for name in (EXPORTER_UNIT, MASTER_UNIT, *WORKERS)))
    (systemd.wants / "loadgen-firewall.service").touch()
    (systemd.wants / "sshd.service").touch()
    assert list(Units.now()) == [EXPORTER_UNIT, MASTER_UNIT, *WORKERS]
    assert len(systemd.asked) == 1


def test_units_are_read_with_what_systemd_may_leave_out() -> None:
    old = "Id=loadgen-worker@1.service\nActiveState=failed\nMainPID=0\nLimitNOFILE=infinity\n"
    (unit,) = parse_units(old)
    assert (unit.state, unit.process, unit.restarts) == ("failed", 0, 0)
    assert unit.open_files == agent_units.UNLIMITED


def test_a_host_without_units_has_none_and_asks_nobody(systemd: Systemd) -> None:
    assert Units.now() == {}
    assert systemd.asked == []


def test_status_tells_states_and_the_run(systemd: Systemd, node: NodeSettings) -> None:
    systemd.enable(paragraph(WORKERS[0]), paragraph(WORKERS[1], "failed"))
    prepare(node)
    found = agent.status(node, Status())
    assert found.units == {WORKERS[0]: "active", WORKERS[1]: "failed"}
    assert (found.is_master, found.workers, found.run_id) == (False, 2, RUN_1)


def test_the_masters_run_is_a_lock_and_a_workers_is_replaced(
    systemd: Systemd, node: NodeSettings
) -> None:
    systemd.enable(paragraph(MASTER_UNIT, "inactive"))
    prepare(node)
    with pytest.raises(BusyError, match=f"run {RUN_1} is under way on that host"):
        prepare(node, RUN_2)
    assert agent.status(node, Status()).run_id == RUN_1

    (systemd.wants / MASTER_UNIT).unlink()
    systemd.enable(paragraph(WORKERS[0]))
    assert prepare(node, RUN_2).run_id == RUN_2


def test_a_run_that_cant_be_prepared_leaves_no_lock(systemd: Systemd, node: NodeSettings) -> None:
    systemd.enable(paragraph(MASTER_UNIT, "inactive"))
    lost = run_settings(RUN_1, None).model_copy(update={"scenario_directory": Path("/nowhere")})
    with pytest.raises(OperationError, match="no longer exists"):
        agent_run.prepare(node, Prepare(run=lost, specification="{}"))
    assert prepare(node, RUN_2).run_id == RUN_2


def test_idle_processes_end_at_once_and_a_fault_of_systemds_is_said(
    systemd: Systemd, node: NodeSettings
) -> None:
    systemd.enable(*(paragraph(name) for name in (EXPORTER_UNIT, MASTER_UNIT, WORKERS[0])))
    agent_run.halt(node, Halt())
    names = f"{MASTER_UNIT} {WORKERS[0]}"
    assert systemd.asked_to("kill") == [f"--signal=KILL {names}"]
    assert systemd.asked_to("stop") == [names]
    systemd.refuses.touch()
    with pytest.raises(OperationError, match="broken; see journalctl"):
        agent_run.halt(node, Halt())


def test_run_json_is_for_its_owner_alone(systemd: Systemd, node: NodeSettings) -> None:
    systemd.enable(paragraph(WORKERS[0]))
    prepare(node)
    assert (node.state_directory / "run.json").stat().st_mode & 0o777 == 0o600


def test_the_masters_results_hold_what_another_process_needs(
    systemd: Systemd, node: NodeSettings, tmp_path: Path
) -> None:
    systemd.enable(paragraph(MASTER_UNIT, "inactive"))
    found = prepare(node, RUN_1, tmp_path / "runs" / RUN_1)
    assert found.specification == "{}"


def test_start_starts_the_master_and_as_many_workers_as_wanted(
    systemd: Systemd, node: NodeSettings
) -> None:
    systemd.enable(*(paragraph(name, "inactive") for name in (MASTER_UNIT, *WORKERS)))
    agent_run.start(node, Start(workers=2))
    assert systemd.asked_to("start") == [" ".join([MASTER_UNIT, *WORKERS[:2]])]


def test_finish_forgets_the_run_and_tells_restarts_and_processes(
    systemd: Systemd, node: NodeSettings
) -> None:
    systemd.enable(paragraph(WORKERS[0], process=7, restarts=3), paragraph(WORKERS[1], "inactive"))
    prepare(node)
    found = agent_run.finish(node, Finish())
    assert found.faults == [f"{WORKERS[0]} ended by itself 3 times and was started again"]
    assert found.processes == {WORKERS[0]: 7}
    assert agent.status(node, Status()).run_id is None


def test_settle_kills_a_process_that_doesnt_end_and_starts_idle_ones(
    systemd: Systemd, node: NodeSettings
) -> None:
    systemd.enable(paragraph(WORKERS[0]), paragraph(WORKERS[1]))
    gone = 2**22 + 1
    found = agent_run.settle(node, Settle(processes={WORKERS[0]: 1, WORKERS[1]: gone}))
    assert systemd.asked_to("kill") == [f"--signal={s} {WORKERS[0]}" for s in ("TERM", "KILL")]
    assert systemd.asked_to("start") == [" ".join(WORKERS[:2])]
    assert found.faults == [f"{WORKERS[0]} did not end when asked and was killed"]


def test_a_drained_host_says_so_until_the_run_is_over(systemd: Systemd, node: NodeSettings) -> None:
    systemd.enable(paragraph(WORKERS[0]))
    note = node.state_directory / DRAINED_FILE
    for _ in range(2):
        prepare(node)
        agent_run.drain(node, Drain())
        assert note.exists()
        assert agent.status(node, Status()).run_id is None
    agent_run.finish(node, Finish())
    assert not note.exists()
    agent_run.drain(node, Drain())
    agent_run.abort(node, Abort())
    assert not note.exists()
    agent_run.drain(node, Drain())
    prepare(node)
    assert not note.exists()


def ask(*requests: str) -> list[AgentAnswer]:
    """Have an agent serve these requests; return its answers."""
    answers = io.BytesIO()
    agent.serve(io.BytesIO("".join(f"{one}\n" for one in requests).encode()), answers)
    return [AgentAnswer.model_validate_json(line) for line in answers.getvalue().splitlines()]


def test_an_agent_answers_one_request_after_another_with_a_report_or_one_sentence(
    systemd: Systemd, node: NodeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd.enable(paragraph(WORKERS[0]))
    settings = tmp_path / "node.json"
    settings.write_text(node.model_dump_json())
    monkeypatch.setattr(agent, "SETTINGS", settings)
    told = ask("status {}", "start {}", "sta\xfftus {}", 'status {"users": 3}', "status {}")
    assert [bool(one.report) for one in told] == [True, False, False, False, True]
    assert told[4].report == told[0].report
    assert told[0].report
    assert told[0].report.name == "node1"
    faults = [one.fault for one in told[1:4]]
    assert all("is not from this release" in one and "\n" not in one for one in faults), faults
    settings.unlink()
    assert "run loadgen deploy to write it" in ask("status {}")[0].fault


def test_an_agent_that_a_request_breaks_answers_the_next(
    node: NodeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "node.json"
    settings.write_text(node.model_dump_json())
    monkeypatch.setattr(agent, "SETTINGS", settings)
    monkeypatch.setattr(agent, "report", None)
    told = ask("status {}", "status {}")
    assert [one.fault[:35] for one in told] == ["'status' failed on that host: TypeEr"[:35]] * 2


def test_the_exporter_is_given_the_verdicts_of_the_newest_runs(
    node: NodeSettings, systemd: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd.enable(paragraph(MASTER_UNIT))
    monkeypatch.setattr(agent_files, "VERDICTS", tmp_path / "verdicts")
    monkeypatch.setattr(agent_files, "VERDICTS_MAX", 2)
    for second in range(4):
        run_id = RunId(f"20261121T10150{second}Z-hello-0001")
        agent.keep(node, Keep(run_id=run_id, figures=f'{{"requests": {second}}}'))
    kept = {path.parent.name: path.read_text() for path in tmp_path.glob("verdicts/*/*")}
    assert kept == {
        f"20261121T10150{second}Z-hello-0001": f'{{"requests": {second}}}' for second in (2, 3)
    }


def test_what_a_run_left_is_packed_quickly_and_arrives_whole(
    systemd: Systemd,
    node: NodeSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    systemd.enable()
    monkeypatch.setattr(agent, "RUNS", tmp_path / "runs")
    chunk = tmp_path / "runs" / RUN_1 / "requests" / "worker-00000.parquet"
    chunk.parent.mkdir(parents=True)
    chunk.write_bytes(rows := os.urandom(1 << 16))
    agent.collect(node, Collect(run_id=RunId(RUN_1)))
    sent = capsysbinary.readouterr().out
    # gzip's header says how it packed (RFC 1952, XFL): 4 is the fastest, 2 takes 58 times as long.
    assert sent[8] == 4
    collecting.unpack(io.BytesIO(sent), tmp_path / "here", "node1", into_run=False)
    found = tmp_path / "here" / "hosts" / "node1" / "requests" / chunk.name
    assert found.read_bytes() == rows


def test_every_verb_has_a_handler_and_one_model() -> None:
    verbs = [kind.verb for kind in (*agent.SERVED, *agent.TARS)]
    assert len(set(verbs)) == len(verbs) == 16


@pytest.mark.parametrize("stays", [True, False])
def test_what_was_run_last_stays_on_offer_unless_it_needed_secrets(
    systemd: Systemd, node: NodeSettings, stays: bool
) -> None:
    systemd.enable(paragraph(WORKERS[0]))
    prepare(node)
    run = load_run_settings(node)
    assert run
    path = node.state_directory / "run.json"
    path.write_text(run.model_copy(update={"stays_on_offer": stays}).model_dump_json())
    agent_run.finish(node, Finish())
    idle = load_idle_settings(node)
    assert (idle is not None) is stays
    assert not path.exists()
    if idle:
        assert (node.state_directory / "idle.json").stat().st_mode & 0o777 == 0o600
        arguments = locust_arguments("worker", node, None, idle)
        assert arguments[:2] == ["-f", str(node.release_directory / "a.py")]
