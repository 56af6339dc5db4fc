"""Dashboard *Fleet*: whether the generators can be trusted."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from exporter.grafana.names import FLEET
from exporter.grafana.parts import (
    BAD,
    GOOD,
    LINES_MAX,
    ONE_IS_BAD,
    SATURATION,
    WARNING,
    Column,
    Thresholds,
    dashboard,
    lines,
    number,
    rows,
    variable,
)

WORKER = f'{FLEET},worker=~"$worker"'
HOST = f'{FLEET},host=~"$host",role!="target"'
END = " @ end()"
"""Chooses lines once, at the end of the time shown: chosen at each step, they would come and go."""


def greatest(metric: str, selector: str, at: str = "") -> str:
    """Return PromQL for a gauge's greatest value in the time shown: also after the load's end."""
    return f"max_over_time({metric}{{{selector}}}[$__range]{at})"


def farthest(metric: str, selector: str, at: str = "") -> str:
    """Return PromQL for a gauge's greatest distance from zero in the time shown."""
    above = greatest(metric, selector, at)
    below = f"-min_over_time({metric}{{{selector}}}[$__range]{at})"
    return f"({above} > {below} or {below})"


def _most(each: str, measure: str, label: str) -> str:
    """Return PromQL that keeps the lines of `each` with the greatest measures."""
    return f"{each} and on ({label}) topk({LINES_MAX}, max by ({label}) ({measure}))"


def build() -> Dashboard:
    """Return the dashboard."""
    made = dashboard(
        "loadgen-fleet", "Fleet", "Workers, master and hosts: is the measurement sound?", "now-15m"
    )
    workers = f"label_values(locust_worker_users{{{FLEET}}}, worker)"
    hosts = f'label_values(node_load1{{{FLEET},role!="target"}}, host)'
    made = made.with_variable(variable("worker", "Worker", workers))
    made = made.with_variable(variable("host", "Host", hosts))
    return _hosts(_workers(_overview(made)))


def _overview(made: Dashboard) -> Dashboard:
    connected = f'sum(locust_workers{{{FLEET},state!="missing"}})'
    expected = f"max(locust_workers_expected{{{FLEET}}})"
    clock = f"max({farthest('locust_worker_clock_offset_seconds', FLEET)})"
    missing = f"clamp_min({expected} - {connected}, 0)"
    made = (
        made.with_panel(
            number(
                "Masters",
                "Masters that are heard now.",
                "locale",
                f"sum(locust_up{{{FLEET}}})",
                width=3,
            )
        )
        .with_panel(number("Workers", "Workers connected now.", "locale", connected, width=3))
        .with_panel(
            number(
                "Workers missing",
                "Workers that the test counts on and that are not connected now.",
                "locale",
                missing,
                steps=ONE_IS_BAD,
                width=3,
            )
        )
        .with_panel(
            number(
                "Workers lost",
                "Workers that went missing or left during one test, the most in the time shown.",
                "locale",
                f"max({greatest('locust_workers_lost', FLEET)})",
                steps=ONE_IS_BAD,
                width=3,
            )
        )
    )
    apart: Thresholds = [(None, GOOD), (0.25, WARNING), (0.5, BAD)]
    any_is_odd: Thresholds = [(None, GOOD), (1, WARNING)]
    refused = f"sum({greatest('locust_test_values_refused', FLEET)}) or vector(0)"
    for title, description, unit, expression, steps in (
        (
            "Busiest worker",
            "The highest CPU of a worker process in the time shown; above 90 % it measures itself.",
            "percentunit",
            f"max({greatest('locust_worker_cpu_ratio', FLEET)})",
            SATURATION,
        ),
        (
            "Master CPU",
            "The highest CPU of the master in the time shown, of one core.",
            "percentunit",
            f"max({greatest('locust_master_cpu_ratio', FLEET)})",
            SATURATION,
        ),
        (
            "Clock offset",
            "The farthest that a worker's clock was from the master's, transit included.",
            "s",
            clock,
            apart,
        ),
        (
            "Values refused",
            "Values of requests that could not be counted as they were; see the verdict.",
            "locale",
            refused,
            any_is_odd,
        ),
    ):
        made = made.with_panel(number(title, description, unit, expression, steps=steps, width=3))
    return made


