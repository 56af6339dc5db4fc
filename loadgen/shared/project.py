"""Where the kit's own files are, in a clone and in an installed package.

`PROJECT` is the directory that `loadgen`, `exporter` and `locustfiles` are imported from. `KIT`
holds what is no code: playbooks, locked requirements, experiments, the sample inventory. In a clone
both are its root; the wheel has the second one as `loadgen/kit/` (see pyproject.toml).
"""

import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
_INSTALLED = PROJECT / "loadgen" / "kit"
IS_CLONE = not _INSTALLED.is_dir()
KIT = PROJECT if IS_CLONE else _INSTALLED
PYTHON_MODULE = (sys.executable, "-P", "-m")
"""Starts a module. `-P` leaves the working directory out, where a user may have a `json.py`."""


def cache_directory() -> Path:
    """Return where releases and wheels are kept: in the clone, or where the user's caches are."""
    if IS_CLONE:
        return PROJECT / ".cache"
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "loadgen"


def own_directory() -> Path:
    """Return where inventories, results and monitoring data are: the clone, or here."""
    return PROJECT if IS_CLONE else Path.cwd()
