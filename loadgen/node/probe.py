"""Walks one iteration of a scenario step by step, as one does with curl before a load test.

Every User class starts once, does each of its tasks once (a sequence from its beginning to its
end), and stops. Each request is one line: number, method, URL, status, milliseconds, bytes, fault.

    python -m loadgen.node.probe locustfiles/dspace.py --host http://127.0.0.1:8000
"""

import argparse
import logging
import site
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gevent import GreenletExit
from locust import TaskSet, User
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopUser,
)
from locust.util.load_locustfile import load_locustfile

from loadgen.node import locustfile_check

ENDS = (GreenletExit, StopUser, InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately)


@dataclass
class RequestPrinter:
    """Prints each request as it ends, and counts."""

    requests: int = 0
    failures: int = 0

    def __call__(self, **request: Any) -> None:  # noqa: ANN401 - Locust's event
        """Take one `request` event of Locust."""
        self.requests += 1
        fault = request.get("exception")
        self.failures += fault is not None
        status = getattr(request.get("response"), "status_code", "") or "-"
        url = request.get("url") or request["name"]
        line = f"{self.requests:4} {request['request_type']:7} {url}  {status}"
        print(f"{line}  {request['response_time']:.1f} ms  {request['response_length']} bytes")
        if fault is not None:
            print(f"     FAILED: {fault}")


def walk(user: User) -> None:
    """Let one user do each of its tasks once."""
    # A user that waits before it tries again would try for ever, and a probe needs only one try.
    vars(user)["wait"] = _end
    arrival = getattr(user, "arrival", None)
    if callable(arrival):
        # A user of an open model makes arrivals at a rate; one arrival is what a probe runs.
        print("  arrival")
        arrival()
        return
    try:
        user.on_start()
        for one in dict.fromkeys(user.tasks):
            _walk_task(user, one)
    except ENDS:
        print("     the user ended early")
    finally:
        user.on_stop()


def _end() -> None:
    raise StopUser


def _walk_task(user: User, one: Any) -> None:  # noqa: ANN401 - a class or a function
    print(f"  {one.__name__}")
    if not (isinstance(one, type) and issubclass(one, TaskSet)):
        one(user)
        return
    sequence: Any = one(user)
    try:
        sequence.on_start()
        for step in dict.fromkeys(sequence.tasks):
            print(f"   {step.__name__}")
            step(sequence)
    except ENDS:
        pass
    finally:
        sequence.on_stop()


def probe(locustfile: Path, host: str) -> int:
    """Walk every User class of a locustfile; return 1 when a request failed, else 0."""
    users, _ = load_locustfile(str(locustfile))
    environment = Environment(user_classes=list(users.values()), host=host)
    from locust import events  # noqa: PLC0415 - the locustfile's listeners are on it

    environment.events = events
    # Scenarios read their own options; in a probe these have their defaults or come from the
    # environment.
    environment.parsed_options = get_parser(default_config_files=[]).parse_args([])
    runner = environment.create_local_runner()
    events.init.fire(environment=environment, runner=runner, web_ui=None)
    printer = RequestPrinter()
    events.request.add_listener(printer)
    for name, kind in users.items():
        print(name)
        kind.host = host or kind.host
        try:
            walk(kind(environment))
        except Exception as fault:
            printer.failures += 1
            print(f"     FAILED: {locustfile_check.describe_import_error(fault)}")
    requests = f"{printer.requests} request{'' if printer.requests == 1 else 's'}"
    print(f"{requests}, {printer.failures} failed")
    return 1 if printer.failures else 0


def main() -> int:
    """Read the command line; a missing locustfile is one sentence and exit 2."""
    parser = argparse.ArgumentParser(prog="loadgen probe", description=__doc__)
    parser.add_argument("locustfile", type=Path)
    parser.add_argument("--packages", help="the directory with the scenario's own packages")
    parser.add_argument("--host", required=True, help="the base URL of the target")
    options = parser.parse_args()
    if not options.locustfile.is_file():
        parser.error(f"locustfile {options.locustfile} does not exist: give the path of one")
    if options.packages:
        site.addsitedir(options.packages)
    logging.basicConfig(level=logging.WARNING, format="     %(message)s")
    sys.path.insert(0, str(Path.cwd()))
    return probe(options.locustfile, options.host)


if __name__ == "__main__":
    sys.exit(main())
