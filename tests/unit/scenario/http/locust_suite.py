"""Runs Locust's own tests of FastHttpUser against FastUser, and prints what came out as JSON.

    python -m tests.unit.scenario.http.locust_suite DIRECTORY

DIRECTORY holds Locust's source, with `locust/test`. It is a process of its own because those tests
want the standard library patched by gevent.
"""

# Importing locust patches the standard library, so it comes first.
import locust.main  # isort: split

import io
import json
import sys
import unittest
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from ssl import SSLContext
from types import ModuleType
from typing import Any

from loadgen.scenario.http import FastUser, Pool, Settings, Timeouts
from loadgen.scenario.http.session import HttpSession
from loadgen.scenario.http.tls import shared_context

PYQUERY = ModuleType("pyquery")
"""What Locust's tests parse HTML with; those of FastHttpUser only look for a text in it."""
MODULE = "locust.test.test_fasthttp"


def session(  # noqa: PLR0917 - FastHttpSession's interface
    base_url: str,
    request_event: Any,
    user: Any = None,
    insecure: bool = True,
    client_pool: Pool | None = None,
    ssl_context_factory: Callable[[], SSLContext] | None = None,
    connection_timeout: float = 60.0,
    network_timeout: float = 60.0,
    **options: Any,
) -> HttpSession:
    """Make a client as FastHttpSession is made."""
    settings = Settings(
        timeouts=Timeouts(connection_timeout, network_timeout),
        context=ssl_context_factory or (lambda: shared_context(insecure)),
    )
    return HttpSession(base_url, request_event, user, client_pool or Pool(settings), **options)


def run(source: Path, ours: bool = True) -> dict[str, str]:
    """Return each test's outcome: "" if it passed, else the last line of its error."""
    locust.__path__.append(str(source / "locust"))
    vars(PYQUERY)["PyQuery"] = str
    sys.modules.setdefault("pyquery", PYQUERY)
    module = import_module(MODULE)
    if ours:
        vars(module).update(FastHttpSession=session, FastHttpUser=FastUser)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    outcomes = dict.fromkeys(_names(suite), "")
    result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
    for case, text in [*result.failures, *result.errors]:
        outcomes[case.id().removeprefix(MODULE + ".")] = text.strip().splitlines()[-1]
    return outcomes


def _names(suite: Any) -> list[str]:
    if isinstance(suite, unittest.TestSuite):
        return [name for part in suite for name in _names(part)]
    return [suite.id().removeprefix(MODULE + ".")]


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), ours="--theirs" not in sys.argv)))
