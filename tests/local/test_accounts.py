"""Accounts over several workers, and what a user sees when they are wrong or too few."""

import os
import re
import signal
import textwrap
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from tests.local.conftest import Runner
from tests.local.scenarios import assert_counts_agree, ended, start_scenario, target_counts
from tests.local.test_bad_input import usage_error
from tests.servers import serving, simulator
from tests.waiting import await_

USERS = 12
MEMBERS = """
    import os
    from locust import FastHttpUser, constant, events, task
    from loadgen.scenario.accounts import AccountPool

    accounts = AccountPool()
    accounts.listen_to(events)

    class Member(FastHttpUser):
        wait_time = constant(0.2)

        def on_start(self):
            self.account = accounts.take(self)
            self.client.get(f"/enter/{self.account.username}/{os.getpid()}", name="enter")

        def on_stop(self):
            if accounts.holds(self):
                self.client.get(f"/leave/{self.account.username}/{os.getpid()}", name="leave")
            accounts.give_back(self)

        @task
        def stay(self):
            self.client.get("/stay")
"""


@dataclass
class House:
    """A target that knows which worker's user is in under which account."""

    inside: dict[str, int] = field(default_factory=dict)
    entered: Counter[str] = field(default_factory=Counter)
    collisions: list[str] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 204 to everything."""
        if scope["type"] != "http":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        words = scope["path"].split("/")
        if words[1] == "enter":
            self.enter(words[2], int(words[3]))
        elif words[1] == "leave":
            self.inside.pop(words[2], None)
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    def enter(self, name: str, worker: int) -> None:
        holder = self.inside.get(name)
        if holder is not None and holder not in self.lost:
            self.collisions.append(f"{name}: workers {holder} and {worker}")
        self.inside[name] = worker
        self.entered[name] += 1


def write_accounts(path: Path, names: list[str]) -> Path:
    lines = [f"{name},no-such-password" for name in names]
    path.write_text("\n".join(["username,password", *lines]) + "\n")
    return path


def test_killed_worker_makes_the_run_invalid_and_no_account_is_in_two_hands(
    loadgen: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"member{number}" for number in range(USERS)]
    accounts = write_accounts(loadgen.tmp_path / "accounts.csv", names)
    monkeypatch.setenv("ACCOUNTS", str(accounts))
    (loadgen.tmp_path / "members.py").write_text(textwrap.dedent(MEMBERS))
    house = House()
    with serving(house) as url:
        run = loadgen.start(
            *("-f", "members.py", "--host", url, "--users", str(USERS), "--spawn-rate", "12"),
            *("--workers", "3", "--run-time", "9s", "--", "--enable-rebalancing"),
        )
        run.wait_for("Loading")
        await_(lambda: house.entered.total() >= USERS, "the entry of every user")
        assert house.entered == Counter(names), "each is in, and once"
        assert len(set(house.inside.values())) == 3, "over all workers"
        killed = run.pids("worker")[0]
        house.lost.add(killed)
        left = [name for name, worker in house.inside.items() if worker == killed]
        os.kill(killed, signal.SIGKILL)
        code = run.wait()
    assert code == 3, run.output + run.logs()
    assert run.summary["verdict"] == "invalid"
    assert "lost_worker" in run.summary["reason_kinds"]
    assert "was ended by SIGKILL" in run.output
    assert run.summary["requests"] > 0
    assert not house.collisions
    assert left
    assert all(house.entered[name] >= 2 for name in left), "the survivors' users took them over"
    assert run.summary["failures"] == 0, run.summary["errors"]


def test_refused_logins_and_missing_accounts_are_one_line_with_a_count(
    loadgen: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django answers a wrong password with 200 and the form again."""
    names = [f"user{number:04}@example.org" for number in range(1, 31)]
    wrong = write_accounts(loadgen.tmp_path / "wrong.csv", names)
    few = write_accounts(loadgen.tmp_path / "few.csv", ["ana", "ben", "cem"])
    (loadgen.tmp_path / "members.py").write_text(textwrap.dedent(MEMBERS))
    house = House()
    with simulator("django_site") as site, serving(house) as url:
        monkeypatch.setenv("ACCOUNTS", str(wrong))
        refused = start_scenario(loadgen, "locustfiles/django_site.py", site, "--run-time", "6s")
        monkeypatch.setenv("ACCOUNTS", str(few))
        short = start_scenario(loadgen, "members.py", url, "--users", "8", "--run-time", "3s")
        counted = ended(refused, exit_code=1)
        assert_counts_agree(counted, target_counts(site))
        ended(short, exit_code=1)

    assert 20 <= counted["POST", "/accounts/login/"] <= 30, "each account once at the most"
    said = re.findall(r"(\d+) x POST /accounts/login/: login refused", refused.output)
    assert said == [str(counted["POST", "/accounts/login/"])], "one line, with its count"
    assert refused.logs().count("login refused for user") == 2, "once a worker"
    assert "Traceback" not in refused.output + refused.logs()
    assert "no-such-password" not in refused.output + refused.logs()

    assert "5 x ACCOUNT take an account: " in short.output
    assert "no account is free, because there are fewer accounts than users" in short.output
    assert short.logs().count(f"3 accounts in {few} are too few for this number of users") == 1
    assert house.entered == Counter(["ana", "ben", "cem"])
    assert not house.inside, "all have left"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("username,password\nana,one\nana,two\n", "ana is on lines 2 and 3"),
        (None, "can't be read: No such file or directory"),
    ],
)
def test_account_file_with_a_fault_is_refused_before_anything_starts(
    loadgen: Runner, monkeypatch: pytest.MonkeyPatch, text: str | None, fault: str
) -> None:
    accounts = loadgen.tmp_path / "bad.csv"
    if text is not None:
        accounts.write_text(text)
    monkeypatch.setenv("ACCOUNTS", str(accounts))
    output = usage_error(loadgen, "-f", "locustfiles/dspace.py")
    assert f"account file {accounts}" in output
    assert fault in output
    said = [line for line in output.splitlines() if not line.startswith("Waiting for ")]
    assert len(said) == 1, "the fault is one sentence, beside progress on a slow machine"
