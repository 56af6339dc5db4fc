"""The page for a library's administrator, typed on the lab as it stands."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.lab.fleet import PROJECT, deploy
from tests.studies.pages import Command, steps

PAGE = PROJECT / "docs" / "start" / "library.md"
TYPED_FOR = {
    "inventory/mine": "inventory/lab",
    " HOST=https://repository.example.org": "",
    " RUN_TIME=2m": " RUN_TIME=10s",
    "EXPERIMENT=experiments/dspace-10.yml": "EXPERIMENT=experiments/dspace-10.yml RUN_TIME=20s",
    "make deploy": "make deploy PLAYBOOK_OPTIONS='--extra-vars target_simulator=dspace'",
}
TIMEOUT_SECONDS = 600


@pytest.fixture(autouse=True)
def _hello_again() -> Iterator[None]:
    yield
    deploy()


def test_the_page_leads_to_a_judged_run_and_back() -> None:
    for step in steps(PAGE.read_text()):
        if not isinstance(step, Command) or not step.text.startswith("make"):
            continue  # The lab has made its inventory by itself.
        typed = step.text
        for page, here in TYPED_FOR.items():
            typed = typed.replace(page, here)
        print("$", typed, flush=True)
        finished = subprocess.run(
            ["bash", "-c", typed], cwd=PROJECT, timeout=TIMEOUT_SECONDS, check=False
        )
        assert finished.returncode == 0, typed
