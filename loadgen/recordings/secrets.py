"""Takes passwords and keys out of a recording: into the run's accounts, or the environment.

A request with a field for a password is a login: its user name and password become those of the
simulated user's own account. Any other secret is read from an environment variable at replay.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from loadgen.recordings.exchange import Exchange
from loadgen.recordings.fields import fields
from loadgen.shared.request_names import group_path
from loadgen.shared.secret_names import names_password, names_secret, names_user

_JWT = re.compile(r"ey[\w-]{8,}\.ey[\w-]+\.[\w-]*")
_NO_PASSWORD = {"", "0", "1", "on", "off", "true", "false", "yes", "no", "null", "none"}
PASSWORD_EXPRESSION = "self.user.account.password"  # noqa: S105 - where it is kept, not what it is
USERNAME_EXPRESSION = "self.user.account.username"


@dataclass
class Secrets:
    """What was taken out. `values` maps a recorded secret to the Python expression for it.

    `hidden` are secrets that no request needs any more; nothing that is written may have them.
    """

    values: dict[str, str] = field(default_factory=dict)
    usernames: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    logins: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def find_logins(self, exchanges: Iterable[Exchange]) -> None:
        """Note the accounts that the recording logged in with."""
        for exchange in exchanges:
            self.hidden.add(exchange.url_password)
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
            self.logins.append(f"{exchange.method} {group_path(exchange.url.path)}")

    def _note_basic(self, authorization: str) -> None:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "basic":
            try:
                password = base64.b64decode(given).decode().partition(":")[2]
            except (binascii.Error, ValueError):
                return
            self.hidden.add(password)

    def expression(self, name: str, value: str, origin: str) -> str | None:
        """Return the expression for a field's value, None when the value is no secret."""
        if value in self.usernames and names_user(name):
            return USERNAME_EXPRESSION
        if value in self.values:
            return self.values[value]
        if not value or not (names_secret(name) or _JWT.search(value)):
            return None
        variable = "RECORDED_" + (re.sub(r"\W+", "_", name, flags=re.ASCII).upper() or "VALUE")
        while variable in self.variables:
            variable += "_2"
        self.variables[variable] = f"{name} of {origin}"
        self.values[value] = f"os.environ[{variable!r}]"
        return self.values[value]

    def texts(self) -> set[str]:
        """Return every secret, as it is and as a URL holds it; a user name is none."""
        secrets = {
            value for value, expression in self.values.items() if expression != USERNAME_EXPRESSION
        }
        secrets |= self.hidden
        return {
            way
            for one in secrets
            if len(one) >= 4
            for way in (one, quote(one, ""), quote_plus(one))
        }

    def leaked_into(self, text: str) -> list[str]:
        """Return the expressions of secrets that still stand in a text."""
        return [
            self.values.get(secret, "the password of an address")
            for secret in self.texts()
            if secret in text
        ]


def _is_password(name: str, value: str) -> bool:
    return value.lower() not in _NO_PASSWORD and names_password(name)
