"""Mends what Locust gets wrong when users or workers leave during a test, and what it reads.

A user that is told to stop while it waits is killed a moment later; its wait may be over by then,
and the request that it has begun goes uncounted although the target has served it. Locust also
waits without end for the `on_stop` of such a user: here the stop timeout limits it, as it does for
a user that is in a task.

After one worker's users have been spread over the others, Locust goes on believing that it still
spreads them, so the users of the next worker that leaves are not made up for.

Locust starts all users of a second at once. They ask in one moment and, after equal waits, in one
moment again, late for their number. Where many start in a second, a tenth of them starts at a time.

A worker tells the master that it is ready before Locust fires its `init` event. Users that the
master starts at once would then run before what listens to `init` is there: the kit's own counts,
the run's seed, and whatever a locustfile prepares. A worker's users wait until `init` is over.

In its CSV files Locust cuts percentiles down to whole milliseconds, so that 1.62 ms become 1,
and what came in the last second before its end is missing there.

Locust takes options from `~/.locust.conf`, and from `locust.conf` and `pyproject.toml` where it is
started. A run would then depend on what an earlier locustfile left there, or on who starts it.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import gevent
import gevent.event
from locust import argument_parser, events
from locust.dispatch import UsersDispatcher
from locust.rpc import Message
from locust.runners import WorkerRunner
from locust.stats import StatsCSV, StatsCSVFileWriter, StatsEntry
from locust.user.task import LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING
from locust.user.users import User

Dispatch = dict[str, dict[str, int]]
INIT_SECONDS_MAX = 30.0
"""How long users wait at the most, since a listener of `init` may itself wait for the master."""
STEPS_A_SECOND, STEP_USERS_MIN, USERS_A_MESSAGE = 10, 50, 10


def install() -> None:
    """Mend every user and every dispatcher of this process."""
    stop, dispatch = User.stop, UsersDispatcher._dispatcher
    # gevent would keep, for each user, where in the code it was started.
    gevent.config.track_greenlet_tree = False

    def stop_before_the_next_task(self: User, force: bool = False) -> bool:
        if force or self._state != LOCUST_STATE_WAITING:
            return bool(stop(self, force))
        self._state = LOCUST_STATE_STOPPING
        # Locust waits for it beside those that run, and ends both after the stop timeout.
        self._group.killone(self._greenlet, block=False)
        return True

    def dispatch_to_the_end(self: UsersDispatcher) -> Iterator[Dispatch]:
        start_in_small_steps(self)
        yield from dispatch(self)
        self._dispatch_in_progress = False

    User.stop = stop_before_the_next_task  # type: ignore[method-assign]
    UsersDispatcher._dispatcher = dispatch_to_the_end  # type: ignore[method-assign,assignment]


def start_users_after_init() -> None:
    """Let a worker start its users only when every listener of `init` has been called."""
    fire, handle = events.init.fire, WorkerRunner.handle_message
    ready = gevent.event.Event()

    def fire_and_begin(**values: object) -> None:
        try:
            fire(**values)  # type: ignore[no-untyped-call]
        finally:
            ready.set()

    def handle_when_ready(self: WorkerRunner, message: Message) -> None:
        if message.type == "spawn":
            ready.wait(INIT_SECONDS_MAX)
        handle(self, message)

    events.init.fire = fire_and_begin  # type: ignore[method-assign]
    WorkerRunner.handle_message = handle_when_ready  # type: ignore[method-assign,assignment]


def start_in_small_steps(dispatcher: UsersDispatcher) -> None:
    """Let a dispatch that begins take ten steps a second, if each still has users enough.

    A step is a message to every worker, so there are fewer steps for many workers.
    """
    rate, workers = dispatcher._spawn_rate, len(dispatcher._worker_nodes)
    users = max(STEP_USERS_MIN, workers * USERS_A_MESSAGE, int(rate / STEPS_A_SECOND))
    if users < dispatcher._user_count_per_dispatch_iteration:
        dispatcher._user_count_per_dispatch_iteration = users
        dispatcher._wait_between_dispatch = users / rate


def write_whole_percentiles() -> None:
    """Let Locust's CSV files keep the fractions of percentiles, and end at the true maximum."""

    def fields(self: StatsCSV, entry: StatsEntry, use_current: bool = False) -> list[Any]:
        if not entry.num_requests:
            return list(self.percentiles_na)
        current = use_current and entry.use_response_times_cache
        ask = (
            entry.get_current_response_time_percentile
            if current
            else entry.get_response_time_percentile
        )
        found = [round(ask(ratio) or 0, 3) for ratio in self.percentiles_to_report]
        if current:
            return found
        pairs = zip(self.percentiles_to_report, found, strict=True)
        return [round(entry.max_response_time, 3) if ratio >= 1 else one for ratio, one in pairs]

    StatsCSV._percentile_fields = fields  # type: ignore[method-assign,assignment]


def write_last_statistics() -> None:
    """Let Locust's CSV files hold all that a process has counted when it ends.

    What a full disk doesn't take is missing, and keeps nothing else from ending.
    """
    close = StatsCSVFileWriter.close_files

    def complete(self: StatsCSVFileWriter) -> None:
        with contextlib.suppress(OSError):
            if not self.stats_history_csv_filehandle.tell():
                self.stats_history_csv_writer.writerow(self.stats_history_csv_columns)
            self._stats_history_data_rows(self.stats_history_csv_writer, time.time())
            for file, write, writer in (
                (self.requests_csv_filehandle, self.requests_csv, self.requests_csv_writer),
                (self.failures_csv_filehandle, self.failures_csv, self.failures_csv_writer),
                (self.exceptions_csv_filehandle, self.exceptions_csv, self.exceptions_csv_writer),
            ):
                file.seek(0)
                write(writer)
                file.truncate()
        close(self)

    StatsCSVFileWriter.close_files = complete  # type: ignore[method-assign]


def read_no_configuration_files() -> None:
    """Let Locust's options come from its command line and environment only."""
    argument_parser.get_empty_argument_parser.__defaults__ = (True, ())
    argument_parser.get_parser.__defaults__ = ((),)
