"""Stands before Locust's statistics: what can't be counted as it is never costs anything else.

A locustfile may report any request: a length of None, a time of -1 ms (a clock was set back) or
NaN, a name with half a surrogate pair. Locust raises halfway through such a request, or sends a
report that nobody can read, and other requests vanish with it. Here each value is replaced by
what can be counted, and the replacement is counted by its kind:

    time_refused     a response time that is no finite number: a request without a time
    time_negative    a response time below 0: counted as 0 ms
    length_refused   a response length that is no number, or negative: counted as 0 bytes
    text_escaped     a name or error that UTF-8 can't hold: written as its code

A response time of None is Locust's own way to say that a request has none.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, cast

from locust.env import Environment
from locust.rpc.protocol import Message
from locust.stats import RequestStats, StatsError

from loadgen.scenario.http import tally
from loadgen.scenario.http.outlet import ordinarily
from loadgen.shared.text import encodable

TIME_REFUSED, TIME_NEGATIVE = "time_refused", "time_negative"
LENGTH_REFUSED, TEXT_ESCAPED = "length_refused", "text_escaped"

TIME_MAX_MS = 1e9
"""Beyond eleven days a response time is a mistake of units, and no histogram of ours holds it."""
LENGTH_MAX = 1e15

Log = Callable[[object, object, object, object], None]
LogError = Callable[[object, object, object], None]


class OddValues:
    """Takes requests for `stats`; what is countable as it is costs a few comparisons."""

    def __init__(self, stats: RequestStats) -> None:
        self._stats = stats
        self._log = cast("Log", stats.log_request)
        self._log_error = cast("LogError", stats.log_error)
        self._refused: Counter[str] = Counter()

    @property
    def refused(self) -> Mapping[str, int]:
        """How many values were replaced since the test began, by kind."""
        return dict(self._refused)

    def begin(self, **_: object) -> None:
        """Count from zero for a new test."""
        self._refused.clear()

    @ordinarily("take")
    def on_request(
        self,
        request_type: object = "",
        name: object = "",
        response_time: object = None,
        response_length: object = 0,
        exception: object = None,
        **_: object,
    ) -> None:
        """Take Locust's `request` event, as its own listener does; a field may be left out."""
        self.log_request(request_type, name, response_time, response_length)
        if exception:
            self.log_error(request_type, name, exception)

    def take(
        self, method: str, name: str, time: float, length: int, _start: float, _status: int
    ) -> None:
        """Take an ordinary request (tally.py says which), as `on_request` does."""
        if time <= TIME_MAX_MS and name.isascii() and method.isascii():
            tally.add(self._stats, method, name, time, length)
        else:
            self.log_request(method, name, time, length)

    def log_request(self, method: object, name: object, time: object, length: object) -> None:
        """Count one request; as `RequestStats.log_request`."""
        if type(time) is not float or not 0.0 <= time <= TIME_MAX_MS:
            time = self._time(time)
        if type(length) is not int or not 0 <= length <= LENGTH_MAX:
            length = self._length(length)
        self._log(self._text(method), self._text(name), time, length)

    def log_error(self, method: object, name: object, error: object) -> None:
        """Count one failure; as `RequestStats.log_error`."""
        self._log_error(self._text(method), self._text(name), self._error(error))

    def _time(self, time: object) -> float | None:
        if time is None:
            return None
        number = finite(time)
        if number is None or number > TIME_MAX_MS:
            self._refused[TIME_REFUSED] += 1
            return None
        if number < 0:
            self._refused[TIME_NEGATIVE] += 1
            return 0.0
        return number

    def _length(self, length: object) -> int:
        number = finite(length)
        if number is None or not 0 <= number <= LENGTH_MAX:
            self._refused[LENGTH_REFUSED] += 1
            return 0
        return int(number)

    def _text(self, text: object) -> object:
        if type(text) is str and text.isascii():
            return text
        if text is None:
            return None
        whole = str(text)
        held = encodable(whole)
        if held is not whole:
            self._refused[TEXT_ESCAPED] += 1
        return held

    def _error(self, error: object) -> object:
        try:
            said = StatsError.parse_error(cast("Any", error))
        except Exception:  # an exception's own __repr__ may raise anything
            return type(error).__name__
        return error if encodable(said) is said else self._text(said)


def finite(value: object) -> float | None:
    """Return a finite number, None for anything else; numpy's and Decimal's are numbers too."""
    if isinstance(value, str | bytes | bool):
        return None
    try:
        number = float(cast("Any", value))
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def install(environment: Environment) -> OddValues:
    """Stand before this process's statistics; call it on Locust's `init` event."""
    runner = environment.runner
    if runner is None:
        raise TypeError(
            "odd values must be handled before a runner's statistics: call install() on `init`"
        )
    odd = OddValues(runner.stats)
    runner.stats.log_request = odd.log_request  # type: ignore[method-assign,assignment]
    runner.stats.log_error = odd.log_error  # type: ignore[method-assign]
    handlers = environment.events.request._handlers
    for place, handler in enumerate(handlers):
        if getattr(handler, "__qualname__", "") == "Runner.__init__.<locals>.on_request":
            # The arguments have no defaults in Locust, so an event without a length would lose the
            # request.
            handlers[place] = odd.on_request
    environment.events.test_start.add_listener(odd.begin)
    _send_whatever_is_text()
    return odd


def _send_whatever_is_text() -> None:
    """Let messages be sent that hold text UTF-8 can't, such as an exception's."""
    serialize: Callable[[Message], bytes] = Message.serialize

    def serialize_encodable(message: Message) -> bytes:
        try:
            return serialize(message)
        except UnicodeEncodeError:
            data = _encodable_data(message.data)
            return serialize(Message(message.type, data, message.node_id))

    Message.serialize = serialize_encodable  # type: ignore[method-assign]


def _encodable_data(data: object) -> object:
    if isinstance(data, str):
        return encodable(data)
    if isinstance(data, dict):
        return {_encodable_data(key): _encodable_data(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_encodable_data(one) for one in data]
    return data
