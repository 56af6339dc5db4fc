"""Which nodes take part: what each says of itself, what keeps it out, how workers are shared."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from cryptography import x509

from loadgen.fleet.connections.ssh import Outcomes, Remote
from loadgen.fleet.requests import NodeReport
from loadgen.judging.generator_checks import CLOCK_OFFSET_SECONDS_MAX
from loadgen.node.settings import SOFTWARE
from loadgen.shared.errors import BusyError, OperationError, UsageError
from loadgen.shared.snapshot import UNDER_WAY
from loadgen.specification.run import MAXIMUM_USERS_PER_WORKER, RunSpecification

PROBE = ["sh", "-c", f"readlink {SOFTWARE}/current || echo none; date +%s.%N"]


@dataclass(frozen=True)
class Probe:
    """What a node says before anything of the kit is trusted there.

    `offset_seconds` is its clock minus ours, `error_seconds` how far off that may be.
    """

    release: str
    offset_seconds: float
    error_seconds: float


def probe(remote: Remote) -> Probe:
    """Ask for the release and the clock, with nothing of the kit in between."""
    remote.open()
    before = time.time()
    said = remote.run(PROBE).decode(errors="replace")
    after = time.time()
    try:
        link, clock = said.split()
        offset = float(clock) - (before + after) / 2
    except ValueError as error:
        raise OperationError(
            f"it answered {said[:80]!r} when it was asked for its release and clock; "
            f"the usual cause is a shell start-up file on that host that prints something: "
            f"correct that file"
        ) from error
    return Probe(Path(link).name, offset, error_seconds=(after - before) / 2)


def probe_faults(
    probes: Mapping[str, Probe], master: str, release: str, deploy: str
) -> dict[str, str]:
    """Tell nodes that have another release, or a clock that is apart from the master's.

    `deploy` is the command that would bring the release.
    """
    reference = probes.get(master)
    faults = {}
    for name, one in probes.items():
        fault = release_fault(one.release, release, deploy)
        if not fault and reference:
            fault = clock_fault(one, reference)
        if fault:
            faults[name] = fault
    return faults


def report_faults(report: NodeReport, is_worker: bool, deploy: str) -> list[str]:
    """Tell what of a node's report keeps it out of a run."""
    faults, ours = [], version("locust")
    if report.locust_version != ours:
        faults.append(
            f"has Locust {report.locust_version}, but this machine has {ours}; run {deploy}"
        )
    if report.certificate:
        faults += certificate_faults(report.certificate, datetime.now(UTC))
    if is_worker and not report.workers:
        faults.append(f"runs no worker process; run {deploy}")
    return faults


def release_fault(found: str, wanted: str, deploy: str) -> str:
    """Tell a node that has no release, or another one than `deploy`, a command, would bring."""
    if found == "none":
        return f"loadgen is not deployed on that host; run {deploy}"
    if found != wanted:
        return (
            f"has release {found[:12]} of loadgen, but this machine has {wanted[:12]}; run {deploy}"
        )
    return ""


def clock_fault(node: Probe, master: Probe) -> str:
    """Tell a clock that is further from the master's than a measurement bears."""
    apart = node.offset_seconds - master.offset_seconds
    if abs(apart) - node.error_seconds - master.error_seconds <= CLOCK_OFFSET_SECONDS_MAX:
        return ""
    way = "ahead of" if apart > 0 else "behind"
    return (
        f"its clock is {abs(apart):.1f} s {way} the master's, but a run needs them within "
        f"{CLOCK_OFFSET_SECONDS_MAX:g} s; check chronyc tracking on that host"
    )


def certificate_faults(pem: str, now: datetime) -> list[str]:
    """Tell a web certificate that is not valid now."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return ["the web UI's certificate can't be read; run loadgen deploy"]
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if since <= now <= until:
        return []
    return [
        f"the web UI's certificate is valid from {since:%Y-%m-%d} to {until:%Y-%m-%d}, and today "
        f"is {now:%Y-%m-%d}; renew it with loadgen deploy, or with your own CA"
    ]


def share_workers(wanted: int | None, available: Mapping[str, int]) -> dict[str, int]:
    """Spread `wanted` worker processes evenly over nodes; None means all that there are.

    UsageError: more are wanted than there are.
    """
    total = sum(available.values())
    if wanted is None:
        return dict(available)
    if wanted > total:
        raise UsageError(
            f"--workers {wanted} is more than the fleet's {total} worker processes; give at most "
            f"{total}, or add worker hosts"
        )
    shares = dict.fromkeys(available, 0)
    while sum(shares.values()) < wanted:
        for name in available:
            if shares[name] < available[name] and sum(shares.values()) < wanted:
                shares[name] += 1
    return shares


def require_bearable(users: int, workers: int) -> None:
    """UsageError: so many users are more than so many worker processes bear."""
    each = users / workers
    if each > MAXIMUM_USERS_PER_WORKER:
        raise UsageError(
            f"--users {users} on {workers} workers means {each:,.0f} users on each worker, but"
            f" a worker process can run at most {MAXIMUM_USERS_PER_WORKER:,}: give fewer users"
            f" or add worker hosts"
        )


def may_miss(down: int, workers: int, allowed: float) -> bool:
    """Tell whether a run may begin without `down` of its worker hosts; one has to be left.

    `allowed` is a number of hosts, below 1 a ratio of them.
    """
    most = int(allowed * workers) if allowed < 1 else int(allowed)
    return down <= min(most, workers - 1)


def said_of(rounds: Iterable[Outcomes[NodeReport]]) -> dict[str, str]:
    """Gather what went wrong on each node, in the order of the rounds."""
    found: dict[str, list[str]] = {}
    for outcomes in rounds:
        for name, fault in outcomes.faults.items():
            found.setdefault(name, []).append(fault)
        for name, report in outcomes.answers.items():
            if report.faults:
                found.setdefault(name, []).extend(report.faults)
    return {name: "; also, ".join(faults) for name, faults in found.items()}


def refuse_local_options(specification: RunSpecification) -> None:
    """UsageError: an option was given that only means something on one machine."""
    fields = RunSpecification.model_fields
    local = ("web_port", "master_bind_port", "exporter_port", "tls_cert", "tls_key")
    given = [name for name in local if getattr(specification, name) != fields[name].default]
    if given:
        option = "--" + given[0].replace("_", "-")
        raise UsageError(
            f"{option} is for runs on one machine; for a fleet, set it in the inventory: "
            f"see inventory/sample/group_vars"
        )


def require_free(master: NodeReport, inventory: Path, web_url: str) -> None:
    """Raise BusyError where a run, or a test from the web UI, is under way."""
    end = f"loadgen stop --inventory {inventory} ends and collects it"
    if master.run_id:
        raise BusyError(f"run {master.run_id} is under way on this fleet; wait for it, or {end}")
    if master.state in UNDER_WAY:
        raise BusyError(f"a test started from {web_url} is under way; wait for it, or {end}")
