"""A results directory with many runs, as finished runs leave it, for tests of what reads them."""

import random
from datetime import timedelta
from pathlib import Path

from loadgen.results.summary import ResponseTimes
from loadgen.results.trend import dump_trends, trends
from tests.unit.samples import entry, summary


def make_runs(results: Path, count: int, broken: int = 0) -> list[str]:
    """Make runs a day apart, one in ten invalid, and `broken` ones beside; return their names."""
    generator, names = random.Random(1), []
    results.mkdir(exist_ok=True)
    for number in range(count):
        base = summary("invalid" if number % 10 == 7 else "failed" if number % 9 == 4 else "passed")
        assert base.started_at
        began = base.started_at + timedelta(days=number)
        name = f"{began:%Y%m%dT%H%M%SZ}-shop-{number:04x}"
        slow = 1.3 if number > count * 0.8 else 1.0
        times: dict[float, int] = {}
        for _ in range(400):
            value = float(f"{20 * slow * generator.lognormvariate(0, 0.3):.2g}")
            times[value] = times.get(value, 0) + 1
        rows = [entry("/item", response_times=times, failures=number % 4), entry("/cart", "POST")]
        p50, p95, p99 = (sorted(times)[int(len(times) * part)] / 1000 for part in (0.4, 0.8, 0.95))
        run = base.model_copy(
            update={
                "run_id": name,
                "started_at": began,
                "ended_at": began + timedelta(minutes=5),
                "requests": 500,
                "throughput_per_second": 100 / slow + generator.random(),
                "response_time_seconds": ResponseTimes(p50=p50, p95=p95, p99=p99, max=p99),
                "specification": {
                    "locustfile": "locustfiles/shop.py" if number % 3 else "locustfiles/other.py",
                    "host": "https://shop.example",
                    "users": 50 if number < count - 3 else 60,
                },
            }
        )
        directory = results / name
        directory.mkdir()
        (directory / "summary.json").write_text(run.model_dump_json())
        (directory / "trend.json").write_text(dump_trends(trends(rows)))
        (directory / "report.html").write_text("report")
        names.append(name)
    for number in range(broken):
        directory = results / f"20260101T0000{number:02}Z-broken-{number:04x}"
        directory.mkdir()
        for what in range(number % 3):
            (directory / "summary.json").write_text(("{", '{"verdict": 7}')[what])
    return names
