"""Who is asking, and may they change anything: DSpace's JWT and its rotating CSRF token.

The CSRF token travels as the cookie DSPACE-XSRF-COOKIE and comes back as the header X-XSRF-TOKEN
(double submit). A JWT is signed with the server's key and the account's salt; a logout drops the
salt, and with it every token of that account. Contract: DSpace/RestContract, authentication.md
and csrf-tokens.md.
"""

import hashlib
import hmac
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import jwt
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from loadgen.simulators import accounts
from loadgen.simulators.dspace import hal

COOKIE = "DSPACE-XSRF-COOKIE"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
JWT_LIFETIME_SECONDS = 30 * 60
HASH_ROUNDS = 1024
REALM = 'password realm="DSpace REST API"'


@dataclass
class EPerson:
    """A person who may log in; `salt` is empty while nobody is logged in as them."""

    uuid: str
    email: str
    password_hash: bytes
    administrator: bool = False
    salt: str = ""


@dataclass
class Accounts:
    """Every account, by e-mail and by UUID. `clock` gives Unix seconds."""

    seed: int
    clock: Callable[[], float] = time.time
    by_email: dict[str, EPerson] = field(default_factory=dict)
    by_uuid: dict[str, EPerson] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(f"accounts {self.seed}")
        self._key = self._random.randbytes(32)
        hashed = _hash(accounts.password())
        for email in (accounts.ADMINISTRATOR, *accounts.load()):
            identifier = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            account = EPerson(identifier, email, hashed, email == accounts.ADMINISTRATOR)
            self.by_email[email] = self.by_uuid[identifier] = account

    def new_token(self) -> str:
        """Return a new CSRF token."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def login(self, email: str, password: str) -> EPerson | None:
        """Return the account that these credentials open."""
        account = self.by_email.get(email)
        if account is None or not hmac.compare_digest(_hash(password), account.password_hash):
            return None
        return account

    def issue(self, account: EPerson) -> str:
        """Return a new JWT for the account."""
        account.salt = account.salt or self._random.randbytes(16).hex()
        claims = {
            "eid": account.uuid,
            "sg": [],
            "authenticationMethod": "password",
            "exp": int(self.clock()) + JWT_LIFETIME_SECONDS,
        }
        return jwt.encode(claims, self._key + account.salt.encode(), algorithm="HS256")

    def authenticate(self, token: str) -> EPerson | None:
        """Return the account of a JWT; None when it is malformed, forged, expired or logged out."""
        options = {"verify_signature": False, "verify_exp": False}
        try:
            claims = jwt.decode(token, options=options)  # type: ignore[arg-type]
            account = self.by_uuid.get(str(claims.get("eid")))
            if account is None or not account.salt or claims["exp"] <= self.clock():
                return None
            key = self._key + account.salt.encode()
            jwt.decode(token, key, algorithms=["HS256"], options={"verify_exp": False})
        except (jwt.InvalidTokenError, KeyError, TypeError):
            return None
        return account

    def logout(self, account: EPerson) -> None:
        """Invalidate every token of the account."""
        account.salt = ""


def _hash(password: str) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), b"dspace simulator", HASH_ROUNDS)


class Security:
    """ASGI middleware: checks the CSRF token and puts the account of the JWT into the scope."""

    def __init__(self, app: ASGIApp, known: Accounts) -> None:
        self.app = app
        self.accounts = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a change without a right token; pass everything else on."""
        if scope["type"] != "http" or not scope["path"].startswith("/server"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        if scope["method"] not in SAFE_METHODS:
            sent = headers.get("x-xsrf-token", "")
            if not cookie or not hmac.compare_digest(cookie.encode(), sent.encode()):
                await self._refuse(scope, cookie)(scope, receive, send)
                return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        scope["dspace.account"] = (
            self.accounts.authenticate(token) if scheme.lower() == "bearer" else None
        )
        scope["dspace.csrf"] = cookie
        await self.app(scope, receive, send)

    def _refuse(self, scope: Scope, cookie: str) -> Response:
        message = "Access is denied. Invalid CSRF token."
        response = hal.error(403, message, scope["path"])
        if cookie:
            # Only a token that did not match is replaced; a missing token is not.
            rotate(response, self.accounts.new_token(), secure=scope["scheme"] == "https")
        return response


def account_of(request: Request) -> EPerson | None:
    """Return who is asking; None for an anonymous visitor."""
    account: EPerson | None = request.scope["dspace.account"]
    return account


def require_account(request: Request) -> EPerson:
    """Return who is asking; 401 for an anonymous visitor."""
    account = account_of(request)
    if account is None:
        raise hal.ApiError(401, "Authentication is required")
    return account


def rotate(response: Response, token: str, *, secure: bool) -> None:
    """Replace the visitor's CSRF token: an empty cookie first, then the new one, and the header."""
    _set_cookie(response.headers, "", secure=secure, expire=True)
    hand_out(response, token, secure=secure)


def hand_out(response: Response, token: str, *, secure: bool) -> None:
    """Send a CSRF token as cookie and header."""
    _set_cookie(response.headers, token, secure=secure)
    response.headers["DSPACE-XSRF-TOKEN"] = token


def _set_cookie(headers: MutableHeaders, token: str, *, secure: bool, expire: bool = False) -> None:
    age = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" if expire else ""
    site = "; SameSite=None; Secure" if secure else "; SameSite=Lax"
    headers.append("set-cookie", f"{COOKIE}={token}; Path=/server{age}{site}; HttpOnly")
