"""The accounts of a run: where they are read from, and who holds which.

    ACCOUNTS           a CSV file with the header `username,password`, one account a line
    ACCOUNTS_CSV       instead of a file: its text, as a fleet's master gets it
    ACCOUNT_USERNAME   instead of a file: the one account of a run with one user,
    ACCOUNT_PASSWORD   and its password

Without either, a run against this machine uses the bundled simulators' accounts.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from loadgen.shared.errors import UsageError, why_unread
from loadgen.shared.project import PROJECT

HEADER = ["username", "password"]
THIS_MACHINE = {"127.0.0.1", "localhost", "::1", "", None}
SIMULATORS = PROJECT / "loadgen" / "simulators" / "accounts.csv"
_FORMAT = (
    "the file needs the header username,password and one account on each line, "
    "with both columns filled"
)


@dataclass(frozen=True)
class Account:
    """A user name and its password, which is never shown; `grant` numbers its handing out."""

    username: str
    password: str = field(repr=False)
    grant: int = 0


def read_accounts(path: Path) -> list[Account]:
    """Read an account file. Raises UsageError, one sentence, when there is a fault in it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(
            f"account file {path} can't be read: {why_unread(fault)}; {_FORMAT}"
        ) from fault
    return parse_accounts(text, str(path))


def parse_accounts(text: str, path: str) -> list[Account]:
    """Read an account file's text; `path` is its name in a UsageError, one sentence."""
    try:
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as fault:
        raise UsageError(f"account file {path} is not a CSV file: {fault}; {_FORMAT}") from fault
    if not lines or lines[0] != HEADER:
        found = ",".join(lines[0]) if lines else "nothing"
        raise UsageError(f"account file {path} begins with {found[:60]!r}; {_FORMAT}")
    accounts: dict[str, int] = {}
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(HEADER) or not all(line):
            raise UsageError(
                f"account file {path}, line {number}: it has {len(line)} columns; {_FORMAT}"
            )
        if line[0] in accounts:
            raise UsageError(
                f"account file {path}: {line[0]} is on lines {accounts[line[0]]} and {number};"
                " users that share an account log each other out, so list each account only once"
            )
        accounts[line[0]] = number
    if not accounts:
        raise UsageError(f"account file {path} has no account below its header; {_FORMAT}")
    return [Account(username, lines[number - 1][1]) for username, number in accounts.items()]


def find_accounts(environment: Mapping[str, str], host: str | None) -> tuple[list[Account], str]:
    """Return the accounts for a run against `host` (a URL), and where they stand.

    Raises UsageError when there are none, or a fault in their file.
    """
    if path := environment.get("ACCOUNTS"):
        return read_accounts(Path(path)), path
    if text := environment.get("ACCOUNTS_CSV"):
        return parse_accounts(text, "ACCOUNTS_CSV"), "ACCOUNTS"
    if username := environment.get("ACCOUNT_USERNAME"):
        password = environment.get("ACCOUNT_PASSWORD", "")
        if not password:
            raise UsageError("ACCOUNT_USERNAME is set without ACCOUNT_PASSWORD: set both")
        return [Account(username, password)], "ACCOUNT_USERNAME"
    if urlsplit(host or "").hostname in THIS_MACHINE:
        return read_accounts(SIMULATORS), str(SIMULATORS)
    raise UsageError(
        "this scenario logs in, and no accounts are set: set ACCOUNTS to a CSV file with the"
        " columns username,password, or ACCOUNT_USERNAME and ACCOUNT_PASSWORD for one user"
    )


def handed_over(environment: Mapping[str, str], *, simulated: bool) -> dict[str, str]:
    """Return the variables by which a fleet's master finds the accounts that this machine has.

    Without any, a `simulated` target's are those of the simulators.
    """
    path = Path(environment.get("ACCOUNTS", ""))
    if path.is_file():
        return {"ACCOUNTS_CSV": path.read_text(encoding="utf-8-sig")}
    names = ("ACCOUNTS_CSV", "ACCOUNT_USERNAME", "ACCOUNT_PASSWORD")
    found = {name: environment[name] for name in names if name in environment}
    return found or ({"ACCOUNTS_CSV": SIMULATORS.read_text()} if simulated else {})
