"""A cluster on a fleet: the units that `make deploy` left ready, driven over SSH.

`loadgen.fleet.agent` has what a node does for a run; this module has the order of the steps and the
use of the nodes' answers. The master's run.json is the fleet's lock. Between runs the fleet is
idle, and its web UI can be used.
"""

import contextlib
import os
import queue
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from loadgen.cluster.inspection import look_as_node, variables_notice
from loadgen.cluster.packages import Packages, find_requirements, resolve
from loadgen.cluster.scenario import Scenario, find_scenario
from loadgen.deploy import release
from loadgen.fleet import fleet_lock
from loadgen.fleet.agent_files import RUNS
from loadgen.fleet.agent_scenarios import PACKAGES, SCENARIOS
from loadgen.fleet.bringing import bring_packages, bring_scenario, one_platform
from loadgen.fleet.collecting import collect_node
from loadgen.fleet.connections.ssh import Outcomes, Remote, ask, ask_all, on_all
from loadgen.fleet.follower import Follower
from loadgen.fleet.inventory import Inventory
from loadgen.fleet.joined import find_joined, with_joined
from loadgen.fleet.probing import (
    Probe,
    may_miss,
    probe,
    probe_faults,
    refuse_local_options,
    report_faults,
    require_bearable,
    require_free,
    said_of,
    share_workers,
)
from loadgen.fleet.requests import (
    Abort,
    AskTarget,
    Collect,
    Finish,
    Forget,
    Halt,
    Keep,
    NodeReport,
    Preflight,
    Prepare,
    Settle,
    Start,
    Stop,
)
from loadgen.node.locustfile_check import Inspection
from loadgen.node.settings import RunSettings
from loadgen.scenario.account_file import handed_over
from loadgen.shared.errors import NodeError, OperationError, TargetError
from loadgen.shared.machine import Machine
from loadgen.shared.run_ids import RunId, run_directory
from loadgen.shared.snapshot import Snapshot
from loadgen.shared.text import in_url
from loadgen.specification.plan import RunPlan
from loadgen.specification.run import RunSpecification

SINCE_SLACK_SECONDS = 2.0
ADOPTION_SECONDS = 15.0
# Time to connect again after the network was away.
SILENCE_SECONDS = 40.0


