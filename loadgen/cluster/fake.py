"""A cluster for tests: it plays snapshots that were written before, and notes what was asked."""

from collections.abc import Callable, Iterable, Mapping

from loadgen.node.locustfile_check import Inspection
from loadgen.shared.errors import LoadgenError
from loadgen.shared.machine import Machine
from loadgen.shared.snapshot import Snapshot
from loadgen.specification.plan import RunPlan
from loadgen.specification.run import RunSpecification

Happening = Snapshot | LoadgenError | Mapping[str, str] | Callable[[], Snapshot | None] | None
_NOTHING_MORE: Mapping[str, str] = {}


class FakeCluster:
    """The cluster interface (see `loadgen.cluster.base`) without a process.

    Each wait for a snapshot takes the next happening: a snapshot comes, an error is raised, faults
    begin to be told, a function of the test is called, or nothing comes for a while (None). After
    the last one silence counts at once. `asked` has the calls, in order.
    """

    def __init__(self, happenings: Iterable[Happening] = ()) -> None:
        self.workers_expected = 1
        self.silence_seconds = 60.0
        self.missing: Mapping[str, str] = {}
        self.machines: tuple[Machine, ...] = ()
        self.web_url = "http://127.0.0.1:8089"
        self.release = "a" * 64
        self.scenario = "b" * 64
        self.inspection = Inspection(user_classes={"Visitor": None})
        self.target: str | None = "http://target.example"
        self.refusal: LoadgenError | None = None
        self.faults_of_finish: dict[str, str] = {}
        self.figures: dict[str, str] = {}
        self.asked: list[str] = []
        self._happenings = iter(happenings)
        self._faults: dict[str, str] = {}

    def accept(self, specification: RunSpecification) -> None:
        """Accept everything."""
        del specification
        self.asked.append("accept")

    def inspect(self, specification: RunSpecification) -> Inspection:
        """Return what the test says that the locustfile holds."""
        del specification
        self.asked.append("inspect")
        return self.inspection

    def preflight(self, specification: RunSpecification) -> None:
        """Raise the test's refusal, if there is one."""
        del specification
        self.asked.append("preflight")
        if self.refusal:
            raise self.refusal

    def running_target(self) -> str | None:
        """Return the test's target."""
        return self.target

    def start_bundled_target(self, simulator: str | None) -> str | None:
        """Start nothing."""
        self.asked.append(f"start target {simulator}")
        return None

    def require_target(self, host: str, verify: bool) -> None:
        """Let every target answer."""
        self.asked.append(f"ask {host}{'' if verify else ' unverified'}")

    def bring(self, stopped: Callable[[], bool]) -> None:
        """Note it."""
        del stopped
        self.asked.append("bring")

    def start(self, plan: RunPlan) -> None:
        """Note that the run has begun."""
        self.asked.append(f"start {plan.run_id}")

    def next_snapshot(self, timeout_seconds: float) -> Snapshot | None:
        """Let the next thing happen; nothing happens after the last."""
        del timeout_seconds
        happening = next(self._happenings, _NOTHING_MORE)
        if happening is _NOTHING_MORE:
            self.silence_seconds = 0.0
            return None
        if isinstance(happening, LoadgenError):
            raise happening
        if isinstance(happening, Mapping):
            self._faults.update(happening)
            return None
        return happening() if callable(happening) else happening

    def faults(self) -> Mapping[str, str]:
        """Return the faults so far."""
        return self._faults

    def stop_load(self) -> None:
        """Note it."""
        self.asked.append("stop")

    def finish(self) -> Mapping[str, str]:
        """Note it, and fail as the test says."""
        self.asked.append("finish")
        return self.faults_of_finish

    def keep_figures(self, run_id: str, figures: str) -> None:
        """Keep them for the test."""
        self.figures[run_id] = figures

    def kill(self) -> None:
        """Note it."""
        self.asked.append("kill")
