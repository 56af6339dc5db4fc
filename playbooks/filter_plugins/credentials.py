"""Filters for the secrets that the controller makes."""

import hashlib
import json
from collections.abc import Callable, Mapping

WORK_FACTOR, BLOCK_SIZE, PARALLELISM = 32768, 8, 1
MEMORY_BYTES = 132 * WORK_FACTOR * BLOCK_SIZE * PARALLELISM


def login_hash(password: str, user: str, secret_key: str) -> str:
    """Hash a password as Werkzeug's `check_password_hash` reads it: scrypt:N:r:p$salt$hex.

    The salt comes from the user's name and the fleet's own random key, so that it is unique and
    the same password always gives the same file.
    """
    salt = hashlib.sha256(f"{secret_key}\0{user}".encode()).hexdigest()[:16]
    key = hashlib.scrypt(
        password.encode(),
        salt=salt.encode(),
        n=WORK_FACTOR,
        r=BLOCK_SIZE,
        p=PARALLELISM,
        maxmem=MEMORY_BYTES,
    )
    return f"scrypt:{WORK_FACTOR}:{BLOCK_SIZE}:{PARALLELISM}${salt}${key.hex()}"


def login_file(users: Mapping[str, str], secret_key: str) -> str:
    """Return the text of the web UI's login file for names and passwords in clear."""
    hashes = {user: login_hash(str(users[user]), user, secret_key) for user in sorted(users)}
    return json.dumps({"users": hashes, "secret_key": secret_key}, indent=1) + "\n"


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"login_file": login_file}
