"""What `loadgen` asks of a node's agent and what comes back: one model a verb, one answer.

A request crosses over as one line of the agent's standard input: its verb, then JSON. What follows
it (`Take`) comes in pieces, each after its length, and an empty piece ends it. The answer is one
line too. Both ends are of one release, so a field that one of them doesn't know is a fault.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import IO, Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from loadgen.node.settings import RunSettings
from loadgen.shared.machine import Machine
from loadgen.shared.run_ids import RunId
from loadgen.specification.ports import WEB_PORT

WORD_CHARACTERS_MAX = 300
UNIX_TIME_MAX = 1e11
Word = Annotated[str, Field(max_length=WORD_CHARACTERS_MAX)]
MANY = 10_000

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class AgentRequest(BaseModel):
    """What a verb needs; `verb` is its name, and the class's first line what it does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verb: ClassVar[str]


class Preflight(AgentRequest):
    """Tell what this node is, and every reason why it can't take part in a run.

    `users` is the share of the whole node. The answer says whether the run's scenario is here, and
    which packages are.
    """

    verb = "preflight"
    users: int
    scenario: Sha256


class Take(AgentRequest):
    """Take in a scenario or its packages: a compressed tar, which follows the request.

    `bytes` is what its files come to when they are unpacked, at the most.
    """

    verb = "take"
    kind: Literal["scenario", "packages", "installed"]
    sha256: Sha256
    bytes: int


class Give(AgentRequest):
    """Write a scenario, or an installed set of packages, to standard output: a compressed tar."""

    verb = "give"
    kind: Literal["scenario", "installed"]
    sha256: Sha256


class AskTarget(AgentRequest):
    """Ask the target for an answer, from here."""

    verb = "target"
    host: str
    verify: bool = True


class Prepare(AgentRequest):
    """Write run.json, which is the lock on a master.

    `specification` is kept beside a run's results so that another process can end and judge it.
    """

    verb = "prepare"
    run: RunSettings
    specification: str


class Halt(AgentRequest):
    """End the idle processes at once, so that the run's own can start."""

    verb = "halt"


class Start(AgentRequest):
    """Start the processes of the run: the master, and so many of the workers."""

    verb = "start"
    workers: int


class Finish(AgentRequest):
    """Take run.json away, let a master write its reports, start idle processes."""

    verb = "finish"


class Settle(AgentRequest):
    """End the worker processes of a run that is over (ids by unit), start idle ones."""

    verb = "settle"
    processes: dict[str, int]


class Abort(AgentRequest):
    """Finish at once, without reports."""

    verb = "abort"


class Collect(AgentRequest):
    """Write journals and a run's results to standard output, one tar.

    Journals begin at `since` (Unix seconds) and have `lines` at most. Without `run_id` there are
    journals only.
    """

    verb = "collect"
    run_id: RunId | None = None
    since: float = 0.0
    lines: int | None = None


class Status(AgentRequest):
    """Tell what runs here."""

    verb = "status"


class Stop(AgentRequest):
    """Ask the master to stop the load gracefully."""

    verb = "stop"


class Forget(AgentRequest):
    """Remove a run's results, which have been collected."""

    verb = "forget"
    run_id: RunId


class Keep(AgentRequest):
    """Keep a run's outcome (JSON), for the exporter to show."""

    verb = "keep"
    run_id: RunId
    figures: Annotated[str, Field(max_length=1 << 16)]


class Drain(AgentRequest):
    """Stop this node's workers gracefully; their last statistics go out first."""

    verb = "drain"


class NodeReport(BaseModel):
    """What a node is. `units` maps its systemd units to their state; `faults` are sentences.

    `processes` are the ids of those that took part in a run, by unit, after `finish` alone. It is
    what a host says: text to show and numbers to reckon with, and never a place on this machine.
    """

    name: Word
    is_master: bool
    release: Word
    locust_version: Word
    units: Annotated[dict[Word, Word], Field(max_length=MANY)]
    run_id: RunId | None
    scenario: Sha256 | Literal[""] = ""
    """The hash of the run's scenario."""
    state: Word | None = None
    specification: Annotated[str, Field(max_length=1 << 20)] | None = None
    started_at: Annotated[float, Field(ge=0, le=UNIX_TIME_MAX, allow_inf_nan=False)] | None = None
    certificate: Annotated[str, Field(max_length=1 << 16)] | None = None
    web_port: Annotated[int, Field(ge=1, le=65535)] = WEB_PORT
    faults: Annotated[list[Annotated[str, Field(max_length=4000)]], Field(max_length=MANY)] = []
    processes: Annotated[dict[Word, Annotated[int, Field(ge=0)]], Field(max_length=MANY)] = {}
    has_scenario: bool = False
    packages: Annotated[list[Sha256], Field(max_length=MANY)] = []
    """The set of packages that the run has; after `preflight` all that are here."""
    python_version: Annotated[str, Field(pattern=r"^3\.[0-9]{1,2}$")] = "3.11"
    platform: Annotated[str, Field(pattern=r"^manylinux_2_[0-9]{1,3}_[a-z0-9_]{1,20}$")] = (
        "manylinux_2_28_x86_64"
    )
    """What wheels call this host."""
    machine: Machine | None = None

    @property
    def workers(self) -> int:
        """How many worker processes this node has, running or not."""
        return sum(name.startswith("loadgen-worker@") for name in self.units)


class AgentAnswer(BaseModel):
    """What an agent says to one request: what the node is, or a fault, which is one sentence."""

    model_config = ConfigDict(extra="forbid")

    report: NodeReport | None = None
    fault: Annotated[str, Field(max_length=1 << 16)] = ""


_LENGTH = struct.Struct(">I")


def framed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield pieces as they follow a request: each after its length, and an empty one last."""
    for piece in filter(None, pieces):
        yield _LENGTH.pack(len(piece))
        yield piece
    yield _LENGTH.pack(0)


class Following:
    """A file of the pieces that follow a request on a stream; EOFError when they break off."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left, self._is_over = stream, 0, False

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none after the last piece."""
        if not self._left and not self._is_over:
            self._left = _LENGTH.unpack(self._exactly(_LENGTH.size))[0]
            self._is_over = not self._left
        wanted = min(size, self._left)
        self._left -= wanted
        return self._exactly(wanted)

    def _exactly(self, size: int) -> bytes:
        found = self._stream.read(size)
        if len(found) < size:
            raise EOFError("it is cut off")
        return found
