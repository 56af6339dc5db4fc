"""Worker hosts that come and go while a run is under way: it goes on, and no request is lost."""

import re
from pathlib import Path

from tests.faults.record import everything
from tests.lab.fleet import (
    Loadgen,
    inventory_with,
    make,
    read_until,
    requests_at_target,
    start_workers,
)


def without_worker3(hosts: str) -> str:
    return re.sub(r" +worker3:\n +ansible_host: \S+\n", "", hosts)


def test_a_host_joins_and_another_is_drained_during_a_run(loadgen: Loadgen, tmp_path: Path) -> None:
    make("teardown-workers", options="--limit localhost,master,worker3")
    smaller = Loadgen(loadgen.results, inventory_with(tmp_path / "smaller", without_worker3))
    before = requests_at_target()
    running = smaller.start("run", "--users", "12", "--run-time", "150s")
    read_until(running, "Loading http")
    output = make("deploy")
    assert re.search(r"worker3 +: ok=\d+ +changed=[1-9]\d* +unreachable=0 +failed=0", output)
    code, said = loadgen("drain", "--host-limit", "worker2")
    rest, _ = running.communicate(timeout=200)
    start_workers("worker2")

    assert code == 0, said
    assert running.returncode == 0, rest
    summary = loadgen.summary
    assert (summary["reasons"], summary["workers"]["lost"]) == ([], 0)
    assert summary["workers"]["seen"] == 6
    # The two hosts that it began with asked the target once each.
    assert requests_at_target() - before == everything(summary) + 2
