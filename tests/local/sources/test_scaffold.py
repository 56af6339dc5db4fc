"""Scaffolds of the simulators' descriptions, walked once against the simulators themselves."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from loadgen.cli.main import main
from tests.local.conftest import PROJECT
from tests.servers import simulator

DJANGO = PROJECT / "loadgen" / "simulators" / "django_site" / "static" / "openapi.json"
DSPACE = PROJECT / "tests" / "unit" / "api_descriptions" / "dspace.yaml"


def _walk(made: Path, url: str, **environment: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-m", "loadgen", "probe", "--locustfile", made, "--host", url],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return finished.stdout + finished.stderr


def test_django_sites_own_description(tmp_path: Path) -> None:
    made = tmp_path / "django.py"
    with simulator("django_site") as url:
        served = tmp_path / "openapi.json"
        served.write_text(requests.get(f"{url}/static/openapi.json", timeout=10).text)
        with pytest.raises(SystemExit, match="0"):
            main(["scaffold", str(served), "--output", str(made)])
        login = {"username": "user0001@example.org", "password": "simulated-password"}
        token = requests.post(f"{url}/api/token/", json=login, timeout=10).json()["access"]
        said = _walk(made, url, SCAFFOLD_JWT=token)
    assert "3 requests, 0 failed" in said


def test_a_dspace_like_description(tmp_path: Path) -> None:
    made = tmp_path / "repository.py"
    with simulator("dspace") as url:
        with pytest.raises(SystemExit, match="0"):
            main(["scaffold", str(DSPACE), "--output", str(made)])
        said = _walk(made, url)
    # The item of the description is not in this repository, which is what there is to edit.
    assert "3 requests, 1 failed" in said
    assert "status 404 instead of 200" in said
