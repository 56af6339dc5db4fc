"""Takes passwords and keys out of a recording: into the run's accounts, or the environment.

A request with a field for a password is a login: its user name and password become those of the
simulated user's own account. Any other secret is read from an environment variable at replay.
"""

import base64
import binascii
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from loadgen.recordings.exchange import Exchange
from loadgen.recordings.fields import fields
from loadgen.shared.request_names import group_path
from loadgen.shared.secret_names import (
    is_secret,
    names_password,
    names_secret,
    names_secret_header,
    names_user,
)

_NO_PASSWORD = {"", "0", "1", "on", "off", "true", "false", "yes", "no", "null", "none"}
PASSWORD_EXPRESSION = "self.user.account.password"  # noqa: S105 - where it is kept, not what it is
USERNAME_EXPRESSION = "self.user.account.username"


@dataclass
class Secrets:
    """What was taken out. `values` maps a recorded secret to the Python expression for it.

    `hidden` are secrets that no request needs any more, each with where it was; nothing that is
    written may have them. `logins` are the requests that log in.
    """

    values: dict[str, str] = field(default_factory=dict)
    usernames: set[str] = field(default_factory=set)
    hidden: dict[str, str] = field(default_factory=dict)
    logins: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    _places: dict[str, str] = field(default_factory=dict)

    def find_logins(self, exchanges: Iterable[Exchange]) -> None:
        """Note the accounts that the recording logged in with."""
        for exchange in exchanges:
            if exchange.url_password:
                self.hidden[exchange.url_password] = "the password of an address"
            self._note_basic(exchange.headers.get("authorization", ""))
            given = fields(exchange)
            passwords = [value for name, value in given if _is_password(name, value)]
            if not passwords:
                continue
            users = [value for name, value in given if value and names_user(name)]
            for user in users[:1]:
                self.usernames.add(user)
                self.values.setdefault(user, USERNAME_EXPRESSION)
            self.values |= dict.fromkeys(passwords, PASSWORD_EXPRESSION)
            login = f"{exchange.method} {group_path(exchange.url.path)}"
            self.logins.append(login)
            self._places |= dict.fromkeys(passwords, f"the password of {login}")

    def _note_basic(self, authorization: str) -> None:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "basic":
            try:
                password = base64.b64decode(given).decode().partition(":")[2]
            except (binascii.Error, ValueError):
                return
            self.hidden.setdefault(password, "the password in the header Authorization")

    def expression(
        self, name: str, value: str, origin: str, *, in_header: bool = False, sure: bool = False
    ) -> str | None:
        """Return the expression for a field's value, None when the value is no secret.

        `sure`: it is one, whatever its name and form.
        """
        if value in self.usernames and names_user(name):
            return USERNAME_EXPRESSION
        if value in self.values:
            return self.values[value]
        named = names_secret_header if in_header else names_secret
        if not value or not (sure or named(name) or is_secret(value)):
            return None
        wanted = "RECORDED_" + (re.sub(r"\W+", "_", name, flags=re.ASCII).upper() or "VALUE")
        names = itertools.chain([wanted], (f"{wanted}_{number}" for number in itertools.count(2)))
        variable = next(one for one in names if one not in self.variables)
        self.variables[variable] = f"{name} of {origin}"
        self.values[value] = f"os.environ[{variable!r}]"
        self._places[value] = self.variables[variable]
        return self.values[value]

    def texts(self) -> dict[str, str]:
        """Return every secret, as it is and as a URL holds it, with what it is; no user name."""
        secrets = {
            value: self._places[value]
            for value, expression in self.values.items()
            if expression != USERNAME_EXPRESSION
        }
        secrets |= self.hidden
        return {
            way: what
            for one, what in secrets.items()
            if len(one) >= 4
            for way in (one, quote(one, ""), quote_plus(one))
        }

    def leaked_into(self, text: str) -> list[str]:
        """Return what the secrets are that are still in a text."""
        return [what for secret, what in self.texts().items() if secret in text]


def _is_password(name: str, value: str) -> bool:
    return value.lower() not in _NO_PASSWORD and names_password(name)
