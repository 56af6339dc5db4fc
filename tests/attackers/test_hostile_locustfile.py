"""A locustfile that rewrites all its user may write, before each verb: root is led nowhere.

The agent's own code runs here as root on a real directory tree, whose places the runs' user has
replaced by links, pipes, directories, devices' worth of nothing, and noise, as fast as it can.
"""

import contextlib
import io
import json
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from loadgen.fleet import agent, agent_files, agent_report, agent_run, agent_scenarios, agent_units
from loadgen.fleet.requests import (
    AgentAnswer,
    AgentRequest,
    Collect,
    Forget,
    Keep,
    Prepare,
    Settle,
)
from loadgen.node import control
from loadgen.node.settings import RunSettings
from loadgen.shared.project import PROJECT
from loadgen.shared.run_ids import RunId
from tests.attackers.racing import racing
from tests.faults.record import Outcome
from tests.unit.fleet.test_agent import WORKERS, Systemd, paragraph
from tests.unit.playbooks.modules import run_module
from tests.unit.playbooks.roles import ROLES

PART = "Attackers: a hostile locustfile"
RUN = RunId("20261121T101500Z-hello-0001")
NOBODY = 65534
ROUNDS = 25
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led astray")


class Host:
    """A host's directories: root's own, and those of the runs' user, who is `nobody`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.state, self.kept = home / "run", home / "var"
        self.roots = home / "roots"
        for path in (self.state, self.kept, self.roots):
            path.mkdir(0o755)
        for path in (self.state, self.kept):
            os.chown(path, NOBODY, NOBODY)
        self.secret = self.roots / "secret"
        self.secret.write_text("root's own words")
        self.secret.chmod(0o600)
        self.settings = home / "node.json"
        fields = {
            "name": "master1", "release_directory": str(PROJECT),
            "keys_directory": str(self.roots), "state_directory": str(self.state),
        }  # fmt: skip
        self.settings.write_text(json.dumps(fields))

    @property
    def places(self) -> list[Path]:
        """What the agent looks for, in directories where the runs' user makes names."""
        run, verdict = self.kept / "runs" / RUN, self.kept / "verdicts" / RUN
        return [
            *(self.state / name for name in ("run.json", "idle.json", "metrics.prom")),
            *(self.state / name for name in ("control.sock", "publisher.sock")),
            self.kept / "runs", self.kept / "verdicts", run, verdict,
            *(run / name for name in ("specification.json", "requests", "locust.html")),
            *(verdict / name for name in ("summary.json", "summary.json.new")),
        ]  # fmt: skip

    def look(self) -> list[tuple[str, int, int, int, str]]:
        """Everything of root's: names, owners, modes, contents."""
        return [
            (
                str(path.relative_to(self.home)), path.stat().st_uid, path.stat().st_gid,
                path.stat().st_mode, path.read_text() if path.is_file() else "",
            )
            for path in sorted([self.roots, *self.roots.rglob("*"), self.settings])
        ]  # fmt: skip

    def plant(self, dice: random.Random) -> None:
        """Put something in each place, as the runs' user."""
        with agent_files.as_owner():
            for place in self.places:
                remove(place)
                with contextlib.suppress(OSError):
                    dice.choice(PLANTS)(place, self)


def remove(place: Path) -> None:
    with contextlib.suppress(OSError):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()


def listen(place: Path, _: Host) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(place))


def whole(place: Path, host: Host) -> None:
    """What the kit itself would have there."""
    if place.name in ("run.json", "idle.json"):
        run = RunSettings(run_id=RUN, locustfiles=("a.py",), stays_on_offer=True)
        place.write_text(run.model_dump_json())
    elif place in (host.kept / "runs", host.kept / "verdicts") or place.name == RUN:
        place.mkdir()
    else:
        place.write_text(f'{{"run_id="{RUN}""}}')


def sparse(place: Path, _: Host) -> None:
    place.touch()
    os.truncate(place, 300 << 20)


