"""Takes passwords and keys out of a recording: into the run's accounts, or the environment.

A request with a field for a password is a login: its user name and password become those of the
simulated user's own account. Any other secret is read from an environment variable at replay.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from loadgen.recordings.har import Exchange

PASSWORD = re.compile(r"pass(word|wd|phrase)?$|^pwd$", re.IGNORECASE)
USER = re.compile(r"^(user(_?name)?|login|e?mail|account|j_username)$", re.IGNORECASE)
SECRET = re.compile(
    r"authorization|api[-_]?key|secret|token|signature|credential|^x-.*-key$", re.IGNORECASE
)
_JWT = re.compile(r"ey[\w-]{8,}\.ey[\w-]+\.[\w-]*")


@dataclass
class Secrets:
    """What was taken out. `values` maps a recorded secret to the Python expression for it."""

    values: dict[str, str] = field(default_factory=dict)
    logins: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def find_logins(self, exchanges: Iterable[Exchange]) -> None:
        """Note the account that the recording logged in with."""
        for exchange in exchanges:
            fields = dict(body_fields(exchange))
            password = next((fields[name] for name in fields if PASSWORD.search(name)), None)
            if not password:
                continue
            self.values[password] = "self.user.account.password"
            user = next((fields[name] for name in fields if USER.search(name)), None)
            if user:
                self.values[user] = "self.user.account.username"
            self.logins.append(f"{exchange.method} {exchange.url.path}")

    def expression(self, name: str, value: str, origin: str) -> str | None:
        """Return the expression for a field's value, None when the value is no secret."""
        if value in self.values:
            return self.values[value]
        if not value or not (SECRET.search(name) or _JWT.search(value)):
            return None
        variable = "RECORDED_" + re.sub(r"\W+", "_", name).upper()
        while variable in self.variables:
            variable += "_2"
        self.variables[variable] = f"{name} of {origin}"
        self.values[value] = f"os.environ[{variable!r}]"
        return self.values[value]

    def leaked_into(self, text: str) -> list[str]:
        """Return the expressions of secrets that still stand in a text."""
        return [
            expression
            for value, expression in self.values.items()
            if len(value) >= 4 and "username" not in expression and value in text
        ]


def body_fields(exchange: Exchange) -> list[tuple[str, str]]:
    """Return the names and text values of a form's or a flat JSON object's fields."""
    if exchange.parameters and not exchange.body:
        return [(one["name"], one.get("value", "")) for one in exchange.parameters]
    if exchange.content_type == "application/x-www-form-urlencoded":
        return parse_qsl(exchange.body or "", keep_blank_values=True)
    if "json" in exchange.content_type:
        try:
            body = json.loads(exchange.body or "")
        except ValueError:
            return []
        if isinstance(body, dict):
            return [(name, value) for name, value in body.items() if isinstance(value, str)]
    return []
