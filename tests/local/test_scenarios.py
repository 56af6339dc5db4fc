"""Scenarios through the front door, side by side: no failures, and every count agrees.

`tests/studies/test_scenarios.py` runs each by itself and longer.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.certificates import make_certificate
from tests.local.conftest import Run, Runner
from tests.local.scenarios import (
    Counts,
    assert_counts_agree,
    ended,
    start_scenario,
    target_counts,
)
from tests.servers import simulator

DSPACE = "locustfiles/dspace.py,locustfiles/dspace_submission.py"
DJANGO = "locustfiles/django_site.py"
TEASTORE = "locustfiles/teastore.py"
ALARM = "locustfiles/alarm_devices.py,locustfiles/alarm_background.py"
REGRESSION = ("--law", "regression", "--speed", "20")
STORE_PATHS = {"/", "/login", "/loginAction", "/category", "/product", "/cartAction", "/cart"}


@dataclass
class Scenario:
    """One run under way, and its own simulator."""

    run: Run
    url: str
    verify: str | bool

    def check(self) -> Counts:
        """Return the counts of a run without failures that its target agrees with."""
        counts = ended(self.run)
        assert self.run.summary["failures"] == 0
        assert counts.total() >= 100, "each of 20 users has at least five answers"
        transactions = counts.pop(("ALARM", "alarm"), 0)
        assert transactions in (0, counts["POST", "/"])
        assert_counts_agree(counts, target_counts(self.url, self.verify))
        return counts


def start(
    stack: ExitStack,
    loadgen: Runner,
    locustfile: str,
    name: str,
    *,
    tls: tuple[Path, Path] | None = None,
    options: Sequence[str] = (),
) -> Scenario:
    url = stack.enter_context(simulator(name, tls, options))
    more = ("--insecure-target",) if tls else ()
    return Scenario(
        start_scenario(loadgen, locustfile, url, *more), url, str(tls[0]) if tls else True
    )


def test_sites_and_store_without_failures_and_all_counts_agree(
    loadgen: Runner, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        sites = [
            start(stack, loadgen, DSPACE, "dspace", tls=make_certificate(tmp_path)),
            start(stack, loadgen, DJANGO, "django_site"),
        ]
        store = start(stack, loadgen, TEASTORE, "teastore")
        for site in sites:
            site.check()
        counts = store.check()
    assert {path for _, path in counts} >= STORE_PATHS
    assert counts["POST", "/loginAction"] == 40, "every visitor logs in and out once"


def test_the_alarm_centre_likewise(loadgen: Runner) -> None:
    with ExitStack() as stack:
        counts = start(stack, loadgen, ALARM, "alarm_receiver", options=REGRESSION).check()
    assert len(counts) == 8, "alarms and seven other kinds"
    assert counts["POST", "/"] > 30
