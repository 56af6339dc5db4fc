"""What `loadgen mix` makes of a target's own access log brings the same mix and rate again."""

import contextlib
from collections import Counter
from pathlib import Path

import pytest
import requests

from loadgen.access_logs.reading import LogReading
from loadgen.access_logs.traffic import Traffic
from loadgen.cli.main import main
from tests.local.conftest import Runner, loadgen
from tests.servers import simulator

__all__ = ["loadgen"]
SECONDS = 6
PAGES = ["/"] * 5 + ["/items/7"] * 3 + ["/items/8/edit", "/search?q=x"]


def _read(log: Path) -> tuple[Counter[str], Traffic]:
    reading, traffic = LogReading(), Traffic()
    for hit in reading.hits([log]):
        if not hit.path.startswith("/_state"):
            traffic.add(hit)
    traffic.finish()
    assert reading.broken == 0
    return Counter({name: one.seen for (_, name), one in traffic.routes.items()}), traffic


def test_a_replayed_log_has_its_mix_and_its_rate(loadgen: Runner, tmp_path: Path) -> None:
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    made = tmp_path / "made" / "mix.py"
    with simulator("hello", options=["--access-log", str(first)]) as url:
        lines = []
        with requests.Session() as session:
            session.get(f"{url}/", timeout=30)
        (line,) = first.read_text().splitlines()
        # The same line, as 60 visits of ten pages would have written it, ten visits a second.
        head, _, rest = line.partition("[")
        clock, _, rest = rest.partition("]")
        for visit in range(10 * SECONDS):
            for page in PAGES:
                minute = clock.replace(clock.split(" ")[0][-8:], f"10:00:{visit // 10:02}")
                lines.append(
                    f"192.0.2.{visit} {head.partition(' ')[2]}[{minute}]"
                    + rest.replace("GET / ", f"GET {page} ")
                )
    first.write_text("\n".join(lines) + "\n")
    with simulator("hello", options=["--access-log", str(second)]) as url:
        with contextlib.suppress(SystemExit):
            main(["mix", str(first), "--output", str(made), "--host", url])
        run = loadgen.start(
            *("--experiment", str(made.with_suffix(".yml")), "--workers", "1"),
            *("--run-time", "60s"),
        )
        assert run.wait() in {0, 3}, run.output + run.logs()
    (logged, _), (replayed, traffic) = _read(first), _read(second)
    assert replayed.total() == pytest.approx(logged.total(), rel=0.35)
    for name, count in logged.items():
        assert replayed[name] / replayed.total() == pytest.approx(
            count / logged.total(), abs=0.06
        ), name
    crowded = [second for second, count in traffic.bins.items() if count > 5]
    assert max(crowded) - min(crowded) == pytest.approx(SECONDS, abs=3)
