"""What a node says of itself before anything of the kit is trusted there, and what keeps it out."""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from loadgen.fleet.connections.ssh import Remote
from loadgen.judging.generator_checks import CLOCK_OFFSET_SECONDS_MAX
from loadgen.shared.errors import OperationError

PROBE = ["sh", "-c", "readlink /opt/loadgen/current || echo none; date +%s.%N"]


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
            f"it answered {said[:80]!r} when asked for its release and clock; a shell's start-up "
            "file that prints something does that: look there"
        ) from error
    return Probe(Path(link).name, offset, error_seconds=(after - before) / 2)


def release_fault(found: str, wanted: str, deploy: str) -> str:
    """Tell a node that has no release, or another one than `deploy`, a command, would bring."""
    if found == "none":
        return f"nothing is deployed there; run {deploy}"
    if found != wanted:
        return f"has release {found[:12]}, this machine has {wanted[:12]}; run {deploy}"
    return ""


def clock_fault(node: Probe, master: Probe) -> str:
    """Tell a clock that is further from the master's than a measurement bears."""
    apart = node.offset_seconds - master.offset_seconds
    if abs(apart) - node.error_seconds - master.error_seconds <= CLOCK_OFFSET_SECONDS_MAX:
        return ""
    way = "ahead of" if apart > 0 else "behind"
    return (
        f"its clock is {abs(apart):.1f} s {way} the master's, a run needs them within "
        f"{CLOCK_OFFSET_SECONDS_MAX:g} s; look there at chronyc tracking"
    )


def certificate_faults(pem: str, now: datetime) -> list[str]:
    """Tell a web certificate that is not valid now."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return ["the web UI's certificate can't be read; run make deploy"]
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if since <= now <= until:
        return []
    return [
        f"the web UI's certificate is valid from {since:%Y-%m-%d} to {until:%Y-%m-%d}, and today "
        f"is {now:%Y-%m-%d}; renew it with make deploy, or at the site's own CA"
    ]
