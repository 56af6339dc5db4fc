"""What listeners and on_stop raise: kept among the run's exceptions, on every node.

What a listener of its events raises Locust writes to its log, goes on, and ends with exit code 2.
What on_stop raises is in the log alone. On a worker nobody would see either. What a task raises is
among the exceptions anyway, by its text; one without a text is called by its kind here.
"""

import logging
import traceback
from types import TracebackType

import gevent
from locust import User
from locust.env import Environment
from locust.exception import StopTest, StopUser
from locust.rpc import Message
from locust.runners import WorkerRunner

from loadgen.shared.snapshot import IN_ON_STOP, OUTSIDE_TASKS

_OF_EVENTS = "Uncaught exception in event handler"
_OF_ON_STOP = "Uncaught exception in on_stop"
_OF_LOCUSTS_OWN_LISTENERS = (
    "LocalRunner.__init__.<locals>.on_user_error",
    "WorkerRunner.__init__.<locals>.on_user_error",
)
_OF_GREENLETS = "Unhandled exception in greenlet"


class ListenerFaults(logging.Handler):
    """Reads what Locust logs of them, since it tells nobody else."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(logging.ERROR)
        self._environment = environment

    def emit(self, record: logging.LogRecord) -> None:
        """Keep an exception, if the record is of one."""
        try:
            trace = _traceback(record)
            if trace:
                last = trace.strip().splitlines()[-1]
                place = IN_ON_STOP if str(record.msg).startswith(_OF_ON_STOP) else OUTSIDE_TASKS
                self._keep(f"{place}{last}", trace)
        except Exception:
            self.handleError(record)

    def on_user_error(self, exception: BaseException, tb: TracebackType, **_: object) -> None:
        """Keep what left a task, as Locust's own listener does."""
        self._keep(_text(exception), "".join(traceback.format_tb(tb)))

    def _keep(self, message: str, trace: str) -> None:
        runner = self._environment.runner
        if isinstance(runner, WorkerRunner):
            told = {"msg": message, "traceback": trace}
            runner.client.send(Message("exception", told, runner.client_id))
        elif runner is not None:
            runner.log_exception("master", message, trace)


def _traceback(record: logging.LogRecord) -> str:
    text = str(record.msg)
    if (
        text.startswith((_OF_EVENTS, _OF_ON_STOP))
        and isinstance(record.args, tuple)
        and record.args
    ):
        return str(record.args[0])
    if text.startswith(_OF_GREENLETS) and record.exc_info:
        return "".join(traceback.format_exception(*record.exc_info))
    return ""


def _text(exception: BaseException) -> str:
    """Return an exception's text, or its kind's name when it has none or can't tell it."""
    try:
        return str(exception).strip() or type(exception).__name__
    except Exception:
        return type(exception).__name__


def _log_what_on_stop_raises() -> None:
    """Let users say it as task sets do, instead of by a greenlet's last words on standard error."""
    run_of_locust = User.run

    def run(user: User) -> None:
        try:
            run_of_locust(user)  # type: ignore[no-untyped-call]
        except Exception as error:
            if not _is_stopping(error):
                raise
            logging.error(f"{_OF_ON_STOP}: \n%s", traceback.format_exc())  # noqa: TRY400 - as Locust

    User.run = run  # type: ignore[method-assign, misc]


def _is_stopping(error: BaseException) -> bool:
    """Tell whether it was raised while a user was stopping: Locust calls on_stop from there."""
    before = error.__context__
    while before is not None and not isinstance(before, gevent.GreenletExit | StopUser | StopTest):
        before = before.__context__
    return before is not None


def install(environment: Environment) -> None:
    """Keep what listeners raise from now on; call it on Locust's `init` event."""
    handler, of_locust = ListenerFaults(environment), logging.getLogger("locust")
    logging.getLogger().addHandler(handler)
    if not of_locust.propagate:
        of_locust.addHandler(handler)
    handlers = environment.events.user_error._handlers
    for place, one in enumerate(handlers):
        if getattr(one, "__qualname__", "") in _OF_LOCUSTS_OWN_LISTENERS:
            handlers[place] = handler.on_user_error
    _log_what_on_stop_raises()
