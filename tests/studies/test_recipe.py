"""The README's recipe "How many users can my site handle?", shortened, against any HOST.

Once against the Django site, once against a target whose capacity is known by construction: one
lock of 50 ms, asked once a second by each user, bears 20 users.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.local.conftest import PROJECT
from tests.servers import simulator

SERVICE_SECONDS, LOCK_BEARS = 0.05, 20


def _searched(directory: Path, url: str, search: dict[str, object]) -> tuple[dict[str, Any], str]:
    """Follow the recipe as the README has it, with a shortened copy of its experiment."""
    recipe = yaml.safe_load((PROJECT / "experiments/capacity.yml").read_text())
    short = {"run_time": "5s", "warm_up": "2s", "rest": "0s"}
    recipe |= {**short, "workers": 1, "search": {**recipe["search"], **search}}
    (directory / "capacity.yml").write_text(yaml.safe_dump(recipe))
    finished = subprocess.run(
        [
            *("make", "run-distributed", f"EXPERIMENT={directory}/capacity.yml", f"HOST={url}"),
            *(f"RESULTS={directory}/results", "QUIET=1"),
        ],
        cwd=PROJECT, capture_output=True, text=True, timeout=880, check=False,
        env={**os.environ, "TMPDIR": str(directory)},
    )  # fmt: skip
    print(finished.stdout)
    output = finished.stdout + finished.stderr
    made = list(directory.glob("results/*/capacity.json"))
    assert made, output
    found = json.loads(made[0].read_text())
    return found, output


@pytest.mark.timeout(900)
def test_the_users_that_a_known_target_bears_are_found(tmp_path: Path) -> None:
    options = ("--law", "lock", "--service-seconds", str(SERVICE_SECONDS))
    with simulator("capacity", options=options) as url:
        found, output = _searched(tmp_path, url, {"start": 10, "most": 80})
    assert found["limited_by"] == "target", output
    assert found["low"] <= LOCK_BEARS * 1.15, output
    assert found["high"] >= LOCK_BEARS * 0.85, output
    assert (tmp_path / "results" / "index.html").stat().st_size > 10_000


@pytest.mark.timeout(900)
def test_the_recipe_works_against_a_django_site(tmp_path: Path) -> None:
    with simulator("django_site") as url:
        found, output = _searched(tmp_path, url, {"start": 5, "most": 10})
    assert (found["low"], found["limited_by"]) == (10, "most"), output
    assert "at least 10" in found["sentence"], output
