"""The secrets in the addresses of a recording's requests, and the expressions that replace them."""

from collections.abc import Iterator, Sequence
from urllib.parse import unquote, unquote_plus

from loadgen.recordings.correlation import Correlation
from loadgen.recordings.exchange import Exchange
from loadgen.recordings.secrets import Secrets
from loadgen.shared.request_names import group_path
from loadgen.shared.secret_names import address_tokens


class Addresses:
    """`known` has an expression for each secret of an address that a request may have by now.

    A secret that an earlier answer had is taken from it, any other one from the environment.
    """

    def __init__(
        self, exchanges: Sequence[Exchange], correlation: Correlation, secrets: Secrets
    ) -> None:
        self._correlation, self._secrets = correlation, secrets
        self._found = [dict(self._search(number, one)) for number, one in enumerate(exchanges)]
        self.known = {
            unquote(raw): expression
            for one in self._found
            for raw, expression in one.items()
            if expression.startswith("os.environ")
        }

    def secrets_of(self, number: int) -> dict[str, str]:
        """Return the secrets of a request's address, as it has them, with their expressions."""
        found = self._found[number]
        self.known |= {unquote(raw): expression for raw, expression in found.items()}
        return {
            raw: expression
            if expression.startswith("self.v") and raw == unquote(raw)
            else f"quote({expression}, safe='')"
            for raw, expression in found.items()
        }

    def _search(self, number: int, one: Exchange) -> Iterator[tuple[str, str]]:
        path, sure = group_path(one.url.path), set()
        for token in address_tokens(one.path):
            raw = one.path[token.start : token.end]
            in_path = token.start < len(one.url.path)
            value = unquote(raw) if in_path else unquote_plus(raw)
            origin = f"path {path}" if in_path else f"query of {path}"
            self._secrets.hidden.setdefault(value, f"the {token.name} of {origin}")
            sure.add(raw)
            if known := self._correlation.token(value, number):
                yield raw, known.source
            elif expression := self._secrets.expression(token.name, value, origin, sure=True):
                yield raw, expression
        for piece in one.url.query.split("&"):
            name, _, raw = piece.partition("=")
            value = unquote_plus(raw)
            if not raw or raw in sure or self._correlation.explains(value, number):
                continue
            expression = self._secrets.expression(unquote_plus(name), value, f"query of {path}")
            if expression:
                yield raw, expression
