"""Filters for the secrets that the controller makes."""

import hashlib
import json
from collections.abc import Callable, Mapping

ITERATIONS = 600_000
"""OWASP's number for PBKDF2 with SHA-256; 0.2 s of one core for each login."""


def login_hash(password: str, user: str, secret_key: str) -> str:
    """Hash a password as Werkzeug's `check_password_hash` reads it: pbkdf2:sha256:N$salt$hex.

    Not scrypt, which a host in FIPS mode refuses to compute. The salt comes from the user's name
    and the fleet's own random key, so that it is unique and the same password always gives the
    same file.
    """
    salt = hashlib.sha256(f"{secret_key}\0{user}".encode()).hexdigest()[:16]
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), ITERATIONS)
    return f"pbkdf2:sha256:{ITERATIONS}${salt}${key.hex()}"


def login_file(users: Mapping[str, str], secret_key: str) -> str:
    """Return the text of the web UI's login file for names and passwords in clear."""
    hashes = {user: login_hash(str(users[user]), user, secret_key) for user in sorted(users)}
    return json.dumps({"users": hashes, "secret_key": secret_key}, indent=1) + "\n"


def bcrypt_hash(password: str) -> str:
    """Hash a password that is random as Prometheus reads it; the same one gives the same hash."""
    import bcrypt  # noqa: PLC0415 - only where Prometheus has logins

    # 21 letters and an `e`, whose lower bits are none, are 16 bytes of bcrypt's own base64.
    salt = hashlib.sha256(f"salt\0{password}".encode()).hexdigest()[:21] + "e"
    return bcrypt.hashpw(password.encode(), f"$2b$10${salt}".encode()).decode()


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"login_file": login_file, "bcrypt_hash": bcrypt_hash}
