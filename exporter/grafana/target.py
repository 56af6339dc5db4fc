"""The row of *Run* that shows the target's own metrics; see `prometheus_target_scrapes`."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from exporter.grafana.names import FLEET
from exporter.grafana.parts import lines

TARGET = f'{FLEET},role="target"'


def add_target(made: Dashboard) -> Dashboard:
    """Add the row that shows the target beside the load."""

    def each(metric: str, by: str = "host", more: str = "") -> str:
        return f"sum by ({by}) (rate({metric}{{{TARGET}{more}}}[$__rate_interval]))"

    idle = f'rate(node_cpu_seconds_total{{{TARGET},mode="idle"}}[$__rate_interval])'
    memory = f"node_memory_MemAvailable_bytes{{{TARGET}}} / node_memory_MemTotal_bytes{{{TARGET}}}"
    heap = f'{TARGET},area="heap"'
    jvm = f"jvm_memory_used_bytes{{{heap}}} or jvm_memory_bytes_used{{{heap}}}"
    disk = f"rate(node_disk_io_time_seconds_total{{{TARGET}}}[$__rate_interval])"
    return (
        made.with_row(Row("Target (prometheus_target_scrapes)"))
        .with_panel(
            lines(
                "Target: CPU",
                "All cores of each of the target's machines together.",
                "percentunit",
                (f"1 - avg by (host) ({idle})", "{{host}}"),
                width=8,
            )
        )
        .with_panel(
            lines(
                "Target: memory",
                "Share of the memory in use; heap of a JVM in bytes is below.",
                "percentunit",
                (f"1 - {memory}", "{{host}}"),
                width=8,
            )
        )
        .with_panel(
            lines(
                "Target: disk",
                "Share of the time in which each machine's busiest disk works.",
                "percentunit",
                (f"max by (host) ({disk})", "{{host}}"),
                width=8,
            )
        )
        .with_panel(
            lines(
                "Target: database",
                "PostgreSQL's transactions a second.",
                "ops",
                (each("pg_stat_database_xact_commit", "datname"), "{{datname}} committed"),
                (each("pg_stat_database_xact_rollback", "datname"), "{{datname}} rolled back"),
                width=8,
            )
        )
        .with_panel(
            lines(
                "Target: database connections",
                "PostgreSQL's connections by state.",
                "locale",
                (f"sum by (state) (pg_stat_activity_count{{{TARGET}}})", "{{state}}"),
                width=8,
            )
        )
        .with_panel(
            lines(
                "Target: heap",
                "Heap in use of each JVM.",
                "bytes",
                (f"sum by (host) ({jvm})", "{{host}}"),
                width=8,
            )
        )
    )
