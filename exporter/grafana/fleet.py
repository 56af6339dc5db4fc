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
    Steps,
    dashboard,
    lines,
    number,
    rows,
    variable,
)

WORKER = f'{FLEET},worker=~"$worker"'
HOST = f'{FLEET},host=~"$host",role!="target"'


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
    clock = f"max(abs(locust_worker_clock_offset_seconds{{{FLEET}}}))"
    missing = f"clamp_min({expected} - {connected}, 0)"
    made = (
        made.with_panel(
            number(
                "Masters",
                "Masters that are heard.",
                "locale",
                f"sum(locust_up{{{FLEET}}})",
                width=3,
            )
        )
        .with_panel(number("Workers", "Workers connected.", "locale", connected, width=3))
        .with_panel(
            number(
                "Workers missing",
                "Workers that the test counts on and that are not connected.",
                "locale",
                missing,
                steps=ONE_IS_BAD,
                width=3,
            )
        )
        .with_panel(
            number(
                "Workers lost",
                "Workers that went missing or left during the test.",
                "locale",
                f"max(locust_workers_lost{{{FLEET}}})",
                steps=ONE_IS_BAD,
                width=3,
            )
        )
    )
    apart: Steps = [(None, GOOD), (0.25, WARNING), (0.5, BAD)]
    any_is_odd: Steps = [(None, GOOD), (1, WARNING)]
    refused = f"sum(locust_test_values_refused{{{FLEET}}}) or vector(0)"
    for title, description, unit, expression, steps in (
        (
            "Busiest worker",
            "CPU of the busiest worker process; above 90 % it measures itself.",
            "percentunit",
            f"max(locust_worker_cpu_ratio{{{FLEET}}})",
            SATURATION,
        ),
        (
            "Master CPU",
            "CPU of the master; 1 is a core.",
            "percentunit",
            f"max(locust_master_cpu_ratio{{{FLEET}}})",
            SATURATION,
        ),
        (
            "Clock offset",
            "Greatest difference between a worker's clock and the master's, transit included.",
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
    def by_worker(metric: str, function: str = "") -> tuple[str, str]:
        each = f"max by (worker) ({function}({metric}{{{WORKER}}}))"
        # Chosen once, at the end: chosen at each step, the lines would come and go.
        whole = f"max_over_time({metric}{{{WORKER}}}[$__range] @ end())"
        greatest = f"topk({LINES_MAX}, max by (worker) ({function}({whole})))"
        return f"{each} and on (worker) {greatest}", "{{worker}}"

    def column(metric: str) -> str:
        return f"max by (worker) ({metric}{{{WORKER}}})"

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
                by_worker("locust_worker_clock_offset_seconds", "abs"),
                width=12,
            )
        )
        .with_panel(
            rows(
                "Worker processes",
                "Every worker that is connected.",
                [
                    Column("Users", column("locust_worker_users")),
                    Column("CPU", column("locust_worker_cpu_ratio"), "percentunit", SATURATION),
                    Column("Memory", column("locust_worker_memory_bytes"), "bytes"),
                    Column("Clock offset", column("locust_worker_clock_offset_seconds"), "s"),
                ],
                {"worker": "Worker"},
                sort="CPU",
            )
        )
    )


def _hosts(made: Dashboard) -> Dashboard:
    idle = f'rate(node_cpu_seconds_total{{mode="idle",{HOST}}}[$__rate_interval])'
    network = f'{HOST},device!~"lo|veth.*"'
    return (
        made.with_row(Row("Hosts"))
        .with_panel(
            lines(
                "CPU by host",
                "All cores together; above 90 % response times can't be trusted.",
                "percentunit",
                (f"1 - avg by (host) ({idle})", "{{host}}"),
                width=8,
            )
        )
        .with_panel(
            lines(
                "Memory by host",
                "Share of the memory in use.",
                "percentunit",
                (
                    f"1 - node_memory_MemAvailable_bytes{{{HOST}}}"
                    f" / node_memory_MemTotal_bytes{{{HOST}}}",
                    "{{host}}",
                ),
                width=8,
            )
        )
        .with_panel(
            lines(
                "Network by host",
                "Bytes a second, received and sent, without loopback.",
                "Bps",
                *(
                    (
                        f"sum by (host) (rate(node_network_{way}_bytes_total{{{network}}}"
                        "[$__rate_interval]))",
                        f"{{{{host}}}} {way}",
                    )
                    for way in ("receive", "transmit")
                ),
                width=8,
            )
        )
        .with_panel(
            lines(
                "TCP connections by host",
                "Connections in use, and those in TIME-WAIT that hold a port.",
                "locale",
                (f"node_sockstat_TCP_inuse{{{HOST}}}", "{{host}} in use"),
                (f"node_sockstat_TCP_tw{{{HOST}}}", "{{host}} time-wait"),
                width=12,
            )
        )
        .with_panel(
            lines(
                "Descriptors by host",
                "Share of the kernel's file descriptors in use.",
                "percentunit",
                (
                    f"node_filefd_allocated{{{HOST}}} / node_filefd_maximum{{{HOST}}}",
                    "{{host}}",
                ),
                width=12,
            )
        )
    )
