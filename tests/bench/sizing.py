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
        "| requests/s | workers (cores) | hosts with 8 cores | hosts with 32 cores | masters |",
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
        "| users | workers | memory of all users, GB | source IP addresses | masters |",
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
        "This page calculates the size of a fleet from the results of "
        "[the benchmark](benchmark.md) on our machine. For your own hardware, measure the rate of "
        "one worker, and calculate in the same way.\n",
        "## By requests a second\n",
        f"One worker process, on one core, sent {per_worker:,.0f} small requests/s with FastUser. "
        "A worker that uses more than 90 % of its core makes a run invalid, so this table uses "
        f"{HEADROOM:.0%} of that rate. Larger responses, and the Python code of a scenario, need "
        "more CPU time per request.\n",
        rates_table(per_worker, a_master),
    ]
    if waiting is not None:
        parts += [
            "\n## By users\n",
            f"One worker ran {waiting.users:,} users, each of which sent one request every "
            f"{waiting.wait_seconds:g} s. The {waiting.users:,} users needed "
            f"{waiting.cpu_ratio:.0%} of the worker's core, and "
            f"{waiting.memory_bytes_a_user / 1e3:.0f} kB of memory per user.\n",
            users_table(waiting, a_master),
        ]
    parts += ["\n## Limits\n", _limits(loads, a_master)]
    return "\n".join([*parts, ""])


def _limits(loads: list[MasterLoad], a_master: int) -> str:
    most = max((one.workers for one in loads), default=0)
    return "\n".join(
        [
            "1. **CPU of a worker**: if a worker needs more than 90 % of its core, the run is "
            "invalid with the reason `generator_cpu`. Use more workers.",
            f"2. **Local ports**: one source address can have about {PORTS_AN_ADDRESS:,} "
            "connections to one address and port of the target "
            "(`net.ipv4.ip_local_port_range`). If no local port is free, the run is invalid with "
            "the reason `exhausted`. Use more source addresses, more hosts, or more target "
            "addresses. A user of class FastUser keeps one connection to each server.",
            f"3. **CPU of the master**: with {SIZED_NAMES} request names, one master serves "
            f"about {a_master:,} workers at {HEADROOM:.0%} of its core. The CPU usage of a master "
            f"was measured with up to {most:,} simulated workers, and calculated for more "
            "workers. A master can serve more workers if you group requests under fewer names. "
            "The kit can't connect several masters to each other. If one master is not enough, "
            "run several fleets, give each fleet a part of the load, and merge their request "
            "logs.",
            "4. **Network**: responses of 10 kB at 100,000 requests/s need 8 Gbit/s.",
        ]
    )
