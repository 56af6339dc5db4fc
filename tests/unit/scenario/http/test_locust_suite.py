"""Locust's own tests of FastHttpUser, run on FastUser, when they can be had.

They come from LOCUST_SOURCE (a clone of Locust's repository at the installed version), or from the
source distribution of the installed version, which pip fetches into .cache. They stay there.
"""

import json
import os
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.unit.scenario.http.differences import LOCUSTS_TESTS

ROOT = Path(__file__).parents[4]
VERSION = version("locust")
FETCH_SECONDS = 60
RUN_SECONDS = 120
DOCUMENT = ROOT / "docs" / "http-user.md"


def locust_source() -> Path:
    """Return a directory with Locust's tests, or skip, in words."""
    named = os.environ.get("LOCUST_SOURCE")
    source = Path(named) if named else _from_distribution(ROOT / ".cache" / "locust")
    if (source / "locust" / "test" / "test_fasthttp.py").exists():
        return source
    pytest.skip(
        f"no tests of Locust in {source}: give a clone of Locust's repository at {VERSION} "
        "as LOCUST_SOURCE"
    )


def _from_distribution(cache: Path) -> Path:
    archive = cache / f"locust-{VERSION}.tar.gz"
    if not archive.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries=0"]
        command += ["--timeout=10", "--no-binary=locust", f"--dest={cache}", f"locust=={VERSION}"]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=FETCH_SECONDS)
        except (subprocess.SubprocessError, OSError):
            pytest.skip(f"the source distribution of locust {VERSION} can't be fetched by pip")
    source = cache / f"locust-{VERSION}"
    if not source.exists():
        with tarfile.open(archive) as tar:
            tests = [name for name in tar.getnames() if "/locust/test/" in name]
            tar.extractall(cache, [tar.getmember(name) for name in tests], filter="data")
            source.mkdir(exist_ok=True)
    return source


def test_locusts_own_tests_pass_but_for_what_is_documented() -> None:
    command = [sys.executable, "-m", "tests.unit.scenario.http.locust_suite", str(locust_source())]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=RUN_SECONDS
    )
    assert done.returncode == 0, done.stderr[-2000:]
    outcomes = json.loads(done.stdout)
    assert {name for name, error in outcomes.items() if error} == set(LOCUSTS_TESTS)


@pytest.mark.parametrize("name", LOCUSTS_TESTS)
def test_what_fails_of_locusts_tests_is_documented(name: str) -> None:
    assert f"| `{name}` | {LOCUSTS_TESTS[name]} |" in DOCUMENT.read_text()
