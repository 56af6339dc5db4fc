"""Dashboard *Compare*: two runs over each other, the second moved so that both start together.

The dashboard's time is run A's. `$offset`, found by a query, is how many seconds later A began
than B; every selector of B looks that far back. B's default is the run before A.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from exporter.grafana.names import FLEET, REQUESTS_ONLY
from exporter.grafana.parts import (
    FAILURES,
    LAST_SCRAPE_SECONDS,
    Column,
    Query,
    dashboard,
    lines,
    link,
    rows,
    variable,
)
from exporter.grafana.run import MILLISECONDS, RUN_ID, RUNS

OFFSET = "offset ${offset}s"
COUNTED = f"{FLEET},{REQUESTS_ONLY}"
LONG = "90d"
"""How far back a chosen run is looked for, whatever time is shown: Prometheus keeps as much."""
LISTED = "7d"
"""How far back runs are listed. An archive tells of its runs all the time, whenever they were; of a
few hundred of them a longer look would take Prometheus many seconds."""


def _both(expression: str) -> tuple[Query, Query]:
    """Make the queries of A and B; `%s` marks where a selector ends."""
    # An empty id would be that of a master without a run.
    of_run = f'and on () locust_run_info{{{FLEET},run_id="%s",run_id!=""}} %s'
    return (
        (f"{expression.replace('%s', '')} {of_run % ('$run_a', '')}".rstrip(), "A: $run_a"),
        (f"{expression.replace('%s', OFFSET)} {of_run % ('$run_b', OFFSET)}", "B: $run_b"),
    )


def _quantile(ratio: float) -> tuple[Query, Query]:
    rates = f"rate(locust_response_time_seconds_bucket{{{COUNTED}}}[$__rate_interval] %s)"
    return _both(f"histogram_quantile({ratio}, sum by (le) ({rates}))")


def _of(run: str, name: str = "start_timestamp_seconds") -> str:
    series = f'locust_run_{name}{{{FLEET},run_id="{run}",run_id!=""}}'
    return f"max(last_over_time({series}[{LONG}]))"


def build() -> Dashboard:
    """Return the dashboard."""
    made = dashboard(
        "loadgen-compare",
        "Compare",
        "Two runs, aligned at their start. Show run A's time.",
        "now-1h",
    )
    return _graphs(_table(_variables(made)))


def _variables(made: Dashboard) -> Dashboard:
    starts = f"max by (run_id) (last_over_time({RUNS}{{{FLEET}}}[{LISTED}]))"
    newest = f"query_result(sort_desc({starts}))"
    older = f"query_result(sort_desc({starts} < scalar({_of('$run_a')})))"
    # 0 is no offset to Prometheus 2; without a run B there is nothing to move.
    between = f"round({_of('$run_a')} - {_of('$run_b')})"
    offset = f"({between} + ({between} == bool 0)) or vector(1)"
    seconds = [
        f"({_of(run, 'end_timestamp_seconds')} - {_of(run)})" for run in ("$run_a", "$run_b")
    ]
    longest = f"max({seconds[0]} > {seconds[1]} or {seconds[1]} or {seconds[0]} or vector(300))"
    begin = f"({_of('$run_a')} or vector(time() - 3600))"
    made = (
        made.with_variable(
            variable("run_a", "Run A", newest, every=False, regex=RUN_ID, ordered=True)
        )
        .with_variable(
            variable("run_b", "Run B, before it", older, every=False, regex=RUN_ID, ordered=True)
        )
        .with_variable(
            variable(
                "offset",
                "Seconds from B's start to A's",
                f"query_result({offset})",
                every=False,
                regex=r"/\{\} (-?[0-9]+)/",
                hidden=True,
            )
        )
    )
    for name, expression in (
        ("begin", f"floor({begin}) * 1000 - 5000"),
        ("end", f"floor({begin} + {longest} + {LAST_SCRAPE_SECONDS}) * 1000"),
    ):
        query = f"query_result({expression})"
        made = made.with_variable(
            variable(name, name, query, every=False, regex=MILLISECONDS, hidden=True)
        )
    return made.link(
        link(
            "Both runs, whole",
            "/d/loadgen-compare?${datasource:queryparam}&${fleet:queryparam}&${run_a:queryparam}"
            "&${run_b:queryparam}&from=${begin}&to=${end}",
            "Show the time of run A, as long as the longer of both.",
        )
    )


def _table(made: Dashboard) -> Dashboard:
    def last(name: str, more: str = "") -> str:
        # An id is no pattern: each is asked for as it is.
        found = [
            f'last_over_time(locust_run_{name}{{{FLEET},run_id="{run}",run_id!=""{more}}}[{LONG}])'
            for run in ("$run_a", "$run_b")
        ]
        return f"max by (run_id) ({' or '.join(found)})"

    def time(quantile: str) -> str:
        return last("response_time_seconds", f',ratio="{quantile}"')

    seconds = last("measured_seconds")
    return made.with_panel(
        rows(
            "Both runs",
            "What each of them came to, whatever time is shown.",
            [
                Column("Started", f"{last('start_timestamp_seconds')} * 1000", "dateTimeAsIso"),
                Column("Duration", seconds, "s"),
                Column("Requests", last("requests")),
                Column("Requests/s", f"{last('requests')} / ({seconds} > 0)", "reqps"),
                Column(
                    "Failed",
                    f"{last('failures')} / ({last('requests')} > 0)",
                    "percentunit",
                    steps=FAILURES,
                ),
                Column("p50", time("0.5"), "s"),
                Column("p95", time("0.95"), "s"),
                Column("p99", time("0.99"), "s"),
                Column("Max", time("1"), "s"),
            ],
            {"run_id": "Run"},
            sort="Started",
        ).height(5)
    )


def _graphs(made: Dashboard) -> Dashboard:
    def rate(metric: str) -> tuple[Query, Query]:
        return _both(f"sum(rate({metric}{{{COUNTED}}}[$__rate_interval] %s))")

    for title, description, unit, queries in (
        ("Requests/s", "Requests a second.", "reqps", rate("locust_requests_total")),
        ("Failures/s", "Failures a second.", "reqps", rate("locust_requests_failed_total")),
        ("50th percentile", "Half of the responses took no longer.", "s", _quantile(0.5)),
        ("95th percentile", "95 % of the responses took no longer.", "s", _quantile(0.95)),
        ("99th percentile", "99 % of the responses took no longer.", "s", _quantile(0.99)),
        ("Users", "Users running.", "locale", _both(f"sum(locust_users{{{FLEET}}} %s)")),
    ):
        made = made.with_panel(lines(title, description, unit, *queries))
    return made
