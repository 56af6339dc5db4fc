"""A session recorded in Chromium runs as a locustfile; har2locust's own does not."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from operations.cli import main
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
    """Record a session; yields the site's URL and the HAR. The site starts over afterwards."""
    har = tmp_path / f"{request.param}_session.har"
    with simulator(request.param) as url:
        SITES[request.param](url, har)
        yield url, har


def _replay(loadgen: Runner, locustfile: Path, url: str) -> Run:
    return loadgen.start(
        *("--locustfile", str(locustfile), "--host", url, "--users", "10", "--spawn-rate", "10"),
        *("--run-time", "8s", "--workers", "1"),
        results=loadgen.tmp_path / locustfile.stem,
    )


def _by_har2locust_alone(har: Path) -> Path:
    command = [str(Path(sys.executable).with_name("har2locust")), str(har)]
    # It calls ruff by its bare name.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    made = subprocess.run(
        command,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    plain = har.with_name("plain.py")
    plain.write_text(made.stdout)
    return plain


def test_recorded_session_replays_without_failures_where_har2locust_alone_fails(
    loadgen: Runner, recording: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    url, har = recording
    converted = har.with_name("converted.py")
    with pytest.raises(SystemExit) as ended:
        main(["record", str(har), "--output", str(converted)])
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    assert "secret taken out: the login POST" in said.out
    run, plain = (_replay(loadgen, one, url) for one in (converted, _by_har2locust_alone(har)))
    assert run.wait() == 0, run.output + run.logs()
    assert run.summary["failures"] == 0
    assert run.summary["requests"] > 100
    plain.wait()
    assert plain.summary["failures"] > 0, plain.output
