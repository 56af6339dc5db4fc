"""Runs a host's module as Ansible would: JSON in, JSON out, in a process of its own."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ansible

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
COMMANDS = Path(__file__).parent / "commands"
"""Stand-ins for systemctl and others; each keeps its state in the directory FAKE_STATE."""
PLATFORM_PYTHON = next(iter(sorted(Path.home().glob(".pyenv/versions/3.6.*/bin/python3.6"))), None)
"""A CPython 3.6 of this machine, as RHEL 8's platform-python is one."""

HOST_PYTHON = PLATFORM_PYTHON or Path(sys.executable)
"""The oldest Python at hand that a host may have: what the modules run on here."""


def run_module(name: str, **arguments: Any) -> dict[str, Any]:
    """Return the module's answer; a refusal too."""
    return _run(name, None, arguments)


def run_beside(name: str, fakes: Path, **arguments: Any) -> dict[str, Any]:
    """Return the module's answer where the commands are stand-ins with that state."""
    return _run(name, fakes, arguments)


def _run(name: str, fakes: Path | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
    path = os.environ["PATH"]
    if fakes is not None:
        path = f"{COMMANDS}:{Path(sys.executable).parent}:{path}"
    with tempfile.TemporaryDirectory() as libraries:
        # Ansible's own code alone: a 3.6 can't read what else today's site-packages hold.
        (Path(libraries) / "ansible").symlink_to(Path(ansible.__file__).parent)
        finished = subprocess.run(
            [str(HOST_PYTHON), str(PLAYBOOKS / "library" / f"{name}.py")],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": path, "FAKE_STATE": str(fakes), "PYTHONPATH": libraries},
            timeout=60,
        )
    answer: dict[str, Any] = json.loads(
        finished.stdout or f'{{"stderr": {json.dumps(finished.stderr)}}}'
    )
    return answer


def load_filters(name: str) -> dict[str, Any]:
    """Return the filters of one of the playbooks' plugins by name."""
    place = PLAYBOOKS / "filter_plugins" / f"{name}.py"
    specification = importlib.util.spec_from_file_location(f"filters_{name}", place)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    found: dict[str, Any] = module.FilterModule().filters()
    return found
