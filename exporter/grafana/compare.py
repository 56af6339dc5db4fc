"""Dashboard *Compare*: two runs over each other, the second moved so that both start together.

The dashboard's time is run A's. `$offset`, found by a query, is how many seconds later A began
than B; every selector of B looks that far back.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from exporter.grafana.parts import Query, dashboard, lines, variable

OFFSET = "offset ${offset}s"
START = "run_id:locust_test_start_timestamp_seconds"


def _both(expression: str) -> tuple[Query, Query]:
    """Make the queries of A and B; `%s` marks where a selector ends."""
    of_run = 'and on () locust_run_info{run_id="%s"} %s'
    return (
        (f"{expression.replace('%s', '')} {of_run % ('$run_a', '')}".rstrip(), "A: $run_a"),
        (f"{expression.replace('%s', OFFSET)} {of_run % ('$run_b', OFFSET)}", "B: $run_b"),
    )


def _quantile(ratio: float) -> tuple[Query, Query]:
    buckets = "sum by (le) (rate(locust_response_time_seconds_bucket[$__rate_interval] %s))"
    return _both(f"histogram_quantile({ratio}, {buckets})")


def build() -> Dashboard:
    """Return the dashboard."""
    run_ids = f"query_result(count by (run_id) (count_over_time({START}[$__range])))"
    only_id = '/run_id="([^"]+)"/'
    started = 'max(max_over_time(%s{run_id="$%s"}[30d]))'
    offset = f"{started % (START, 'run_a')} - {started % (START, 'run_b')}"
    made = dashboard(
        "loadgen-compare",
        "Compare",
        "Two runs, aligned at their start. Show run A's time.",
        "now-24h",
    )
    rate = "sum(rate(%s[$__rate_interval] %%s))"
    return (
        made.with_variable(variable("run_a", "Run A", run_ids, every=False, regex=only_id))
        .with_variable(variable("run_b", "Run B", run_ids, every=False, regex=only_id))
        .with_variable(
            variable(
                "offset",
                "Seconds from B's start to A's",
                f"query_result(round({offset}))",
                every=False,
                regex=r"/\{\} (-?[0-9]+)/",
                hidden=True,
            )
        )
        .with_panel(
            lines(
                "Requests/s",
                "Requests a second of both runs.",
                "reqps",
                *_both(rate % "locust_requests_total"),
            )
        )
        .with_panel(
            lines(
                "Failures/s",
                "Failures a second of both runs.",
                "reqps",
                *_both(rate % "locust_requests_failed_total"),
            )
        )
        .with_panel(
            lines("50th percentile", "Half of the responses took no longer.", "s", *_quantile(0.5))
        )
        .with_panel(
            lines("95th percentile", "95 % of the responses took no longer.", "s", *_quantile(0.95))
        )
        .with_panel(
            lines("99th percentile", "99 % of the responses took no longer.", "s", *_quantile(0.99))
        )
        .with_panel(lines("Users", "Users running.", "short", *_both("locust_users %s")))
    )
