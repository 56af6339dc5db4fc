"""Secrets planted in a run: found nowhere but with the processes that need them."""

import os
import secrets
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.attackers.peers import keys
from tests.faults.record import Outcome
from tests.local.conftest import Run, Runner

PART = "Attackers: secrets"
LOCUSTFILE = """
import os
from locust import FastHttpUser, constant_pacing, task
from loadgen.scenario.accounts import AccountPool
from locust import events

accounts = AccountPool()
accounts.listen_to(events)


class Shop(FastHttpUser):
    wait_time = constant_pacing(0.2)

    def on_start(self):
        self.account = accounts.take(self)

    @task
    def log_in(self):
        secret = {"password": self.account.password, "token": os.environ["RECORDED_TOKEN"]}
        headers = {"Authorization": "Bearer " + os.environ["API_KEY"]}
        self.client.post("/hello", json=secret, headers=headers)
        self.client.get("/nowhere", headers=headers)
"""
# What another user of the machine sees: command lines, environments, sockets, directories.
LOOK = r"""
import pathlib, socket, sys
seen = []
for entry in pathlib.Path("/proc").glob("[0-9]*"):
    for name in ("cmdline", "environ"):
        try:
            seen.append((entry / name).read_bytes().decode(errors="replace"))
        except OSError:
            pass
directory = pathlib.Path(sys.argv[1])
for path in [directory, *map(directory.joinpath, sys.argv[2:])]:
    try:
        seen.append(str(list(path.iterdir())) if path.is_dir() else path.read_text())
    except OSError:
        pass
for name in ("publisher.sock", "control.sock"):
    try:
        socket.socket(socket.AF_UNIX).connect(str(directory / name))
    except OSError as error:
        seen.append(f"{name}: {type(error).__name__}")
    else:
        seen.append("answered " + name)
print("\n".join(seen))
"""


def seen_by_another_user(directory: Path) -> str:
    names = ["run.json", "node.json", "worker.key_secret", "master.key_secret"]
    python = str(Path(sys.base_prefix) / "bin" / "python3")
    command = ["/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    return subprocess.run(
        [*command, python, "-I", "-c", LOOK, str(directory), *names],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={},
        cwd="/",
    ).stdout


def written(run: Run) -> str:
    """Everything that the run left, its output included."""
    files = [path for path in run.results.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 10
    return run.output + "".join(path.read_bytes().decode(errors="replace") for path in files)


@pytest.mark.skipif(os.geteuid() != 0, reason="it looks as another user: root only")
@pytest.mark.fault(
    PART,
    "A run's environment contains a password, a token and a key, and the run sends them "
    "to the target.",
)
def test_planted_secrets_are_found_nowhere(
    loadgen: Runner, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    names = ("ACCOUNT_PASSWORD", "RECORDED_TOKEN", "API_KEY")
    planted = {name: f"planted-{secrets.token_hex(12)}" for name in names}
    for name, value in {**planted, "ACCOUNT_USERNAME": "shopper"}.items():
        monkeypatch.setenv(name, value)
    (loadgen.tmp_path / "shop.py").write_text(LOCUSTFILE)
    (loadgen.tmp_path / "shop.yml").write_text(
        "locustfile: shop.py\nusers: 1\nworkers: 1\nrun_time: 12s\nsecrets: [API_KEY]\n"
        "request_log: {}\n"
    )
    run = loadgen.start("--experiment", "shop.yml")
    run.wait_for("[1-9][0-9]* requests")
    with urllib.request.urlopen(f"http://127.0.0.1:{run.exporter_port}/metrics") as answer:
        metrics = answer.read().decode()
    with urllib.request.urlopen(f"http://127.0.0.1:{run.web_port}/") as answer:
        page = answer.read().decode()
    directory = keys(loadgen)
    held = [(directory / f"{role}.key_secret").read_text() for role in ("master", "worker")]
    channel_keys = [text.split('secret-key = "')[1].split('"')[0] for text in held]
    other = seen_by_another_user(directory)
    assert run.wait() in (0, 1), run.output + run.logs()

    assert "loadgen.node" in other, "the look saw no command line at all"
    assert other.count(".sock: PermissionError") == 2, "another user reached a socket of the run"
    places = {"results": written(run), "metrics": metrics, "page": page, "other users": other}
    for secret in [*planted.values(), *channel_keys]:
        for place, text in places.items():
            assert secret not in text, f"{secret} stands in {place}"
    assert run.summary["specification"]["secrets"] == ["API_KEY"]
    size = sum(map(len, places.values())) // 1024
    outcome(
        f"None of the {len(planted) + 2} secrets is in {size:,} KiB of results, metrics, web "
        "pages and /proc."
    )
