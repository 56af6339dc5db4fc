"""`/api/authn` and `/api/security`: status, login, refresh, logout, CSRF tokens."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loadgen.simulators.dspace import hal
from loadgen.simulators.dspace.security import (
    REALM,
    Accounts,
    EPerson,
    account_of,
    hand_out,
    rotate,
)


class Authentication:
    """The endpoints that open and close a session."""

    def __init__(self, known: Accounts) -> None:
        self.accounts = known

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(hal.API + "/security/csrf", self.csrf, methods=["GET"]),
            Route(hal.API + "/authn/status", self.status, methods=["GET"]),
            Route(hal.API + "/authn/login", self.login, methods=["POST"]),
            Route(hal.API + "/authn/logout", self.logout, methods=["POST"]),
            Route(hal.API + "/eperson/epersons/{uuid}", self.eperson, methods=["GET"]),
        ]

    async def csrf(self, request: Request) -> Response:
        """Hand out the visitor's CSRF token, or a new one."""
        return self._with_token(request, Response(status_code=204))

    async def status(self, request: Request) -> Response:
        """Say whether the visitor is logged in; always 200."""
        account = account_of(request)
        api = hal.base(request)
        body: hal.Json = {
            "okay": True,
            "authenticated": account is not None,
            "authenticationMethod": "password" if account else None,
            "type": "status",
            "_links": {"self": {"href": f"{api}/authn/status"}},
        }
        if account:
            body["_embedded"] = {"eperson": _eperson(api, account)}
        response = hal.answer(body)
        response.headers["WWW-Authenticate"] = REALM
        if request.scope["dspace.csrf"]:
            return response
        return self._with_token(request, response)

    async def login(self, request: Request) -> Response:
        """Open a session from the form's credentials, or refresh the one of the Bearer token."""
        async with request.form() as form:
            account = (
                self.accounts.login(str(form["user"]), str(form.get("password", "")))
                if "user" in form
                else account_of(request)
            )
        if account is None:
            response = hal.error(401, "Authentication failed!", request.url.path)
            response.headers["WWW-Authenticate"] = REALM
            return response
        response = Response(status_code=200)
        response.headers["Authorization"] = f"Bearer {self.accounts.issue(account)}"
        rotate(response, self.accounts.new_token(), secure=_secure(request))
        return response

    async def logout(self, request: Request) -> Response:
        """End every session of the account; 204 for anybody."""
        account = account_of(request)
        if account:
            self.accounts.logout(account)
        response = Response(status_code=204)
        rotate(response, self.accounts.new_token(), secure=_secure(request))
        return response

    async def eperson(self, request: Request) -> Response:
        """Describe a person, to themselves and to administrators."""
        asking = account_of(request)
        wanted = self.accounts.by_uuid.get(request.path_params["uuid"])
        if asking is None:
            raise hal.ApiError(401, "Authentication is required")
        if wanted is None:
            raise hal.ApiError(404, "No such person")
        if not (asking is wanted or asking.administrator):
            raise hal.ApiError(403, "Access is denied")
        return hal.answer(_eperson(hal.base(request), wanted))

    def _with_token(self, request: Request, response: Response) -> Response:
        token = request.scope["dspace.csrf"] or self.accounts.new_token()
        hand_out(response, token, secure=_secure(request))
        return response


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _eperson(api: str, account: EPerson) -> hal.Json:
    return {
        "id": account.uuid,
        "uuid": account.uuid,
        "name": account.email,
        "email": account.email,
        "canLogIn": True,
        "type": "eperson",
        "_links": hal.links(f"{api}/eperson/epersons/{account.uuid}", "groups"),
    }
