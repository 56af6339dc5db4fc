"""A session recorded in Chromium runs as a locustfile; har2locust's own does not."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from loadgen.cli.main import main
from loadgen.recordings.browser import record_session
from tests.browser.recorder import visit_django_site, visit_dspace
from tests.local.conftest import PROJECT, Run, Runner, loadgen
from tests.servers import simulator

__all__ = ["loadgen"]
SITES: dict[str, Callable[[str, Path], None]] = {
    "dspace": visit_dspace,
    "django_site": visit_django_site,
}


@pytest.fixture(scope="module", autouse=True)
def _chromium() -> None:
    script = PROJECT / "tests" / "install-packages"
    subprocess.run([script, "chromium"], check=True, timeout=280)


@pytest.fixture(params=SITES)
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Record a session; yields the site's URL and the HAR."""
    har = tmp_path / f"{request.param}.har"
    with simulator(request.param) as url:
        SITES[request.param](url, har)
        yield url, har


def _replay(loadgen: Runner, locustfile: Path, url: str) -> Run:
    """Replay; each user ends the session that it is in, however long a busy machine takes."""
    return loadgen.start(
        *("--locustfile", str(locustfile), "--host", url, "--users", "10", "--spawn-rate", "10"),
        *("--run-time", "8s", "--stop-timeout", "60s", "--workers", "1"),
        results=loadgen.tmp_path / locustfile.stem,
    )


def _by_har2locust_alone(har: Path) -> Path:
    # It calls ruff by its bare name.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    made = subprocess.run(
        [Path(sys.executable).with_name("har2locust"), har],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    plain = har.with_name("plain.py")
    plain.write_text(made.stdout)
    return plain


def _written(url: str) -> int:
    """Return how many items or entries sessions have written to the site."""
    details = requests.get(f"{url}/_state.json", timeout=10).json()["details"]
    return int(details["deposited"] if "deposited" in details else details["entries"])


def test_recorded_session_replays_without_failures_where_har2locust_alone_fails(
    loadgen: Runner, recording: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    recorded_site, har = recording
    converted = har.with_name("converted.py")
    with pytest.raises(SystemExit) as ended:
        main(["record", str(har), "--output", str(converted)])
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    assert "secret removed: the login POST" in said.out
    with simulator(har.stem) as url:
        before, recorded_before = _written(url), _written(recorded_site)
        run = _replay(loadgen, converted, url)
        plain = _replay(loadgen, _by_har2locust_alone(har), recorded_site)
        assert run.wait() == 0, run.output + run.logs()
        plain.wait()
        assert run.summary["failures"] == 0
        assert run.summary["requests"] > 100
        assert _written(url) >= before + 10
    # Where a site sends strangers to its login page, har2locust's replay fails without a word.
    assert plain.summary["failures"] > 0 or har.stem == "django_site", plain.output
    assert _written(recorded_site) == recorded_before


def test_a_browser_that_is_opened_for_it_records_a_session(tmp_path: Path) -> None:
    har, made = tmp_path / "session.har", tmp_path / "made.py"
    with simulator("hello") as url:
        record_session(url, har, lambda page: page.goto(f"{url}/items/7"), headless=True)
    assert har.stat().st_mode & 0o077 == 0
    with pytest.raises(SystemExit, match="0"):
        main(["record", str(har), "--output", str(made)])
    assert 'name="/items/{id}"' in made.read_text()
