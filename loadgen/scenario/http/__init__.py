"""FastUser, an HTTP user for high rates with FastHttpUser's interface."""

from loadgen.scenario.http.pool import Pool, Settings, Timeouts
from loadgen.scenario.http.response import CaughtResponse, Response
from loadgen.scenario.http.session import HttpSession
from loadgen.scenario.http.user import FastUser

__all__ = ["CaughtResponse", "FastUser", "HttpSession", "Pool", "Response", "Settings", "Timeouts"]
