"""What a listener of Locust's events raises: kept among the run's exceptions, on every node.

Locust writes it to its log, goes on, and ends with exit code 2. On a worker nobody would see that.
"""

import logging
import traceback

from locust.env import Environment
from locust.rpc import Message
from locust.runners import WorkerRunner

from loadgen.shared.snapshot import OUTSIDE_TASKS

_OF_EVENTS = "Uncaught exception in event handler"
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
                self._keep(f"{OUTSIDE_TASKS}{last}", trace)
        except Exception:
            self.handleError(record)

    def _keep(self, message: str, trace: str) -> None:
        runner = self._environment.runner
        if isinstance(runner, WorkerRunner):
            told = {"msg": message, "traceback": trace}
            runner.client.send(Message("exception", told, runner.client_id))
        elif runner is not None:
            runner.log_exception("master", message, trace)


def _traceback(record: logging.LogRecord) -> str:
    text = str(record.msg)
    if text.startswith(_OF_EVENTS) and isinstance(record.args, tuple) and record.args:
        return str(record.args[0])
    if text.startswith(_OF_GREENLETS) and record.exc_info:
        return "".join(traceback.format_exception(*record.exc_info))
    return ""


def install(environment: Environment) -> None:
    """Keep what listeners raise from now on; call it on Locust's `init` event."""
    handler, of_locust = ListenerFaults(environment), logging.getLogger("locust")
    logging.getLogger().addHandler(handler)
    if not of_locust.propagate:
        of_locust.addHandler(handler)
