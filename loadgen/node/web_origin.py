"""Admits requests to the web UI from its own pages only, not from other sites in the same browser.

Locust's web UI answers every origin (CORS) and takes its requests as plain forms, so any page that
an operator opens could start load or read the statistics. Here a request that another origin made
is refused, and so is one that reached a loopback address under a foreign name (DNS rebinding).
"""

from urllib.parse import urlsplit

from flask import Flask, Response, request

from loadgen.shared.loopback import meant_loopback


def refusal(host: str, origin: str | None, loopback: bool) -> str | None:
    """Return why a request is refused, None when it may pass. `host` and `origin` are headers."""
    if loopback and not meant_loopback(host):
        return (
            f"this web UI listens on loopback only, so it does not answer requests "
            f"for the host name {host}"
        )
    if origin is not None and _place(origin) != host:
        return f"requests from pages of {origin} are refused"
    return None


def _place(origin: str) -> str:
    """Return the host and port of an origin; empty for what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def install(app: Flask, loopback: bool) -> None:
    """Guard a master's web UI; call on Locust's `init` event."""

    def refuse() -> tuple[str, int] | None:
        reason = refusal(request.host, request.headers.get("Origin"), loopback)
        return (reason, 403) if reason else None

    def unshare(response: Response) -> Response:
        for name in ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"):
            response.headers.pop(name, None)
        response.headers["X-Frame-Options"] = "DENY"
        return response

    app.before_request(refuse)
    # The first of this list runs last, after flask-cors has added its headers.
    app.after_request_funcs.setdefault(None, []).insert(0, unshare)
