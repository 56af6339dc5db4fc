"""What the measured figures mean for a fleet: hosts, cores, addresses, masters. Arithmetic only."""

import math

from tests.bench.costs import MasterLoad, Waiting

RATES = (10_000, 1_000_000, 10_000_000)
USERS = RATES
HEADROOM = 0.7
PORTS_AN_ADDRESS = 28_000
SIZED_NAMES = 100
CORES_A_HOST = (8, 32)


def workers_a_master(loads: list[MasterLoad], names: int = SIZED_NAMES) -> int:
    """Return how many workers a master bears: the steepest CPU a worker of the measured ones."""
    each = max((one.cpu_ratio / one.workers for one in loads if one.names == names), default=0.0)
    return round(HEADROOM / each) if each else 0


def rates_table(per_worker: float, a_master: int) -> str:
    """One row for each request rate; `per_worker` is what one worker made at full load."""
    rate = per_worker * HEADROOM
    lines = [
        "| requests/s | cores (workers) | hosts of 8 | hosts of 32 | masters |",
        "|---|---|---|---|---|",
    ]
    for wanted in RATES:
        cores = math.ceil(wanted / rate)
        hosts = [math.ceil(cores / size) for size in CORES_A_HOST]
        masters = f"{math.ceil(cores / a_master):,}" if a_master else "-"
        lines.append(f"| {wanted:,} | {cores:,} | {hosts[0]:,} | {hosts[1]:,} | {masters} |")
    return "\n".join(lines)


def users_table(waiting: Waiting, a_master: int) -> str:
    """One row for each number of users, each with a request now and then."""
    lines = [
        "| users | workers | memory of all, GB | source addresses | masters |",
        "|---|---|---|---|---|",
    ]
    for wanted in USERS:
        workers = math.ceil(wanted / waiting.users)
        memory = wanted * waiting.memory_bytes_a_user / 1e9
        addresses = math.ceil(wanted / PORTS_AN_ADDRESS)
        masters = f"{math.ceil(workers / a_master):,}" if a_master else "-"
        lines.append(f"| {wanted:,} | {workers:,} | {memory:,.1f} | {addresses:,} | {masters} |")
    return "\n".join(lines)


def document(per_worker: float, loads: list[MasterLoad], waiting: Waiting | None) -> str:
    """Return the text of docs/sizing.md, without its first line."""
    a_master = workers_a_master(loads)
    parts = [
        "# Sizing\n",
        "From [the benchmark](benchmark.md), on its machine: measure yours with one worker, then "
        "use the same arithmetic.\n",
        "## By requests a second\n",
        f"One worker process (one core) made {per_worker:,.0f} small requests/s with FastUser. A "
        f"worker above 90 % CPU makes a run invalid, so this plans with {HEADROOM:.0%} of it. A "
        "target's larger responses and a scenario's own Python cost more.\n",
        rates_table(per_worker, a_master),
    ]
    if waiting is not None:
        parts += [
            "\n## By users\n",
            f"One worker bore {waiting.users:,} users with a request in {waiting.wait_seconds:g} s "
            f"each, on {waiting.cpu_ratio:.0%} of its core, in "
            f"{waiting.memory_bytes_a_user / 1e3:.0f} kB of memory a user.\n",
            users_table(waiting, a_master),
        ]
    parts += ["\n## What gives out first\n", _limits(loads, a_master)]
    return "\n".join([*parts, ""])


def _limits(loads: list[MasterLoad], a_master: int) -> str:
    most = max((one.workers for one in loads), default=0)
    return "\n".join(
        [
            "1. **A worker's core**: the run says `generator_cpu` and is invalid. More workers.",
            f"2. **Ports of a source address**: about {PORTS_AN_ADDRESS:,} connections towards one "
            "target address and port (`net.ipv4.ip_local_port_range`); the run says `exhausted`. "
            "More source addresses, more hosts, or more target addresses. A simulated "
            "user of class FastUser keeps one connection to each server.",
            f"3. **The master's core**: with {SIZED_NAMES} request names one master serves "
            f"about {a_master:,} workers at {HEADROOM:.0%} of its core. This was measured with up "
            f"to {most:,} simulated workers; figures for more workers are calculated and not "
            "measured. Fewer names help at once: group them. With more workers than that, run "
            "several fleets, each with its own master and its share of the "
            "load, and merge their request logs: this kit does not join masters.",
            "4. **The network**: 10 kB responses at 100,000 requests/s are 8 Gbit/s.",
        ]
    )
