"""Every module of the playbooks runs on RHEL 8's platform Python, which is 3.6."""

import subprocess

import pytest

from tests.unit.playbooks.modules import HOST_PYTHON, PLATFORM_PYTHON, PLAYBOOKS, run_module

MODULES = sorted(path.stem for path in (PLAYBOOKS / "library").glob("*.py"))


@pytest.mark.skipif(
    PLATFORM_PYTHON is None, reason="this machine has no CPython 3.6 under ~/.pyenv/versions"
)
@pytest.mark.parametrize("name", MODULES)
def test_a_module_answers_on_python_3_6(name: str) -> None:
    version = subprocess.run(
        [str(HOST_PYTHON), "--version"], capture_output=True, text=True, check=True, timeout=30
    )
    assert version.stdout.startswith("Python 3.6.")
    answer = run_module(name, an_argument_that_no_module_has=1)
    assert "argument" in answer.get("msg", ""), answer
