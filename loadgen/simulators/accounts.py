"""The accounts that simulated targets know: `accounts.csv` beside this file, and one administrator.

They share one password, so that seeding a target costs one password hash instead of a thousand;
each login still pays the target's full price.
"""

import csv
from pathlib import Path

FILE = Path(__file__).with_name("accounts.csv")
ADMINISTRATOR = "admin@example.org"


def load() -> dict[str, str]:
    """Return each account's password by user name, in the order of the file."""
    with FILE.open(newline="") as lines:
        return {row["username"]: row["password"] for row in csv.DictReader(lines)}


def password() -> str:
    """Return the password that all of them share."""
    return next(iter(load().values()))
