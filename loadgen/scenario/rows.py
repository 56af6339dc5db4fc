"""Rows of a data file, handed out to users over the whole fleet.

from loadgen.scenario import FastUser, Rows

orders = Rows("orders.csv", hand_out="once")          # beside this locustfile

class Buyer(FastUser):
@task
def order(self) -> None:
row = orders.next(self)                       # {"sku": "A1", "amount": "2"}
self.client.post("/orders", json=row)
"""

import csv
import inspect
import json
import random
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import gevent
from locust import User, events
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import MasterRunner, WorkerRunner

from loadgen.scenario.desks import Desk, LedgerDesk, Message, make_desk
from loadgen.scenario.ledger import Ledger
from loadgen.shared.errors import UsageError, why_unread

Row = dict[str, Any]
HandOut = Literal["once", "own", "round_robin", "random"]
AT_ONCE = 20
JSON_SUFFIXES = (".jsonl", ".ndjson")
_FORMAT = "give a CSV file with a header, or a .jsonl file with one JSON object on each line"


class Rows:
    """The rows of a CSV file (with a header) or of a JSON-lines file, for the users of a run.

    `path` is relative to the locustfile. `hand_out` says who gets which row:

    - round_robin: in turn over all users of the fleet, from the first again after the last;
    - once: each row goes to one user, once; after the last one `at_end` happens;
    - own: a user has a row to itself until it stops; when there is none, `at_end` happens;
    - random: any row, drawn by `seed`; two runs with as many workers draw alike.

    `at_end` is "stop_user", or "stop_test" to end the run gracefully. UsageError, one sentence,
    when the file has a fault: before the run begins, as locustfiles are looked at then.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        hand_out: HandOut = "round_robin",
        at_end: Literal["stop_user", "stop_test"] = "stop_user",
        seed: int = 0,
    ) -> None:
        caller = inspect.stack(0)[1].filename
        self.path = Path(caller).parent / path
        self.rows = list(read_rows(self.path))
        if hand_out not in ("once", "own", "round_robin", "random"):
            raise UsageError(f"hand_out is {hand_out!r}: give once, own, round_robin or random")
        if at_end not in ("stop_user", "stop_test"):
            raise UsageError(f"at_end is {at_end!r}: give stop_user or stop_test")
        self._hand_out = hand_out
        self._at_end = at_end
        self._seed = seed
        self._random = random.Random(seed)
        self._desk: Desk[int] | None = None
        self._held: dict[int, tuple[int, int]] = {}
        self._environment: Environment | None = None
        self._is_over = False
        self._master: MasterRunner | None = None
        self._over: set[str] = set()
        events.init.add_listener(self._init)
        events.test_start.add_listener(self._test_start)

    def next(self, user: User) -> Row:
        """Return a row for this user, a fresh copy. Raises StopUser when there is none for it."""
        if self._hand_out == "random" or self._desk is None:
            return dict(self._random.choice(self.rows))
        held = self._held.get(id(user))
        if held is None:
            grant = self._desk.take()
            if grant is None:
                self._end()
                raise StopUser
            held = (grant.number, grant.item)
            if self._hand_out == "own":
                self._held[id(user)] = held
        return dict(self.rows[held[1]])

    def give_back(self, user: User) -> None:
        """Let another user have this user's own row; call it in `on_stop`."""
        held = self._held.pop(id(user), None)
        if held and self._desk:
            self._desk.give_back(held[0])

    def _end(self) -> None:
        runner = self._environment.runner if self._environment else None
        if self._at_end == "stop_test" and runner is not None and not self._is_over:
            self._is_over = True
            if isinstance(runner, WorkerRunner):
                runner.send_message("rows_are_over", {})
            else:
                gevent.spawn(runner.stop)

    def _init(self, environment: Environment, **_: object) -> None:
        self._environment = environment
        runner = environment.runner
        index = getattr(runner, "worker_index", 0) if isinstance(runner, WorkerRunner) else 0
        self._random = random.Random(f"{self._seed} {index}")
        if self._hand_out == "random":
            return
        name = f"rows_{zlib.crc32(f'{self.path.name} {self._hand_out}'.encode()):x}"
        policy = self._hand_out

        def make() -> LedgerDesk[int]:
            return LedgerDesk(environment, name, Ledger(range(len(self.rows)), policy))

        self._desk = make_desk(environment, name, 1 if policy == "own" else AT_ONCE, make)
        if isinstance(runner, MasterRunner):
            self._master = runner
            runner.register_message("rows_are_over", self._worker_is_over)

    def _worker_is_over(self, msg: Message, **_: object) -> None:
        """Stop once no worker with users has a row left: some may still have those they took."""
        self._over.add(msg.node_id)
        if self._master is None:
            return
        clients = self._master.clients.all
        if all(client.id in self._over or not client.user_count for client in clients):
            # This runs in its own greenlet, because the present one has to receive the workers'
            # messages while the test stops.
            gevent.spawn(self._master.stop)

    def _test_start(self, **_: object) -> None:
        self._held.clear()
        self._over.clear()
        self._is_over = False
        if self._desk:
            self._desk.reset()


def read_rows(path: Path) -> Iterator[Row]:
    """Read a data file. UsageError names the file, the line and the rule."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(
            f"data file {path} can't be read: {why_unread(fault)}; {_FORMAT}"
        ) from fault
    rows = _read_json(text, path) if path.suffix in JSON_SUFFIXES else _read_csv(text, path)
    if not rows:
        raise UsageError(f"data file {path} has no rows; {_FORMAT}")
    yield from rows


def _read_json(text: str, path: Path) -> list[Row]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as fault:
            raise UsageError(f"data file {path}, line {number}: {fault}; {_FORMAT}") from fault
        if not isinstance(row, dict):
            raise UsageError(f"data file {path}, line {number} is not a JSON object; {_FORMAT}")
        rows.append(row)
    return rows


def _read_csv(text: str, path: Path) -> list[Row]:
    try:
        reader = csv.reader(text.splitlines(keepends=True), strict=True)
        header = next(reader, [])
        lines = [(reader.line_num, line) for line in reader if line]
    except csv.Error as fault:
        raise UsageError(f"data file {path} is not a CSV file: {fault}; {_FORMAT}") from fault
    if len(set(header)) != len(header) or not all(header):
        raise UsageError(
            f"data file {path}: its header has an empty name or the same name twice; {_FORMAT}"
        )
    for number, line in lines:
        if len(line) != len(header):
            raise UsageError(
                f"data file {path}, line {number} has {len(line)} columns, but the header "
                f"has {len(header)}; {_FORMAT}"
            )
    return [dict(zip(header, line, strict=True)) for _, line in lines]
