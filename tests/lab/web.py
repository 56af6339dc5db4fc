"""The fleet's web UI as an operator's browser uses it."""

import http.cookiejar
import ssl
import urllib.parse
import urllib.request

from tests.lab.fleet import INVENTORY, MASTER

URL = f"https://{MASTER}:8089"


class Browser:
    """Keeps cookies; trusts the kit's CA alone."""

    def __init__(self) -> None:
        trust = ssl.create_default_context(cafile=str(INVENTORY / ".secrets/ca/ca.pem"))
        cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=trust),
            urllib.request.HTTPCookieProcessor(cookies),
        )

    def ask(self, path: str, **fields: object) -> tuple[str, str]:
        """GET, or POST what is given; return the address it ended at and the text there."""
        body = urllib.parse.urlencode(fields).encode() if fields else None
        with self._opener.open(URL + path, body, timeout=20) as answer:
            return answer.geturl().removeprefix(URL), answer.read().decode()

    def log_in(self, password: str | None = None) -> str:
        """Log in as the operator; return the page that this leads to."""
        kept = (INVENTORY / ".secrets/web/operator").read_text().strip()
        return self.ask("/login_submit", username="operator", password=password or kept)[0]
