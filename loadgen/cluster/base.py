"""What the run life cycle needs from a place that can run a master and workers."""

from collections.abc import Callable, Mapping
from typing import Protocol

from loadgen.node.locustfile_check import Inspection
from loadgen.shared.machine import Machine
from loadgen.shared.snapshot import Snapshot
from loadgen.specification.plan import RunPlan
from loadgen.specification.run import RunSpecification


class Cluster(Protocol):
    """A master and workers, from nothing to nothing.

    Every method is bounded in time. Faults of single nodes come as data (`faults`), so that one
    dead node never hides the rest; UsageError, NodeError and OperationError end a run.
    """

    workers_expected: int
    silence_seconds: float
    """How long the master may say nothing until it is given up."""
    missing: Mapping[str, str]
    """Hosts that the run is allowed to do without, as sentences; known after `preflight`."""
    machines: tuple[Machine, ...]
    """What the run is made on, as it was before; known after `preflight`."""
    web_url: str
    release: str
    """The release that every node reports: its directory's name, the SHA-256 on a fleet."""

    scenario: str
    """The hash of the run's scenario, once `accept` has found it; empty when it has none."""

    def accept(self, specification: RunSpecification) -> None:
        """Check what the user gave, before anything is said of machines: UsageError."""
        ...

    def inspect(self, specification: RunSpecification) -> Inspection:
        """Import the locustfiles in a process of their own and tell what they hold."""
        ...

    def preflight(self, specification: RunSpecification) -> None:
        """Check the machines before anything starts; `accept` came first. Raises their faults."""
        ...

    def running_target(self) -> str | None:
        """Return the base URL of a target that this cluster has and that runs already, or None."""
        ...

    def start_bundled_target(self, simulator: str | None) -> str | None:
        """Start a target, where that is this cluster's work, and return its base URL.

        `simulator` is the locustfile's own choice. It answers when this returns; OperationError:
        it doesn't. None when the cluster starts none.
        """
        ...

    def require_target(self, host: str, verify: bool) -> None:
        """Ask the target from where the load will come; TargetError when it doesn't answer."""
        ...

    def bring(self, stopped: Callable[[], bool]) -> None:
        """Bring the scenario to where it isn't; end at once, without a fault, when `stopped`."""
        ...

    def start(self, plan: RunPlan) -> None:
        """Start fresh processes for the run; return without waiting for them."""
        ...

    def next_snapshot(self, timeout_seconds: float) -> Snapshot | None:
        """Wait for the master's next snapshot; None when the time is over."""
        ...

    def faults(self) -> Mapping[str, str]:
        """Return what ended without being asked, name to sentence; empty while all is well."""
        ...

    def stop_load(self) -> None:
        """Ask the master to stop the load gracefully; the final snapshot tells when it is done."""
        ...

    def finish(self) -> Mapping[str, str]:
        """End the processes gracefully, keep the last scrape, collect.

        Returns what failed while doing so, by node; what `faults` told before is not repeated.
        """
        ...

    def keep_figures(self, run_id: str, figures: str) -> None:
        """Hand a run's verdict and figures (JSON) to where its metrics are read.

        OperationError when they didn't get there.
        """
        ...

    def kill(self) -> None:
        """End whatever still runs, at once. Safe to call at any time, and twice."""
        ...
