"""Dashboard *Run*: one load test, while it runs and looked back at.

Tiles and tables show the run's results: exact gauges by run_id, with the last value in the time
shown, so that they stay after the run's end. Graphs show rates and quantiles from counters and
histograms, where the run was on.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard, QueryVariable, Row

from exporter.grafana.names import FLEET, REQUESTS_ONLY
from exporter.grafana.parts import (
    BAD,
    FAILURES,
    GOOD,
    LAST_SCRAPE_SECONDS,
    LINES_MAX,
    ONE_IS_BAD,
    Column,
    annotation,
    dashboard,
    heatmap,
    lines,
    link,
    number,
    posted_annotations,
    rows,
    state,
    variable,
)
from exporter.grafana.target import add_target

OF_RUN = f'and on () locust_run_info{{{FLEET},run_id="$run"}}'
RUN = f'{FLEET},run_id="$run"'
CHOSEN = f'{FLEET},method=~"$method",name=~"$name"'
CHOSEN_OF_RUN = f'{CHOSEN},run_id="$run"'
COUNTED = f"{CHOSEN},{REQUESTS_ONLY}"
BY_NAME = "sum by (method, name)"
RUNS = "locust_run_start_timestamp_seconds"
SEEN = "150s"
"""Holds two scrapes of a minute."""


def rate(metric: str, selector: str = COUNTED) -> str:
    """Return PromQL for a counter's increase a second."""
    return f"rate({metric}{{{selector}}}[$__rate_interval])"


REQUESTS, FAILED = rate("locust_requests_total"), rate("locust_requests_failed_total")
BUCKETS = rate("locust_response_time_seconds_bucket")


def of_run(name: str, more: str = "") -> str:
    """Return PromQL for what the run has come to, from a gauge with its id."""
    return f"max(last_over_time(locust_run_{name}{{{RUN}{more}}}[$__range]))"


def peak_of_run(name: str) -> str:
    """Return PromQL for the greatest value of a gauge of the run that an exporter may forget."""
    return f"max(max_over_time(locust_run_{name}{{{RUN}}}[$__range]))"


def ratio(part: str, whole: str) -> str:
    """Return PromQL for a share; nothing where the whole is 0, which would be no number."""
    return f"{part} / ({whole} > 0)"


def of_names(name: str, more: str = "") -> str:
    """Return PromQL for what each chosen name of the run has come to."""
    each = f"last_over_time(locust_run_name_{name}{{{CHOSEN_OF_RUN}{more}}}[$__range])"
    return f"max by (method, name) ({each})"


def quantile(part: float, by: str = "le") -> str:
    """Return PromQL for a quantile of the response times chosen, in seconds."""
    return f"histogram_quantile({part}, sum by ({by}) ({BUCKETS})) {OF_RUN}"


def greatest(expression: str, measure: str) -> str:
    """Return PromQL that keeps the names with the greatest `measure` of the run, at every step."""
    # The series are chosen once, for the end of the time shown: chosen at each step, lines would
    # come and go.
    last = f"last_over_time({measure}[$__range] @ end())"
    return f"{expression} and on (method, name) topk({LINES_MAX}, max by (method, name) ({last}))"


def newest_runs(condition: str = "") -> str:
    """Return a variable's query for the runs in the time shown, newest first."""
    starts = f"max by (run_id) (last_over_time({RUNS}{{{FLEET}}}[$__range]))"
    return f"query_result(sort_desc({starts}{condition}))"


RUN_ID = '/run_id="([^"]+)"/'
MILLISECONDS = r"/\{\} ([0-9.e+]+)/"


def build() -> Dashboard:
    """Return the dashboard."""
    made = dashboard("loadgen-run", "Run", "One load test: its load, times and failures.", "now-1h")
    made = _variables(made)
    made = _overview(made)
    made = _course(made)
    made = _names(made)
    return add_target(made)