PLANTS: tuple[Callable[[Path, Host], object], ...] = (
    whole,
    whole,
    lambda place, host: place.symlink_to(host.secret),
    lambda place, host: place.symlink_to(host.roots),
    lambda place, host: place.symlink_to(host.roots / "made-by-root"),
    lambda place, _: place.symlink_to(place),
    lambda place, _: os.mkfifo(place),
    lambda place, _: (place / "deep" / "er").mkdir(parents=True),
    lambda place, _: place.write_bytes(b"\xff{[" * 5000),
    lambda place, _: place.write_text('{"run_id":' + "[" * 100_000),
    sparse,
    listen,
    lambda *_: None,
)
VERBS: dict[str, AgentRequest | None] = {
    "status": None,
    "prepare": Prepare(
        run=RunSettings(run_id=RUN, locustfiles=("a.py",), results_directory=Path("to be set")),
        specification="{}",
    ),
    "halt": None,
    "finish": None,
    "settle": Settle(processes={WORKERS[0]: 2**31 - 9}),
    "collect": Collect(run_id=RUN),
    "keep": Keep(run_id=RUN, figures="{}"),
    "forget": Forget(run_id=RUN),
    "drain": None,
    "stop": None,
    "abort": None,
}


@pytest.fixture
def tmp_path(open_directory: Path) -> Path:
    """Where `nobody` gets to."""
    return open_directory


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    home = tmp_path / "host"
    home.mkdir(0o755)
    host = Host(home)
    systemd = Systemd(tmp_path)
    for name in ("journalctl",):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    systemd.enable(paragraph(agent_units.MASTER_UNIT), paragraph(WORKERS[0]))
    monkeypatch.setattr(agent_units, "WANTS", systemd.wants)
    monkeypatch.setattr(agent_files, "USER", "nobody")
    monkeypatch.setattr(agent_files, "LAST_SCRAPE_SECONDS", 0.02)
    for module in (agent, agent_report, agent_files):
        monkeypatch.setattr(module, "RUNS", host.kept / "runs")
    monkeypatch.setattr(agent_files, "VERDICTS", host.kept / "verdicts")
    monkeypatch.setattr(agent_run, "QUIT_SECONDS", 0.02)
    for name in ("SCENARIOS", "PACKAGES", "HASHES"):
        monkeypatch.setattr(agent_scenarios, name, host.roots / name.lower())
    monkeypatch.setattr(agent, "SETTINGS", host.settings)
    ask = control.request
    monkeypatch.setattr(control, "request", lambda where, what: ask(where, what, 0.02))
    return host


def carry_out(
    verb: str, host: Host, monkeypatch: pytest.MonkeyPatch, said: pytest.CaptureFixture[bytes]
) -> tuple[bool, bytes]:
    """Run a verb of the agent as `loadgen` asks for it; return if it answered, and all it says."""
    request = VERBS[verb]
    if isinstance(request, Prepare):
        run = request.run.model_copy(update={"results_directory": host.kept / "runs" / RUN})
        request = request.model_copy(update={"run": run})
    content = request.model_dump_json() if request else "{}"
    if verb == "collect":
        stdin = SimpleNamespace(buffer=io.BytesIO(f"{content}\n".encode()))
        monkeypatch.setattr(sys, "stdin", stdin)
        code = agent.main([verb])
        output, errors = said.readouterr()
        fault = errors.decode().strip() if code else ""
    else:
        answers = io.BytesIO()
        agent.serve(io.BytesIO(f"{verb} {content}\n".encode()), answers)
        output, errors = answers.getvalue(), said.readouterr().err
        fault = AgentAnswer.model_validate_json(output).fault
    assert b"Traceback" not in errors, errors
    assert "\n" not in (fault or ""), fault
    return not fault, output + errors


@pytest.mark.fault(
    PART,
    f"A locustfile changes the run's files in {len(PLANTS)} ways, {ROUNDS} times, before "
    "each command.",
)
@pytest.mark.timeout(120)
def test_root_is_led_nowhere_by_what_lies_there(
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    outcome: Outcome,
) -> None:
    before, answered = host.look(), list[bool]()
    for seed in range(ROUNDS):
        dice = random.Random(seed)
        for verb in VERBS:
            host.plant(dice)
            is_well, said = carry_out(verb, host, monkeypatch, capsysbinary)
            answered.append(is_well)
            assert b"root's own words" not in said, (seed, verb)
            assert len(said) < 2 << 20, (seed, verb)
            assert host.look() == before, (seed, verb)
            assert os.geteuid() == 0
    with agent_files.as_owner():
        for place in host.places[:2]:
            remove(place)
            (place / "in" / "the way").mkdir(parents=True)
    assert carry_out("abort", host, monkeypatch, capsysbinary)[0]
    assert not (host.state / "run.json").exists()
    assert any(answered)
    outcome(
        f"{len(answered)} commands succeed, or fail with a one-sentence error; root's files "
        "are unchanged."
    )


