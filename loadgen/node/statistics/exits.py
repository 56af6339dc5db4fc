"""Exit codes that a locustfile asks for while Locust quits, and what it raises on a worker then.

Locust listens to nobody then: a worker's code is lost, `sys.exit` in a listener of `quitting` or
`quit` keeps the other listeners and the reports from being finished, and so does `os._exit`. Here
the others go on, the reports are finished, and the code is said in the process's log, which every
run keeps. `asked` reads it there, and `raised` what a worker's listeners raised, which no message
takes to the master any more.

What a worker's listeners of these two events ask for doesn't count, as in Locust itself: they judge
statistics that the worker has sent away, so "fewer than 100 requests" would always be true.
"""

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from loadgen.shared.exit_codes import exit_code

if TYPE_CHECKING:
    # What only reads logs does without Locust, which patches the standard library.
    from locust.env import Environment
    from locust.event import EventHook

logger = logging.getLogger(__name__)
TAIL_BYTES = 1 << 20
TEXT_CHARACTERS_MAX = 300
_SAID = "Run %s: the locustfile asked for exit code %d"
_RAISED = "Run %s: while this worker quit, a listener raised %s"


@dataclass(frozen=True, slots=True)
class AskedExit:
    """One process's exit code, and its log within the run's directory."""

    code: int
    log: str


@dataclass(frozen=True, slots=True)
class RaisedWhileQuitting:
    """What a worker's listener raised, in one line, and the worker's log within the directory."""

    text: str
    log: str


def asked(directory: Path, run_id: str) -> Iterator[AskedExit]:
    """Yield the codes other than 0 that the logs of a run's hosts tell, a process at a time."""
    said = re.compile(re.escape(_SAID % (run_id, 0))[:-1] + r"(\d{1,10})\s*$", re.MULTILINE)
    for log in sorted((directory / "hosts").glob("*/*.log")):
        with suppress(OSError):
            codes = said.findall(_tail(log))
            if codes and int(codes[-1]):
                yield AskedExit(int(codes[-1]), str(log.relative_to(directory)))


def raised(directory: Path, run_id: str) -> Iterator[RaisedWhileQuitting]:
    """Yield what listeners of quitting raised, as the logs of a run's hosts tell, one a log."""
    said = re.compile(re.escape(_RAISED % (run_id, "")) + rf"(.{{1,{TEXT_CHARACTERS_MAX}}})")
    for log in sorted((directory / "hosts").glob("*/*.log")):
        with suppress(OSError):
            if found := said.search(_tail(log)):
                yield RaisedWhileQuitting(found[1], str(log.relative_to(directory)))


def _tail(log: Path) -> str:
    if log.is_symlink() or not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        return file.read(TAIL_BYTES).decode(errors="replace")


class Exits:
    """The exits of one process; `finish_reports` writes what its reports still lack."""

    def __init__(
        self,
        environment: "Environment",
        run_id: str,
        finish_reports: Callable[[], None],
        *,
        on_worker: bool,
    ) -> None:
        self._environment, self._run_id = environment, run_id
        self._on_worker = on_worker
        self._finish_reports = finish_reports
        self._process = os.getpid()
        self._said: int | None = None
        self._quitting = False

    def watch(self) -> None:
        """Watch the events of quitting, and `os._exit`, from now on."""
        for hook in (self._environment.events.quitting, self._environment.events.quit):
            self._bear_exits_of(hook)
        leave = os._exit

        def leave_with_all_said(status: int) -> NoReturn:
            # A forked child is no process of the run.
            if os.getpid() == self._process:
                self._environment.process_exit_code = status
                self._say()
                with suppress(Exception):
                    self._finish_reports()
                logging.shutdown()
            leave(status)

        os._exit = leave_with_all_said

    def _bear_exits_of(self, hook: "EventHook") -> None:
        def fire_to_all(**values: object) -> None:
            # A copy: a signal may fire the event while it is being fired.
            bearing = type(hook)()
            bearing._handlers = [self._bearing(one) for one in hook._handlers]
            if self._on_worker and not self._quitting:
                self._say()
            self._quitting = True
            bearing.fire(**values)
            if not self._on_worker:
                self._say()

        hook.fire = fire_to_all  # type: ignore[method-assign]

    def _bearing(self, listener: Callable[..., object]) -> Callable[..., None]:
        def call(**values: object) -> None:
            try:
                listener(**values)
            except SystemExit as asked:
                code = exit_code(asked.code) or 0
                logger.info("A listener ended by sys.exit(%r); the others go on", asked.code)
                self._environment.process_exit_code = code
            except Exception as error:
                if self._on_worker:
                    text = " ".join(f"{type(error).__name__}: {error}".split())
                    logger.error(_RAISED, self._run_id, text[:TEXT_CHARACTERS_MAX])  # noqa: TRY400 - Locust logs the traceback
                raise

        return call

    def _say(self) -> None:
        code = exit_code(self._environment.process_exit_code)
        if code is not None and code != self._said:
            self._said = code
            logger.error(_SAID, self._run_id, code)
