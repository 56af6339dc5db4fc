"""Runs a host's module as Ansible would: JSON in, JSON out, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"


def run_module(name: str, **arguments: Any) -> dict[str, Any]:
    """Return the module's answer; a refusal too."""
    finished = subprocess.run(
        [sys.executable, str(PLAYBOOKS / "library" / f"{name}.py")],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
        timeout=60,
    )
    answer: dict[str, Any] = json.loads(
        finished.stdout or f'{{"stderr": {json.dumps(finished.stderr)}}}'
    )
    return answer
