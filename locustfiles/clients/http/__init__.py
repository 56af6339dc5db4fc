"""FastUser, an HTTP user for high rates with FastHttpUser's interface."""

from locustfiles.clients.http.pool import Pool, Settings, Timeouts
from locustfiles.clients.http.response import CaughtResponse, Response
from locustfiles.clients.http.user import FastUser

__all__ = ["CaughtResponse", "FastUser", "Pool", "Response", "Settings", "Timeouts"]
