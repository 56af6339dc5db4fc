"""What a locustfile imports: `from loadgen.scenario import FastUser, AccountPool`.

The kit keeps the names below stable for users' code; the modules beside this one may change. They
are loaded when the first one is asked for, as they bring Locust, which patches the standard
library, and the kit's own commands use some of these modules without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadgen.scenario import answers
    from loadgen.scenario.account_file import Account
    from loadgen.scenario.accounts import AccountPool, Login
    from loadgen.scenario.alarm import AlarmClient, Undelivered
    from loadgen.scenario.api import Answers, ApiUser
    from loadgen.scenario.extractors import Address, Field, Header, Json, Link, Location, Text
    from loadgen.scenario.http import CaughtResponse, FastUser, HttpSession, Response
    from loadgen.scenario.recorded import RecordedSession, RecordedUser, require_secrets
    from loadgen.scenario.rows import Rows
    from loadgen.scenario.shapes.arrival import ArrivalShape, OpenModelUser
    from loadgen.scenario.shapes.base import (
        AT_ONCE_USERS_PER_SECOND,
        PlannedShape,
        add_option,
        data_file,
        run_time_seconds,
        seconds_of,
        span,
        spawn_rate,
    )
    from loadgen.scenario.shapes.plans import Plan, RateInUsers, Soak, Spike, Steps
    from loadgen.scenario.shapes.rates import (
        ConstantRate,
        HourlyRate,
        RecordedRate,
        read_hours,
        read_points,
        sample_week,
    )
    from loadgen.scenario.streams import Heard, StreamEvent, StreamUser
    from loadgen.scenario.timing import Numbers, interval_text, parse_interval
    from loadgen.scenario.visits import Route, VisitUser
    from loadgen.scenario.websockets import Channel, WebSocketFault, WebSocketUser
    from loadgen.shared.request_names import group_path
else:

    def __getattr__(name: str) -> object:
        if name in __all__:
            for home in _HOMES:
                module = import_module(home)
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_HOMES = (
    "loadgen.scenario.http",
    "loadgen.scenario.accounts",
    "loadgen.scenario.timing",
    "loadgen.scenario.alarm",
    "loadgen.scenario.extractors",
    "loadgen.scenario.recorded",
    "loadgen.scenario.rows",
    "loadgen.scenario.api",
    "loadgen.scenario.streams",
    "loadgen.scenario.websockets",
    "loadgen.scenario.shapes.base",
    "loadgen.scenario.shapes.plans",
    "loadgen.scenario.shapes.rates",
    "loadgen.shared.request_names",
    # These imports come last, because they add options to Locust's.
    "loadgen.scenario.shapes.arrival",
    "loadgen.scenario.visits",
)
__all__ = [
    "AT_ONCE_USERS_PER_SECOND",
    "Account",
    "AccountPool",
    "Address",
    "AlarmClient",
    "Answers",
    "ApiUser",
    "ArrivalShape",
    "CaughtResponse",
    "Channel",
    "ConstantRate",
    "FastUser",
    "Field",
    "Header",
    "Heard",
    "HourlyRate",
    "HttpSession",
    "Json",
    "Link",
    "Location",
    "Login",
    "Numbers",
    "OpenModelUser",
    "Plan",
    "PlannedShape",
    "RateInUsers",
    "RecordedRate",
    "RecordedSession",
    "RecordedUser",
    "Response",
    "Route",
    "Rows",
    "Soak",
    "Spike",
    "Steps",
    "StreamEvent",
    "StreamUser",
    "Text",
    "Undelivered",
    "VisitUser",
    "WebSocketFault",
    "WebSocketUser",
    "add_option",
    "answers",
    "data_file",
    "group_path",
    "interval_text",
    "parse_interval",
    "read_hours",
    "read_points",
    "require_secrets",
    "run_time_seconds",
    "sample_week",
    "seconds_of",
    "span",
    "spawn_rate",
]
