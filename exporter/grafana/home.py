"""Dashboard *Home*: the runs of the past, with verdicts."""

from grafana_foundation_sdk.builders import annotationslist
from grafana_foundation_sdk.builders.dashboard import Dashboard

from exporter.grafana.parts import TAG, dashboard, lines, number, rows


def _last(metric: str) -> str:
    return f"max by (run_id) (max_over_time({metric}[$__range]))"


def build() -> Dashboard:
    """Return the dashboard."""
    state = ("topk(1, locust_state == 1)", "{{locust_state}}")
    made = dashboard("loadgen-home", "Home", "Past runs, their verdicts, and now.", "now-30d")
    start = "run_id:locust_test_start_timestamp_seconds"
    verdict = "max by (run_id, verdict) (max_over_time(locust_run_verdict[$__range]))"
    return (
        made.refresh("1m")
        .with_panel(
            number(
                "Now",
                "State of the master.",
                "none",
                state,
            )
        )
        .with_panel(number("Users", "Users running now.", "short", ("locust_users", "")))
        .with_panel(
            lines(
                "Load",
                "Requests a second of all runs.",
                "reqps",
                ("locust:requests:rate1m", "requests"),
                width=18,
                height=4,
            )
        )
        .with_panel(
            rows(
                "Runs seen by Prometheus",
                "Every run within the time shown.",
                {
                    "Started": (f"{_last(start)} * 1000", "dateTimeAsIso"),
                    "Users": (_last("run_id:locust_users"), "short"),
                    "Requests": (_last("run_id:locust_test_requests"), "short"),
                    "Failures": (_last("run_id:locust_test_failures"), "short"),
                    "Workers lost": (_last("run_id:locust_workers_lost"), "short"),
                },
                {"run_id": "Run"},
                sort="Started",
                width=14,
            )
        )
        .with_panel(
            rows(
                "Verdicts",
                "Runs whose results lie where an exporter reads them, with what they were judged.",
                {
                    "Requests": (
                        f"{verdict} * on (run_id) group_left max by (run_id) "
                        "(max_over_time(locust_run_requests[$__range]))",
                        "short",
                    )
                },
                {"run_id": "Run", "verdict": "Verdict"},
                sort="Run",
                width=10,
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
