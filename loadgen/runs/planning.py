"""Checks a run and decides what is open, before anything of it has started."""

import os
from pathlib import Path

from loadgen.cluster.base import Cluster
from loadgen.node.locustfile_check import Inspection
from loadgen.results import archive
from loadgen.runs.progress import Progress
from loadgen.runs.waiting import waiting_for
from loadgen.shared.errors import EndedByUser, UsageError
from loadgen.shared.interruption import Interruption
from loadgen.specification.plan import RunPlan
from loadgen.specification.run import RunSpecification, too_long


def look(
    specification: RunSpecification,
    cluster: Cluster,
    progress: Progress,
    interruption: Interruption,
) -> Inspection:
    """Check what the user gave, and import the locustfile: its faults come before any machine's.

    UsageError: the request is wrong; EndedByUser: somebody ended it meanwhile.
    """
    with waiting_for("the scenario's packages", progress.step):
        cluster.accept(specification)
    _heed(interruption)
    with waiting_for(f"{specification.locustfile} to be imported", progress.step):
        inspection = cluster.inspect(specification)
    _heed(interruption)
    _require_usable(specification, inspection)
    return inspection


def make_plan(
    specification: RunSpecification,
    cluster: Cluster,
    inspection: Inspection,
    results: Path,
    progress: Progress,
    run_id: str,
    interruption: Interruption,
) -> RunPlan:
    """Check the machines and decide what is open; nothing of the run has started yet.

    The run's directory is made last. UsageError: the request is wrong; OperationError: a node or
    the target can't take part; EndedByUser: somebody ended it meanwhile.
    """
    with waiting_for("the checks of the machines", progress.step):
        cluster.preflight(specification)
    _heed(interruption)
    for sentence in cluster.missing.values():
        progress.step(f"Starting without {sentence}")
    with waiting_for("the target to answer", progress.step):
        host = _decide_host(specification, cluster, inspection, progress)
    _heed(interruption)
    for notice in (*inspection.notices, *_too_few_users(specification, inspection)):
        progress.step(notice)
    with waiting_for("the scenario to be copied to the hosts", progress.step):
        cluster.bring(lambda: interruption.requested)
    _heed(interruption)
    directory = archive.create_run_directory(results, run_id)
    specification = _with_variables(specification, inspection)
    return RunPlan(run_id, specification, host, bool(inspection.shapes), directory)


def _with_variables(specification: RunSpecification, inspection: Inspection) -> RunSpecification:
    """Record with the run what this machine's environment set of the scenario's options."""
    known = {*specification.plain_environment, *specification.secret_environment(os.environ)}
    found = {name: value for name, value in inspection.variables.items() if name not in known}
    plain = {name: value for name, value in found.items() if value is not None}
    secret = [name for name, value in found.items() if value is None]
    changes: dict[str, object] = {}
    if plain:
        changes["environment"] = {**specification.environment, **plain}
    if secret:
        changes["secrets"] = (*specification.secrets, *secret)
    return specification.model_copy(update=changes) if changes else specification


def _heed(interruption: Interruption) -> None:
    if interruption.requested:
        raise EndedByUser("ended by the user before the load began; nothing was started")


def _require_usable(specification: RunSpecification, inspection: Inspection) -> None:
    if inspection.error:
        raise UsageError(
            f"--locustfile {specification.locustfile} can't be used: {inspection.error}"
        )
    unknown = set(specification.user_classes) - set(inspection.user_classes)
    if unknown:
        raise UsageError(
            f"{specification.locustfile} has no User class {', '.join(sorted(unknown))}: "
            f"its User classes are {', '.join(sorted(inspection.user_classes))}"
        )
    chosen = specification.user_classes or list(inspection.user_classes)
    if chosen and set(chosen) <= set(inspection.idle):
        raise UsageError(
            f"{', '.join(chosen)} of {specification.locustfile} would start no users: "
            f"give the class a weight above 0, or a fixed_count"
        )
    _require_tags(specification, inspection)
    ends_itself = inspection.shapes and "run_time" not in specification.model_fields_set
    fault = "" if ends_itself else too_long(specification.slos, specification.run_time)
    if fault:
        raise UsageError(fault)


def _require_tags(specification: RunSpecification, inspection: Inspection) -> None:
    """Refuse a tag that no task has: Locust would run no task at all, or every one."""
    given = {*specification.tags, *specification.exclude_tags}
    unknown = sorted(given - set(inspection.tags))
    if unknown:
        known = ", ".join(sorted(inspection.tags)) or "none"
        raise UsageError(
            f"no task of {specification.locustfile} has the tag {', '.join(unknown)}: its tags are "
            f"{known}; correct --tags or --exclude-tags"
        )


def _too_few_users(specification: RunSpecification, inspection: Inspection) -> list[str]:
    """Say, as Locust does in its log, when fixed counts ask for more users than there are."""
    fixed = {
        name: count
        for name, count in inspection.fixed_counts.items()
        if count > 0 and name in (specification.user_classes or inspection.user_classes)
    }
    if inspection.shapes or sum(fixed.values()) <= specification.users:
        return []
    counts = ", ".join(f"{name} {count}" for name, count in fixed.items())
    return [
        f"--users is {specification.users}, but the fixed_count of the User classes ({counts}) "
        "asks for more: not all of them are started; give more users"
    ]


def _decide_host(
    specification: RunSpecification, cluster: Cluster, inspection: Inspection, progress: Progress
) -> str:
    """Return the target's base URL, which answers; empty when User classes have several."""
    own = {host for host in inspection.user_classes.values() if host}
    host = specification.host or (own.pop() if len(own) == 1 else None)
    if host is None and not own:
        return _bundled(cluster, inspection, progress)
    if host and not specification.skip_target_check:
        cluster.require_target(host, verify=not specification.insecure_target)
    return host or ""


def _bundled(cluster: Cluster, inspection: Inspection, progress: Progress) -> str:
    host = cluster.running_target()
    if host:
        progress.step(f"No HOST was given: the load goes to the bundled target at {host}")
        cluster.require_target(host, verify=True)
        return host
    host = cluster.start_bundled_target(inspection.simulator)
    if host is None:
        raise UsageError(
            "no host was given to send requests to: give --host the target's base URL, or put a "
            "host into group targets of the inventory"
        )
    progress.step(f"No HOST was given: the load goes to the bundled target at {host}")
    return host
