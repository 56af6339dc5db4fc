"""Requests that can't be counted as they were reported: nothing else is lost, and they are said."""

import re
import textwrap

from tests.local.conftest import Runner

# Every user goes through the ten kinds in turn, four times.
ODD = textwrap.dedent(r"""
    import math
    from locust import User, constant_pacing, task
    from locust.exception import StopUser

    SIMULATOR = "hello"
    KINDS = [
        {}, {"response_time": 20}, {"response_length": None}, {"response_length": -5},
        {"response_time": -1}, {"response_time": math.nan}, {"response_time": math.inf},
        {"response_time": None}, {"name": "/half\udcc3"},
        {"exception": ValueError("half \udcc3")},
    ]

    class Odd(User):
        wait_time = constant_pacing(0.01)

        def on_start(self):
            self.done = 0

        @task
        def fire(self):
            if self.done < 4 * len(KINDS):
                kind = KINDS[self.done % len(KINDS)]
                given = {"request_type": "GET", "name": "/", "response_time": 12.0}
                given |= {"response_length": 100, **kind}
                self.environment.events.request.fire(**given)
                self.done += 1
            elif self.done == 4 * len(KINDS):
                self.done += 1
                raise ValueError("half \udcc3 of a pair")
""")


def test_odd_values_cost_no_other_request_and_the_verdict_says_them(loadgen: Runner) -> None:
    (loadgen.tmp_path / "odd.py").write_text(ODD)
    run = loadgen.start(
        *("-f", "odd.py", "--users", "3", "--spawn-rate", "3", "--run-time", "4s"),
        *("--workers", "2"),
    )
    assert run.wait() == 3, run.output + run.logs()
    summary = run.summary
    assert (summary["requests"], summary["failures"]) == (120, 12)
    said = " ".join(summary["reasons"])
    assert "24 response times were not finite numbers" in said
    assert "12 response times were below 0" in said
    assert "24 response lengths were negative or not numbers" in said
    assert "names or errors contain characters that UTF-8 can't encode" in said
    assert re.search(r"3 exceptions ended .*half \\udcc3 of a pair", said)
    assert summary["response_time_seconds"]["max"] == 0.02
    metrics = (run.directory / "metrics.prom").read_text()
    assert 'locust_requests_total{method="GET",name="/half\\\\udcc3"} 12.0' in metrics
