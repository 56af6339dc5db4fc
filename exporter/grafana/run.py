"""Dashboard *Run*: one run as it happens, or looked back at."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from exporter.grafana.parts import (
    BAD,
    GOOD,
    WARNING,
    annotation,
    dashboard,
    heatmap,
    lines,
    number,
    posted_annotations,
    rows,
    variable,
)

OF_RUN = 'and on () locust_run_info{run_id=~"$run"}'
CHOSEN = 'method=~"$method",name=~"$name"'
REQUESTS = f"rate(locust_requests_total{{{CHOSEN}}}[$__rate_interval])"
FAILED = f"rate(locust_requests_failed_total{{{CHOSEN}}}[$__rate_interval])"
BUCKETS = f"rate(locust_response_time_seconds_bucket{{{CHOSEN}}}[$__rate_interval])"
BY_NAME = "sum by (method, name)"


def quantile(ratio: float, by: str = "le") -> str:
    """Return PromQL for a quantile of the response times chosen, in seconds."""
    return f"histogram_quantile({ratio}, sum by ({by}) ({BUCKETS})) {OF_RUN}"


def grown(metric: str, by: str) -> str:
    """Return PromQL for how much a counter has grown over the dashboard's time, exactly.

    increase() leaves out a new series' first value, and errors often come as new series.
    """
    now = f"sum by ({by}) ({metric}{{{CHOSEN}}})"
    before = f"sum by ({by}) ({metric}{{{CHOSEN}}} offset $__range)"
    return f"({now} - ({before} or {now} * 0)) > 0"


ERRORS = grown("locust_request_failures_total", "method, name, error")


def build() -> Dashboard:
    """Return the dashboard."""
    made = dashboard(
        "loadgen-run", "Run", "One load test: its load, response times, failures.", "now-15m"
    )
    made = _variables(made)
    made = _overview(made)
    made = _latency(made)
    return _names(made)


def _variables(made: Dashboard) -> Dashboard:
    return (
        made.with_variable(variable("run", "Run", "label_values(locust_run_info, run_id)"))
        .with_variable(variable("method", "Method", "label_values(locust_requests_total, method)"))
        .with_variable(
            variable("name", "Name", 'label_values(locust_requests_total{method=~"$method"}, name)')
        )
        .annotation(posted_annotations())
        .annotation(annotation("Start", GOOD, "time() - locust_test_start_timestamp_seconds < 10"))
        .annotation(annotation("End", "blue", "time() - locust_test_end_timestamp_seconds < 10"))
        .annotation(annotation("Worker lost", BAD, "delta(locust_workers_lost[15s]) > 0"))
    )


def _overview(made: Dashboard) -> Dashboard:
    state = ("topk(1, locust_state == 1)", "{{locust_state}}")
    ratio = f"sum({FAILED}) / (sum({REQUESTS}) > 0) {OF_RUN}"
    return (
        made.with_panel(number("State", "State of the master.", "none", state))
        .with_panel(number("Users", "Users running now.", "short", (f"locust_users {OF_RUN}", "")))
        .with_panel(
            number("Requests/s", "Requests a second.", "reqps", (f"sum({REQUESTS}) {OF_RUN}", ""))
        )
        .with_panel(
            number(
                "Failures",
                "Share of the requests that failed.",
                "percentunit",
                (ratio, ""),
                steps=[(None, GOOD), (0.001, WARNING), (0.01, BAD)],
            )
        )
        .with_panel(
            number(
                "95th percentile",
                "95 % of the responses took no longer. Within one bucket (about 1.4 times).",
                "s",
                (quantile(0.95), ""),
            )
        )
        .with_panel(
            number(
                "Requests so far",
                "Requests since the test began, or since its statistics were reset.",
                "short",
                (f"locust_test_requests {OF_RUN}", ""),
            )
        )
        .with_panel(
            number(
                "Workers lost",
                "Workers that went missing or left: one is enough to make the run invalid.",
                "short",
                (f"locust_workers_lost {OF_RUN}", ""),
                steps=[(None, GOOD), (1, BAD)],
            )
        )
        .with_panel(
            number(
                "Requests lost",
                "Requests that workers counted and the master never got.",
                "short",
                (f"locust_test_requests_lost {OF_RUN}", ""),
                steps=[(None, GOOD), (1, BAD)],
            )
        )
    )


def _latency(made: Dashboard) -> Dashboard:
    return (
        made.with_row(Row("Load and response times"))
        .with_panel(
            lines(
                "Requests and failures",
                "Requests a second, and those that failed.",
                "reqps",
                (f"sum({REQUESTS}) {OF_RUN}", "requests"),
                (f"sum({FAILED}) {OF_RUN}", "failures"),
            )
        )
        .with_panel(
            lines(
                "Response times",
                "Percentiles over all names, computed from merged histograms.",
                "s",
                *((quantile(ratio), f"p{ratio * 100:g}") for ratio in (0.5, 0.95, 0.99)),
            )
        )
        .with_panel(
            heatmap(
                "Distribution of response times",
                "How many requests took how long. Two bands are two kinds of responses.",
                f"sum by (le) ({BUCKETS.replace('rate(', 'increase(', 1)}) {OF_RUN}",
            )
        )
        .with_panel(
            lines(
                "Users",
                "Users running, and those the test is to reach.",
                "short",
                (f"locust_users {OF_RUN}", "running"),
                (f"locust_users_target {OF_RUN}", "target"),
            )
        )
    )


def _names(made: Dashboard) -> Dashboard:
    labels = {"method": "Method", "name": "Name"}
    by = "method, name, le"
    return (
        made.with_row(Row("By name"))
        .with_panel(
            lines(
                "Requests by name",
                "Requests a second of each name.",
                "reqps",
                (f"{BY_NAME} ({REQUESTS}) {OF_RUN}", "{{method}} {{name}}"),
            )
        )
        .with_panel(
            lines(
                "95th percentile by name",
                "95 % of the responses of a name took no longer.",
                "s",
                (quantile(0.95, by), "{{method}} {{name}}"),
            )
        )
        .with_panel(
            rows(
                "Names",
                "Every name: rates and percentiles now, maximum of the whole test.",
                {
                    "Requests/s": (f"{BY_NAME} ({REQUESTS})", "reqps"),
                    "Failures/s": (f"{BY_NAME} ({FAILED})", "reqps"),
                    "p50": (quantile(0.5, by), "s"),
                    "p95": (quantile(0.95, by), "s"),
                    "p99": (quantile(0.99, by), "s"),
                    "Max": (f"{BY_NAME} (locust_response_time_max_seconds{{{CHOSEN}}})", "s"),
                },
                labels,
                sort="p95",
            )
        )
        .with_panel(
            rows(
                "Errors",
                "Failures within the time shown, by error.",
                {
                    "Failures": (
                        f"topk(50, {ERRORS})",
                        "short",
                    )
                },
                labels | {"error": "Error"},
                sort="Failures",
            )
        )
    )
