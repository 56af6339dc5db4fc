import io

import pytest

from loadgen.runs.progress import Progress, fold
from loadgen.shared.totals import Totals
from tests.unit.samples import entry, snapshot, worker


@pytest.mark.parametrize("width", [40, 80, 120])
def test_nothing_of_the_progress_is_cut_off(width: int) -> None:
    parts = ["3590 s left", "2500/2500 users", "12,345.6 req/s", "1,234,567 requests", "0 failed"]
    parts += ["p50 12 ms", "p95 1.72 s", "p99 12.3 s", "16/16 workers"]
    parts += ["2/3 SLOs hold (not: p95 of GET /a/very/long/name/of/a/page at most 500 ms)"]
    said = fold(parts, width)
    assert max(map(len, said.splitlines())) <= width
    assert " ".join(said.split()) == " ".join(" ".join(parts).split())


def test_response_times_are_in_the_unit_that_reads_best() -> None:
    said = io.StringIO()
    shown = snapshot(5, [entry(response_times={1720.0: 100})], [worker()], final=True)
    Progress(30, said).show(shown, Totals.over_all(shown))
    assert "p50 1.72 s" in said.getvalue()
    assert "e+0" not in said.getvalue()