def _workers(made: Dashboard) -> Dashboard:
    def by_worker(metric: str) -> tuple[str, str]:
        each = f"max by (worker) ({metric}{{{WORKER}}})"
        return _most(each, greatest(metric, WORKER, END), "worker"), "{{worker}}"

    def column(expression: str) -> str:
        return f"max by (worker) ({expression})"

    clock = "locust_worker_clock_offset_seconds"
    apart = f"max by (worker) (abs({clock}{{{WORKER}}}))"
    connected = column(f"last_over_time(locust_worker_users{{{WORKER}}}[$__range])")

    return (
        made.with_row(Row("Workers"))
        .with_panel(
            lines(
                "Workers by state",
                "Worker processes in each of Locust's states, and how many the test counts on.",
                "locale",
                (f"sum by (state) (locust_workers{{{FLEET}}})", "{{state}}"),
                (f"max(locust_workers_expected{{{FLEET}}})", "expected"),
                width=8,
            )
        )
        .with_panel(
            lines(
                "CPU by worker",
                f"1 is a whole core, which is all that a worker can use. The {LINES_MAX} busiest.",
                "percentunit",
                by_worker("locust_worker_cpu_ratio"),
                (f"max(locust_master_cpu_ratio{{{FLEET}}})", "master"),
                width=8,
            )
        )
        .with_panel(
            lines(
                "Memory by worker",
                f"Resident memory of the {LINES_MAX} largest.",
                "bytes",
                by_worker("locust_worker_memory_bytes"),
                (f"max(locust_master_memory_bytes{{{FLEET}}})", "master"),
                width=8,
            )
        )
        .with_panel(
            lines(
                "Users by worker",
                f"Users of the {LINES_MAX} workers that run the most.",
                "locale",
                by_worker("locust_worker_users"),
                width=12,
            )
        )
        .with_panel(
            lines(
                "Clock offset by worker",
                "Distance of a worker's clock from the master's, transit included: the farthest.",
                "s",
                (_most(apart, farthest(clock, WORKER, END), "worker"), "{{worker}}"),
                width=12,
            )
        )
        .with_panel(
            rows(
                "Worker processes",
                "Every worker in the time shown: its last users, and the highest of the rest.",
                [
                    Column("Users", connected),
                    Column(
                        "CPU",
                        column(greatest("locust_worker_cpu_ratio", WORKER)),
                        "percentunit",
                        SATURATION,
                    ),
                    Column(
                        "Memory", column(greatest("locust_worker_memory_bytes", WORKER)), "bytes"
                    ),
                    Column("Clock offset", column(farthest(clock, WORKER)), "s"),
                ],
                {"worker": "Worker"},
                sort="CPU",
            )
        )
    )


STEP, WHOLE = "[$__rate_interval]", f"[$__range]{END}"


def _cpu(window: str) -> str:
    idle = f'node_cpu_seconds_total{{mode="idle",{HOST}}}{window}'
    return f"1 - avg by (host) (rate({idle}))"


def _network(way: str, window: str) -> str:
    moved = f'node_network_{way}_bytes_total{{{HOST},device!~"lo|veth.*"}}{window}'
    return f"sum by (host) (rate({moved}))"


def _of_host(each: str, measure: str, legend: str = "{{host}}") -> tuple[str, str]:
    return _most(f"({each})", measure, "host"), legend


def _hosts(made: Dashboard) -> Dashboard:
    available, memory = "node_memory_MemAvailable_bytes", f"node_memory_MemTotal_bytes{{{HOST}}}"
    inuse, waiting = "node_sockstat_TCP_inuse", "node_sockstat_TCP_tw"
    open_files, limit = "node_filefd_allocated", f"node_filefd_maximum{{{HOST}}}"
    least = f"min_over_time({available}{{{HOST}}}{WHOLE})"
    most_open = greatest(open_files, HOST, END)
    return (
        made.with_row(Row("Hosts"))
        .with_panel(
            lines(
                "CPU by host",
                "All cores together; above 90 % response times can't be trusted. "
                f"The {LINES_MAX} busiest.",
                "percentunit",
                _of_host(_cpu(STEP), _cpu(WHOLE)),
                width=8,
            )
        )
        .with_panel(
            lines(
                "Memory by host",
                f"Share of the memory in use: the {LINES_MAX} fullest.",
                "percentunit",
                _of_host(f"1 - {available}{{{HOST}}} / {memory}", f"1 - {least} / {memory}"),
                width=8,
            )
        )
        .with_panel(
            lines(
                "Network by host",
                f"Bytes a second, without loopback, of the {LINES_MAX} hosts that move the most.",
                "Bps",
                *(
                    _of_host(_network(way, STEP), _network(way, WHOLE), f"{{{{host}}}} {way}")
                    for way in ("receive", "transmit")
                ),
                width=8,
            )
        )
        .with_panel(
            lines(
                "TCP connections by host",
                "Connections in use, and those in TIME-WAIT that hold a port: "
                f"the {LINES_MAX} hosts with the most of each.",
                "locale",
                *(
                    _of_host(f"{name}{{{HOST}}}", greatest(name, HOST, END), legend)
                    for name, legend in (
                        (inuse, "{{host}} in use"),
                        (waiting, "{{host}} time-wait"),
                    )
                ),
                width=12,
            )
        )
        .with_panel(
            lines(
                "Descriptors by host",
                f"Share of the kernel's file descriptors in use: the {LINES_MAX} highest.",
                "percentunit",
                _of_host(f"{open_files}{{{HOST}}} / {limit}", f"{most_open} / {limit}"),
                width=12,
            )
        )
    )
