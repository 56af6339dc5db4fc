"""Dashboard *Home*: the runs of the past with their verdicts, and now."""

from grafana_foundation_sdk.builders import annotationslist
from grafana_foundation_sdk.builders.dashboard import Dashboard

from exporter.grafana.names import FLEET, REQUESTS_ONLY
from exporter.grafana.parts import (
    BAD,
    FAILURES,
    GOOD,
    LAST_SCRAPE_SECONDS,
    TAG,
    WARNING,
    Column,
    dashboard,
    lines,
    number,
    rows,
    state,
)

VERDICTS = {
    "1": ("passed", GOOD),
    "2": ("failed", BAD),
    "3": ("invalid", WARNING),
    "4": ("error", BAD),
    "5": ("interrupted", "blue"),
}


def _last(name: str, more: str = "") -> str:
    return f"max by (run_id) (last_over_time(locust_run_{name}{{{FLEET}{more}}}[$__range]))"


def _verdict() -> str:
    """Return PromQL for a number that says the verdict: a table colours numbers by words."""
    each = [(number, f',verdict="{word}"') for number, (word, _) in VERDICTS.items()]
    # A run that was judged again has two verdicts in the time shown: the present one counts.
    now = [
        f"max by (run_id) (locust_run_verdict{{{FLEET}{chosen}}}) * {number}"
        for number, chosen in each
    ]
    return " or ".join(
        [*now, *(f"{_last('verdict', chosen)} * {number}" for number, chosen in each)]
    )


def build() -> Dashboard:
    """Return the dashboard."""
    # The exporter of kept runs shows all of them all the time, so one day contains every run. Over
    # thirty days, two hundred runs would take Prometheus a minute and a half of CPU.
    made = dashboard("loadgen-home", "Home", "Past runs, their verdicts, and now.", "now-24h")
    now = f"topk(1, max by (locust_state) (locust_state{{{FLEET}}} == 1))"
    users = f"sum(locust_users{{{FLEET}}})"
    requests = f"sum(rate(locust_requests_total{{{FLEET},{REQUESTS_ONLY}}}[$__rate_interval]))"
    started, seconds = _last("start_timestamp_seconds"), _last("measured_seconds")
    ended = f"({_last('end_timestamp_seconds')} or {started} + {seconds})"
    seen = f"floor({ended} + {LAST_SCRAPE_SECONDS}) * 1000"
    where = "${datasource:queryparam}&${fleet:queryparam}"
    when = '&from=${__data.fields["Started"].numeric}&to=${__data.fields["Ended"].numeric}'
    return (
        made.refresh("1m")
        .with_panel(state("Now", "State of the master.", now, "{{locust_state}}", "no master"))
        .with_panel(number("Users", "Users running now.", "locale", users))
        .with_panel(
            lines(
                "Load",
                "Requests a second of all runs.",
                "reqps",
                (requests, "requests"),
                width=16,
                height=4,
            )
        )
        .with_panel(
            rows(
                "Runs",
                "Every run that is kept or in the time shown; verdicts where results are read.",
                [
                    Column("Verdict", _verdict(), "none", words=VERDICTS),
                    Column("Started", f"floor({started}) * 1000", "dateTimeAsIso"),
                    Column("Ended", seen, "dateTimeAsIso", hidden=True),
                    Column("Duration", seconds, "s"),
                    Column("Users", _last("users")),
                    Column("Requests", _last("requests")),
                    Column("Requests/s", f"{_last('requests')} / ({seconds} > 0)", "reqps"),
                    Column(
                        "Failed",
                        f"{_last('failures')} / ({_last('requests')} > 0)",
                        "percentunit",
                        steps=FAILURES,
                    ),
                    Column("p95", _last("response_time_seconds", ',ratio="0.95"'), "s"),
                    Column("Workers lost", _last("workers_lost"), steps=[(None, GOOD), (1, BAD)]),
                ],
                {"run_id": "Run"},
                sort="Started",
                links={
                    "Run": [
                        ("Show the run", f"/d/loadgen-run?{where}&var-run=${{__value.raw}}{when}"),
                        (
                            "Compare with the run before",
                            f"/d/loadgen-compare?{where}&var-run_a=${{__value.raw}}",
                        ),
                    ]
                },
            )
        )
        .with_panel(
            annotationslist.Panel()
            .title("What runs posted")
            .description("Start, end, verdict and aborts, as runs posted them to Grafana's API.")
            .tags([TAG])
            .limit(50)
            .only_from_this_dashboard(False)
            .height(8)
            .span(24)
        )
    )
