"""Dashboard *Fleet*: whether the generators can be trusted."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from exporter.grafana.parts import BAD, GOOD, WARNING, dashboard, lines, number, rows, variable

WORKER = 'worker=~"$worker"'
HOST = 'instance=~"$host"'


def build() -> Dashboard:
    """Return the dashboard."""
    made = dashboard(
        "loadgen-fleet", "Fleet", "Workers, master and hosts: is the measurement sound?", "now-15m"
    )
    made = made.with_variable(
        variable("worker", "Worker", "label_values(locust_worker_users, worker)")
    ).with_variable(variable("host", "Host", "label_values(node_load1, instance)"))
    return _hosts(_workers(_overview(made)))


def _overview(made: Dashboard) -> Dashboard:
    connected = 'sum(locust_workers{state!="missing"})'
    clock = "max(abs(locust_worker_clock_offset_seconds))"
    saturated: list[tuple[float | None, str]] = [(None, GOOD), (0.7, WARNING), (0.9, BAD)]
    return (
        made.with_panel(
            number("Master", "1 while the master is heard.", "short", ("locust_up", ""), width=4)
        )
        .with_panel(number("Workers", "Workers connected.", "short", (connected, ""), width=4))
        .with_panel(
            number(
                "Busiest worker",
                "CPU of the busiest worker process; above 90 % it measures itself.",
                "percentunit",
                ("max(locust_worker_cpu_ratio)", ""),
                steps=saturated,
                width=4,
            )
        )
        .with_panel(
            number(
                "Master CPU",
                "CPU of the master; 1 is a core.",
                "percentunit",
                ("locust_master_cpu_ratio", ""),
                steps=saturated,
                width=4,
            )
        )
        .with_panel(
            number(
                "Clock offset",
                "Greatest difference between a worker's clock and the master's, transit included.",
                "s",
                (clock, ""),
                steps=[(None, GOOD), (0.25, WARNING), (0.5, BAD)],
                width=4,
            )
        )
        .with_panel(
            number(
                "Workers lost",
                "Workers that went missing or left during the test.",
                "short",
                ("locust_workers_lost", ""),
                steps=[(None, GOOD), (1, BAD)],
                width=4,
            )
        )
    )


def _workers(made: Dashboard) -> Dashboard:
    def by_worker(metric: str) -> tuple[str, str]:
        return f"{metric}{{{WORKER}}}", "{{worker}}"

    def column(metric: str, function: str = "sum") -> str:
        return f"{function} by (worker) ({metric}{{{WORKER}}})"

    return (
        made.with_row(Row("Workers"))
        .with_panel(
            lines(
                "Workers by state",
                "Worker processes in each of Locust's states.",
                "short",
                ("sum by (state) (locust_workers)", "{{state}}"),
                width=8,
            )
        )
        .with_panel(
            lines(
                "CPU by worker",
                "1 is a whole core, which is all that a worker can use.",
                "percentunit",
                by_worker("locust_worker_cpu_ratio"),
                ("locust_master_cpu_ratio", "master"),
                width=8,
            )
        )
        .with_panel(
            lines(
                "Memory by worker",
                "Resident memory.",
                "bytes",
                by_worker("locust_worker_memory_bytes"),
                ("locust_master_memory_bytes", "master"),
                width=8,
            )
        )
        .with_panel(
            lines(
                "Users by worker",
                "Users that each worker runs.",
                "short",
                by_worker("locust_worker_users"),
                width=12,
            )
        )
        .with_panel(
            lines(
                "Clock offset by worker",
                "Distance of each worker's clock from the master's, transit included.",
                "s",
                (f"abs(locust_worker_clock_offset_seconds{{{WORKER}}})", "{{worker}}"),
                width=12,
            )
        )
        .with_panel(
            rows(
                "Worker processes",
                "Every worker that is connected.",
                {
                    "Users": (column("locust_worker_users"), "short"),
                    "CPU": (column("locust_worker_cpu_ratio"), "percentunit"),
                    "Memory": (column("locust_worker_memory_bytes"), "bytes"),
                    "Clock offset": (column("locust_worker_clock_offset_seconds"), "s"),
                },
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
                (f"1 - avg by (instance) ({idle})", "{{instance}}"),
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
                    "{{instance}}",
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
                        f"sum by (instance) (rate(node_network_{way}_bytes_total{{{network}}}"
                        "[$__rate_interval]))",
                        f"{{{{instance}}}} {way}",
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
                "short",
                (f"node_sockstat_TCP_inuse{{{HOST}}}", "{{instance}} in use"),
                (f"node_sockstat_TCP_tw{{{HOST}}}", "{{instance}} time-wait"),
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
                    "{{instance}}",
                ),
                width=12,
            )
        )
    )