def _variables(made: Dashboard) -> Dashboard:
    # If the time shown ends now, values are those of now, so links give a run's own time.
    begin = f"floor(max(last_over_time({RUNS}{{{RUN}}}[$__range]))) * 1000 - 15000"
    end = f"max(last_over_time(locust_run_end_timestamp_seconds{{{RUN}}}[$__range]))"
    end = f"floor({end} or vector(time())) * 1000 + {LAST_SCRAPE_SECONDS * 1000}"
    methods = f"label_values(locust_requests_total{{{FLEET}}}, method)"
    names = f'label_values(locust_requests_total{{{FLEET},method=~"$method"}}, name)'
    # The exporter of kept runs shows the same runs for ever. Scrapes may be a minute apart, and a
    # bit late.
    live = f"and on (run_id) last_over_time(locust_run_info{{{FLEET}}}[{SEEN}])"
    started = f"max by (run_id) (last_over_time({RUNS}{{{FLEET}}}[{SEEN}])) * 1000 {live}"
    ends = f"last_over_time(locust_run_end_timestamp_seconds{{{FLEET}}}[{SEEN}])"
    ended = f"max by (run_id) ({ends}) * 1000 {live}"
    lost = f"locust_run_workers_lost{{{FLEET}}}"
    more_lost = f"max by (run_id) (max_over_time({lost}[{SEEN}]) > min_over_time({lost}[{SEEN}]))"
    return (
        made.with_variable(
            variable("run", "Run", newest_runs(), every=False, regex=RUN_ID, ordered=True)
        )
        .with_variable(variable("method", "Method", methods))
        .with_variable(variable("name", "Name", names))
        .with_variable(_moment("begin", begin))
        .with_variable(_moment("end", end))
        .link(
            link(
                "The whole run",
                "/d/loadgen-run?${datasource:queryparam}&${fleet:queryparam}&${run:queryparam}"
                "&from=${begin}&to=${end}",
                "Show this run from its start to its end.",
            )
        )
        .annotation(posted_annotations())
        .annotation(annotation("Start", GOOD, started, "{{run_id}} starts", at_value=True))
        .annotation(annotation("End", "blue", ended, "{{run_id}} ends", at_value=True))
        .annotation(annotation("Worker lost", BAD, more_lost, "{{run_id}} loses a worker"))
    )


def _moment(name: str, expression: str) -> QueryVariable:
    query = f"query_result({expression})"
    return variable(name, name, query, every=False, regex=MILLISECONDS, hidden=True)


def _overview(made: Dashboard) -> Dashboard:
    now = f"topk(1, max by (locust_state) (locust_state{{{FLEET}}} == 1)) {OF_RUN}"
    made = (
        made.with_panel(
            state(
                "State",
                "What the master does with this run now; over when it is at an end.",
                now,
                "{{locust_state}}",
                "over",
            )
        )
        .with_panel(number("Requests", "Requests measured.", "locale", of_run("requests")))
        .with_panel(
            number(
                "Requests/s",
                "Requests a second, over all that was measured.",
                "reqps",
                ratio(of_run("requests"), of_run("measured_seconds")),
            )
        )
        .with_panel(
            number(
                "Peak requests/s",
                "The most requests that were answered in one second, by the workers' clocks.",
                "reqps",
                peak_of_run("requests_per_second_peak"),
            )
        )
        .with_panel(
            number(
                "Failures",
                "Share of the requests that failed.",
                "percentunit",
                ratio(of_run("failures"), of_run("requests")),
                steps=FAILURES,
            )
        )
        .with_panel(
            number("Peak users", "The most users that ran.", "locale", peak_of_run("users_peak"))
        )
    )
    for part, words in ((0.5, "Half of"), (0.95, "95 % of"), (0.99, "99 % of")):
        exact = of_run("response_time_seconds", f',ratio="{part}"')
        text = f"{words} the responses took no longer; exact, over all that was measured."
        made = made.with_panel(number(f"p{part * 100:g}", text, "s", exact))
    transfer = ratio(of_run("response_bytes"), of_run("measured_seconds"))
    return (
        made.with_panel(number("Bytes/s", "Bytes of response bodies a second.", "Bps", transfer))
        .with_panel(
            number(
                "Workers lost",
                "Workers that went missing or left: one is enough to make the run invalid.",
                "locale",
                of_run("workers_lost"),
                steps=ONE_IS_BAD,
            )
        )
        .with_panel(
            number(
                "Requests lost",
                "Requests that workers counted and the master never got.",
                "locale",
                of_run("requests_lost"),
                steps=ONE_IS_BAD,
            )
        )
    )


