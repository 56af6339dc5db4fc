"""Locust's CSV files say nothing below the truth."""

from typing import Any

from locust.env import Environment
from locust.stats import StatsCSV

from loadgen.node import locust_fixes
from loadgen.node.statistics import time_rounding


def test_percentiles_of_csv_files_keep_their_fractions() -> None:
    kept = StatsCSV._percentile_fields
    locust_fixes.write_whole_percentiles()
    try:
        environment = Environment()
        entry: Any = environment.stats.get("/", "GET")
        for milliseconds in (0.93, 1.62, 1.62, 48.77):
            entry.log(milliseconds, 1)
        entry.response_times = {
            time_rounding.bucket(one): count for one, count in ((0.93, 1), (1.62, 2), (48.77, 1))
        }
        fields = StatsCSV(environment, [0.2, 0.5, 1.0])._percentile_fields(entry)
        assert fields == [0.93, 1.62, 48.77]
    finally:
        StatsCSV._percentile_fields = kept  # type: ignore[method-assign]