@pytest.mark.fault(
    PART,
    "A locustfile changes the run's files before a deploy, a rotation or a teardown reads them.",
)
def test_what_playbooks_ask_first_is_bounded_too(host: Host, outcome: Outcome) -> None:
    before = host.look()
    for seed in range(4):
        host.plant(random.Random(seed))
        facts = run_module(
            "node_facts", software=str(host.roots), state_directory=str(host.state),
            records=str(host.roots), packages=[], etc=str(host.roots),
        )  # fmt: skip
        read = run_module("run_file", path=str(host.state / "run.json"), owner="nobody")
        written = run_module(
            "directory_files", path=str(host.state), files={"run.json": "{}"}, owner="nobody",
            mode="0600", directory_mode="0755",
        )  # fmt: skip
        said = json.dumps([facts, read, written])
        assert "root's own words" not in said
        assert "Traceback" not in said
        assert host.look() == before
    outcome(
        "The run's file and other facts are read and written, or refused with a one-sentence error."
    )


RACER = """
import contextlib, os, sys
places, target = sys.argv[2:], sys.argv[1]
for become in (os.setgroups, ):
    become([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
print("ready", flush=True)
number = 0
while True:
    for place in places:
        number += 1
        aside = f"{place}.{number % 7}"
        with contextlib.suppress(OSError):
            os.rename(place, aside)
        with contextlib.suppress(OSError):
            os.symlink(target, place) if number % 3 else os.mkfifo(place)
        with contextlib.suppress(OSError):
            os.unlink(place)
        with contextlib.suppress(OSError):
            os.rename(aside, place)
"""


@pytest.mark.fault(
    PART, "A locustfile replaces every directory with a link while each command runs."
)
@pytest.mark.timeout(120)
def test_a_race_during_each_verb_leads_nowhere(
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    outcome: Outcome,
) -> None:
    before = host.look()
    with agent_files.as_owner():
        for place in host.places:
            remove(place)
            whole(place, host)
    with racing(RACER, host.roots, *host.places):
        for _ in range(4):
            for verb in VERBS:
                _, said = carry_out(verb, host, monkeypatch, capsysbinary)
                assert b"root's own words" not in said
    assert host.look() == before
    outcome(f"{4 * len(VERBS)} commands ran at the same time; root's files are unchanged.")


@pytest.mark.fault(PART, "A locustfile replaces run.json with a link before a host joins the run.")
@pytest.mark.timeout(240)
def test_a_deploy_says_what_is_wrong_with_the_runs_file(host: Host, outcome: Outcome) -> None:
    """The task that reads the file shows nothing, since a run's environment may be secret."""
    tasks = yaml.safe_load((ROLES / "node/tasks/join.yml").read_text())[:2]
    given = {
        "_fleet_state": str(host.state), "_fleet_user": "nobody", "_fleet_master": "localhost",
        "ansible_python_interpreter": sys.executable,
    }  # fmt: skip
    page = host.home / "page.yml"
    play = {"hosts": "localhost", "gather_facts": False, "vars": given, "tasks": tasks}
    page.write_text(yaml.safe_dump([play]))
    (host.state / "run.json").symlink_to(host.secret)
    program = Path(sys.executable).with_name("ansible-playbook")
    ended = subprocess.run(
        [program, "-i", "localhost,", "-c", "local", page],
        env={**os.environ, "ANSIBLE_LIBRARY": str(PROJECT / "playbooks" / "library")},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "is a link, not a file of user nobody" in ended.stdout, ended.stdout + ended.stderr
    assert "root's own words" not in ended.stdout
    outcome("The deploy stops with an error that says what run.json is.")