class FleetCluster:
    """The cluster interface (see `loadgen.cluster.base`) on the hosts of an inventory.

    `running` is the release of a run that is to be taken over; None makes this machine's.
    """

    def __init__(
        self, specification: RunSpecification, inventory: Inventory, running: str | None = None
    ) -> None:
        self.inventory = inventory
        self.workers_expected = 0
        self.silence_seconds = SILENCE_SECONDS
        self.missing: Mapping[str, str] = {}
        self.machines: tuple[Machine, ...] = ()
        self.web_url = f"https://{in_url(inventory.master.fleet_address)}:{inventory.web_port}"
        self._specification = specification
        # A specification from a host is untrusted, so it must not name a file of this machine.
        self.release = release.current() if running is None else running
        self._lock: int | None = None
        self.scenario = ""
        self._scenario: Scenario | None = None
        self._requirements: Path | None = None
        self._packages: Packages | None = None
        self._inspection: Future[Inspection] | None = None
        self._probing: Future[Outcomes[Probe]] | None = None
        self._background = ThreadPoolExecutor(2)
        self._reports: Mapping[str, NodeReport] = {}
        self._remotes = {node.name: Remote(node) for node in inventory.nodes}
        self._master = self._remotes[inventory.master.name]
        self._shares: dict[str, int] = {}
        self._offsets: dict[str, float] = {}
        self._held: RunPlan | None = None
        self._since = time.time()
        self._follower: Follower | None = None
        self._met: set[str] = set()

    def inspect(self, specification: RunSpecification) -> Inspection:
        """Import the locustfiles here, under a node's environment; the release is the same."""
        del specification
        if self._scenario is None or self._inspection is None:
            raise OperationError("call accept() before inspect(), because it finds the scenario")
        found = self._inspection.result()
        said = (self._scenario.notice, variables_notice(found.absent_variables, os.environ))
        found.notices += filter(None, said)
        return found

    def accept(self, specification: RunSpecification) -> None:
        """Check the options and the scenario; meanwhile the nodes are asked who they are."""
        refuse_local_options(specification)
        self._scenario = find_scenario(specification.locustfiles)
        self._scenario.require_portable()
        self.scenario = self._scenario.fingerprint()
        environment = specification.node_environment(os.environ)
        self._requirements = find_requirements(self._scenario)
        self._inspection = self._background.submit(
            look_as_node,
            self._scenario,
            environment,
            self._requirements,
            specification.locust_arguments,
        )
        self._probing = self._background.submit(on_all, self._remotes, probe)

    def preflight(self, specification: RunSpecification) -> None:
        """Check every node at once. NodeError has a sentence for each that can't take part."""
        if self._probing is None:
            raise OperationError("call accept() before preflight(), because it asks the nodes")
        probes = self._probing.result()
        self._leave_out(probes, specification.allow_missing)
        self._offsets |= {name: one.offset_seconds for name, one in probes.answers.items()}
        master = self.inventory.master.name
        faults = {
            **probes.faults,
            **probe_faults(probes.answers, master, self.release, self._deploy),
        }
        sound = {name: one for name, one in self._remotes.items() if name not in faults}
        share = -(-specification.users // len(self._worker_remotes()))
        reports = ask_all(sound, Preflight(users=share, scenario=self.scenario))
        faults.update(reports.faults)
        for name, report in reports.answers.items():
            is_worker = name in self._worker_remotes()
            said = [*report.faults, *report_faults(report, is_worker, self._deploy)]
            if said:
                faults[name] = "; also, ".join(said)
        if faults:
            raise NodeError(
                f"{len(faults)} of {len(self._remotes)} hosts can't take part, so nothing "
                f"was started",
                faults,
            )
        self.machines = tuple(one.machine for one in reports.answers.values() if one.machine)
        require_free(reports.answers[self.inventory.master.name], self.inventory.path, self.web_url)
        self._share(specification, reports.answers)
        self._reports = reports.answers

    def running_target(self) -> str | None:
        """Return the base URL of the inventory's first simulated target."""
        return self.inventory.target

    def start_bundled_target(self, simulator: str | None) -> str | None:
        """Return None: a fleet's targets are deployed."""
        del simulator
        return None

    def require_target(self, host: str, verify: bool) -> None:
        """Ask the target from every worker host: what counts is that they reach it."""
        asked = ask_all(self._worker_remotes(), AskTarget(host=host, verify=verify))
        if asked.faults:
            lines = [f"  {name}: {fault}" for name, fault in asked.faults.items()]
            raise TargetError("\n".join([f"{len(lines)} hosts can't reach the target", *lines]))

    def bring(self, stopped: Callable[[], bool]) -> None:
        """Bring the scenario to every node that lacks it, to all of them at once."""
        if self._scenario is None:
            return
        reports = self._reports
        lacking = {name: self._remotes[name] for name in reports if not reports[name].has_scenario}
        if lacking:
            bring_scenario(lacking, self._scenario, self.scenario, stopped)
        if self._requirements is None:
            return
        self._packages = resolve(self._requirements, *one_platform(reports))
        if self._packages:
            sha256 = self._packages.sha256
            lacking = {n: self._remotes[n] for n in reports if sha256 not in reports[n].packages}
            bring_packages(lacking, self._packages, stopped)

    def start(self, plan: RunPlan) -> None:
        """Hand the run to every node, then start master and workers at once."""
        self._since = time.time() - SINCE_SLACK_SECONDS
        self._lock = fleet_lock.take(self.inventory.path)
        fleet_lock.mark(plan.directory, self.inventory.path)
        master = {self.inventory.master.name: self._master}
        self._require(on_all(master, lambda remote: self._prepare(remote, plan)))
        self._held = plan
        self._follower = Follower(self._master, plan.run_id)

        def halt(remote: Remote) -> NodeReport:
            if remote is not self._master:
                self._prepare(remote, plan)
            return ask(remote, Halt())

        # All of the run's workers end before any other starts, so that none of them connects to
        # the idle master.
        self._require(on_all(self._remotes, halt))
        self._require(on_all(self._remotes, self._start_node))

    def next_snapshot(self, timeout_seconds: float) -> Snapshot | None:
        """Wait for the master's next snapshot of this run."""
        if self._follower is None:
            return None
        with contextlib.suppress(queue.Empty):
            snapshot = self._follower.snapshots.get(timeout=timeout_seconds)
            self._met.update(worker.id for worker in snapshot.workers)
            return snapshot
        return None

    def faults(self) -> Mapping[str, str]:
        """Tell of a master that was started again; lost workers are in the snapshots."""
        if self._follower and self._follower.restarted:
            return {"master": "ended by itself and was started again by systemd: see its log"}
        return {}

    def stop_load(self) -> None:
        """Ask the master on its own machine."""
        ask(self._master, Stop())

    def finish(self) -> Mapping[str, str]:
        """Let every node end the run and become idle, workers first; then collect from all."""
        plan, self._held = self._held, None
        if plan and len(self._met) > self.workers_expected:
            joined = find_joined(self.inventory, self._remotes, plan.run_id)
            self._remotes |= joined
            self.inventory = with_joined(self.inventory, joined)
        workers = self._worker_remotes()
        forgot = ask_all(workers, Finish())
        master = {self._master.node.name: self._master}
        ended = ask_all(master, Finish())

        def settle(remote: Remote) -> NodeReport:
            processes = forgot.answers[remote.node.name].processes
            return ask(remote, Settle(processes=processes))

        if self._follower and ended.answers:
            self._follower.wait_for_parting()
        settled = on_all({name: workers[name] for name in forgot.answers}, settle)
        rounds = (forgot, ended, settled)
        faults = said_of(rounds)
        if plan:
            silent = {name for one in rounds for name in one.faults}
            faults.update(self._collect(plan, set(self._remotes) - silent))
        self.kill()
        return faults

    def keep_figures(self, run_id: str, figures: str) -> None:
        """Hand a run's verdict to the master, whose exporter shows it from then on."""
        master = Remote(self.inventory.master)
        try:
            ask(master, Keep(run_id=RunId(run_id), figures=figures))
        finally:
            master.close()

    def kill(self) -> None:
        """End what this run started, keep what can be had at once, and disconnect."""
        plan, self._held = self._held, None
        if self._probing:
            wait([self._probing])
        if self._follower:
            self._follower.end()
        if plan:
            aborted = ask_all(self._remotes, Abort())
            self._collect(plan, set(aborted.answers))
        for remote in self._remotes.values():
            remote.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def adopt(self, master: NodeReport) -> Snapshot:
        """Take over what the master does now, to end and collect it; return its last snapshot.

        OperationError when the master says nothing.
        """
        self._since = (master.started_at or time.time()) - SINCE_SLACK_SECONDS
        self.release, self.scenario = master.release, master.scenario
        self._follower = Follower(self._master, master.run_id)
        snapshot = self.next_snapshot(ADOPTION_SECONDS)
        if snapshot is None:
            raise OperationError(
                f"no message about the run came from {self.inventory.master.name} for "
                f"{ADOPTION_SECONDS:.0f} s; see its log with loadgen logs"
            )
        self.workers_expected = snapshot.workers_expected
        return snapshot

    def hold(self, plan: RunPlan) -> None:
        """Say where what `adopt` has taken over is to be collected."""
        self._held = plan

    def _worker_remotes(self) -> dict[str, Remote]:
        names = {node.name for node in self.inventory.workers}
        return {name: one for name, one in self._remotes.items() if name in names}

    def _leave_out(self, probes: Outcomes[Probe], allowed: float) -> None:
        """Go on without worker hosts that can't be reached, if there are no more than allowed."""
        workers = self._worker_remotes()
        down = {name: fault for name, fault in probes.faults.items() if name in workers}
        if not may_miss(len(down), len(workers), allowed):
            return
        self.missing = {name: f"{name}: {fault}" for name, fault in down.items()}
        for name in down:
            del probes.faults[name]
            self._remotes.pop(name).close()

    @property
    def _deploy(self) -> str:
        """The command that would bring this run's release to the fleet."""
        return f"loadgen deploy --inventory {self.inventory.path}"

    def _share(self, specification: RunSpecification, reports: Mapping[str, NodeReport]) -> None:
        available = {name: reports[name].workers for name in self._worker_remotes()}
        self._shares = share_workers(specification.workers, available)
        self.workers_expected = sum(self._shares.values())
        require_bearable(specification.users, self.workers_expected)

    def _prepare(self, remote: Remote, plan: RunPlan) -> NodeReport:
        is_master = remote is self._master
        directory = run_directory(RUNS, plan.run_id)
        secrets = plan.specification.secret_environment(os.environ)
        own = handed_over(os.environ, simulated=plan.host == self.inventory.target)
        run = RunSettings(
            run_id=RunId(plan.run_id),
            locustfiles=self._scenario.locustfiles if self._scenario else (),
            scenario_directory=SCENARIOS / self.scenario,
            enter_scenario=True,
            packages_directory=self._packages and PACKAGES / self._packages.sha256,
            master_environment=own if is_master else {},
            stays_on_offer=not secrets and not handed_over(os.environ, simulated=False),
            locust_arguments=plan.locust_arguments(),
            master_arguments=(*plan.master_arguments(self.workers_expected), "--enable-rebalancing")
            if is_master
            else (),
            environment=plan.specification.plain_environment,
            secrets=secrets,
            results_directory=directory if is_master else None,
            slos=plan.specification.slos,
            request_tags=plan.specification.request_tags,
            warm_up=plan.specification.warm_up,
            time_limit=plan.time_limit_seconds,
            request_log=plan.specification.request_log,
            request_log_directory=directory / "requests",
        )
        kept = plan.specification.model_dump_json(exclude_unset=True)
        return ask(remote, Prepare(run=run, specification=kept))

    def _start_node(self, remote: Remote) -> NodeReport:
        return ask(remote, Start(workers=self._shares.get(remote.node.name, 0)))

    def _require(self, outcomes: Outcomes[NodeReport]) -> None:
        if outcomes.faults:
            raise NodeError("the run could not be started on every host", outcomes.faults)

    def _collect(self, plan: RunPlan, names: set[str]) -> dict[str, str]:
        def one(remote: Remote) -> None:
            since = self._since + self._offsets.get(remote.node.name, 0.0)
            request = Collect(run_id=RunId(plan.run_id), since=since)
            collect_node(remote, plan.directory, request, into_run=remote is self._master)

        collected = on_all({name: self._remotes[name] for name in sorted(names)}, one)
        done = Forget(run_id=RunId(plan.run_id))
        kept = {name: self._remotes[name] for name in collected.answers}
        # The master's copy is removed last: if it is gone, others know that everything has been
        # collected.
        master = {name: kept.pop(name) for name in [self._master.node.name] if name in kept}
        faults = collected.faults | ask_all(kept, done).faults
        last = ask_all(master, done)
        if last.answers:
            fleet_lock.unmark(plan.directory)
        return faults | last.faults
