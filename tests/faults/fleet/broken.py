"""One run on a fleet under which something breaks, and the ways to break it from outside."""

import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import load

from tests.faults.record import Outcome, everything
from tests.lab.fleet import (
    HARD_TIMEOUT_SECONDS,
    LAB_HOST,
    TARGET,
    Loadgen,
    on_host,
    read_until,
)

SECONDS = 12
PATIENCE_SECONDS = 10.0
# What of the kit runs on a host outside its units.
STRAYS = r"""
for process in /proc/[0-9]*; do
  line=$(tr '\0' ' ' 2>/dev/null <$process/cmdline) || continue
  case $line in *'-m loadgen.'*|*'-m exporter'*|*ansible*) ;; *) continue ;; esac
  grep -Eq 'loadgen(-[a-z0-9@-]*)?[.](slice|service)' $process/cgroup ||
    echo "${process#/proc/} $line"
done
"""


def in_network_of(host: str, *command: str) -> None:
    subprocess.run(["ip", "netns", "exec", host, *command], check=True, timeout=20)


def hosts(pattern: str = "") -> list[str]:
    """Return the lab's hosts that run and whose names begin so."""
    listed = subprocess.run([LAB_HOST, "list"], check=True, capture_output=True, text=True)
    return re.findall(rf"^({pattern}\S*) \S+ running$", listed.stdout, re.MULTILINE)


def strays() -> list[str]:
    """Return the kit's processes that stay on the fleet's hosts outside their units."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = {host: on_host(host, STRAYS).splitlines() for host in hosts()}
        left = [f"{host}: {line}" for host, lines in found.items() for line in lines]
        if not left or time.monotonic() > deadline:
            return left


def received(target: str = TARGET) -> int:
    """Return the count of requests that a target itself keeps."""
    with urllib.request.urlopen(f"{target}/_state.json", timeout=10) as answer:
        return int(load(answer)["received"])


def await_target(seconds: float = 60) -> None:
    """Wait until the lab's target answers again."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            received()
        except OSError:
            assert time.monotonic() < deadline, f"no answer from {TARGET} within {seconds} s"
            time.sleep(0.2)
        else:
            return


@contextmanager
def rule(host: str, rules: str, hook: str = "input") -> Iterator[None]:
    """Put firewall rules into a host's network from outside."""
    chain = f"type filter hook {hook} priority -300; {rules}"
    in_network_of(host, "nft", f"table inet fault {{ chain {hook} {{ {chain} }}; }}")
    try:
        yield
    finally:
        in_network_of(host, "nft", "delete table inet fault")


def kill(host: str, unit: str) -> Callable[[], str]:
    return lambda: on_host(host, f"systemctl kill --signal=KILL '{unit}'")


class Broken:
    """A run whose load has begun."""

    def __init__(
        self, fleet: Loadgen, *options: str, seconds: int = SECONDS, target: str | None = None
    ) -> None:
        self.fleet = fleet
        self.target = target or TARGET
        self.before = received(self.target) + len(hosts("worker"))  # each looks at it once
        host = ("--host", target) if target else ()
        given = ("--users", "12", "--run-time", f"{seconds}s", *host, *options)
        self.process = fleet.start("run", *given)
        self.output = read_until(self.process, "Loading http")
        self.output += read_until(self.process, "[1-9][0-9]* requests")
        self.since = time.monotonic()
        self.noticed: float | None = None

    def wait(self, pattern: str | None = None) -> int:
        """Read on to the end; note when the pattern was first seen."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line
            if pattern and self.noticed is None and re.search(pattern, line):
                self.noticed = time.monotonic() - self.since
        self.process.stdout.close()
        return self.process.wait(HARD_TIMEOUT_SECONDS)

    @property
    def received(self) -> int:
        """What the target has had of this run."""
        return received(self.target) - self.before

    @property
    def lost(self) -> int:
        return self.received - everything(self.fleet.summary)

    def tell(self, outcome: Outcome, seen: str = "") -> None:
        """Record what came of it."""
        summary = self.fleet.summary
        kinds = ", ".join(dict.fromkeys(summary["reason_kinds"])) or "no problem was reported"
        outcome(
            f"verdict {summary['verdict']}: {seen or kinds}",
            notice_seconds=self.noticed,
            recover_seconds=time.monotonic() - self.since,
            summary=summary,
            received=self.received,
        )
