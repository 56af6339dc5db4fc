"""Whether the user who drives a fleet has what Ansible and ssh need of them: a name and a home."""

import os
import pwd
from pathlib import Path

from loadgen.shared.errors import UsageError

PLACES = {"ANSIBLE_LOCAL_TEMP": "tmp", "ANSIBLE_SSH_CONTROL_PATH_DIR": "cp"}
"""Ansible's variable for each directory that it writes to, and its name in Ansible's home."""


def require_user() -> None:
    """Raise UsageError unless this user has a name, and Ansible can write to its directories.

    Where the user names a configuration file of Ansible, that file may name other directories.
    """
    try:
        pwd.getpwuid(os.getuid())
    except KeyError as error:
        raise UsageError(
            f"user id {os.getuid()} has no name on this machine, but ssh and Ansible "
            f"need one: add an entry for it to /etc/passwd, or run this as a user who "
            f"has a name"
        ) from error
    if "ANSIBLE_CONFIG" in os.environ:
        return
    home = os.environ.get("ANSIBLE_HOME") or "~/.ansible"
    for variable, name in PLACES.items():
        _require_writable(Path(os.environ.get(variable) or f"{home}/{name}").expanduser())


def _require_writable(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        reason = "" if os.access(directory, os.W_OK | os.X_OK) else "Permission denied"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise UsageError(
            f"Ansible can't write to {directory} ({reason}), where it keeps its temporary files: "
            "set HOME or ANSIBLE_HOME to a directory of your own; nothing was changed"
        )