def _course(made: Dashboard) -> Dashboard:
    # A window is longer than a step; a rate times the step counts each request once.
    counts = f"sum by (le) ({BUCKETS}) * $__interval_ms / 1000"
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
                "Percentiles over all names, from histograms; within 10 % of the exact ones.",
                "s",
                *((quantile(part), f"p{part * 100:g}") for part in (0.5, 0.95, 0.99)),
            )
        )
        .with_panel(
            heatmap(
                "Distribution of response times",
                "How many requests took how long. Two bands are two kinds of responses.",
                f"{counts} {OF_RUN}",
            )
        )
        .with_panel(
            lines(
                "Users",
                "Users running, and those the test is to reach.",
                "locale",
                (f"sum(locust_users{{{FLEET}}}) {OF_RUN}", "running"),
                (f"sum(locust_users_target{{{FLEET}}}) {OF_RUN}", "target"),
            )
        )
        .with_panel(
            lines(
                "Transfer",
                "Bytes of response bodies a second.",
                "Bps",
                (f"sum({rate('locust_response_bytes_total')}) {OF_RUN}", "received"),
                width=12,
            )
        )
        .with_panel(
            rows(
                "SLOs",
                "The run's own limits: what was measured, and the limit, in its unit.",
                [
                    Column(
                        "Holds",
                        f"{_slo('held')} or {_slo('limit')} * 0 - 1",
                        "none",
                        words={
                            "1": ("yes", GOOD),
                            "0": ("no", BAD),
                            "-1": ("not measured yet", "blue"),
                        },
                    ),
                    Column("Measured", _slo("measured"), "none"),
                    Column("Limit", _slo("limit"), "none"),
                ],
                {"slo": "SLO"},
                sort="Holds",
                width=12,
            )
        )
    )


def _slo(name: str) -> str:
    return f"max by (slo) (last_over_time(locust_slo_{name}{{{RUN}}}[$__range]))"


def _names(made: Dashboard) -> Dashboard:
    labels = {"method": "Method", "name": "Name"}
    each = f"{BY_NAME} ({rate('locust_requests_total', CHOSEN)})"
    many = f"locust_run_name_requests{{{CHOSEN_OF_RUN}}}"
    slow = f'locust_run_name_response_time_seconds{{{CHOSEN_OF_RUN},ratio="0.95"}}'
    errors = f"last_over_time(locust_run_errors{{{CHOSEN_OF_RUN}}}[$__range])"

    def time(quantile: str) -> str:
        return of_names("response_time_seconds", f',ratio="{quantile}"')

    return (
        made.with_row(Row("By name"))
        .with_panel(
            lines(
                "Requests by name",
                f"Requests a second of the {LINES_MAX} most frequent names.",
                "reqps",
                (f"{greatest(each, many)} {OF_RUN}", "{{method}} {{name}}"),
            )
        )
        .with_panel(
            lines(
                "95th percentile by name",
                f"95 % of the responses took no longer: the {LINES_MAX} slowest names.",
                "s",
                (greatest(quantile(0.95, "method, name, le"), slow), "{{method}} {{name}}"),
            )
        )
        .with_panel(
            rows(
                "Names",
                "Every name of the run, exact, over all that was measured.",
                [
                    Column("Requests", of_names("requests")),
                    Column(
                        "Failed",
                        f"{of_names('failures')} / ({of_names('requests')} > 0)",
                        "percentunit",
                        steps=FAILURES,
                    ),
                    Column("Average", of_names("response_time_average_seconds"), "s"),
                    Column("p50", time("0.5"), "s"),
                    Column("p95", time("0.95"), "s"),
                    Column("p99", time("0.99"), "s"),
                    Column("Max", time("1"), "s"),
                ],
                labels,
                sort="Requests",
            )
        )
        .with_panel(
            rows(
                "Errors",
                "Failures of the run by error, the 50 most frequent.",
                [Column("Failures", f"topk(50, max by (method, name, error) ({errors}))")],
                labels | {"error": "Error"},
                sort="Failures",
            )
        )
    )
