"""What `loadgen` asks of a node's agent and what comes back: one model a verb, one answer.

A request crosses over as JSON on the agent's standard input, its verb as the agent's only
argument. Both ends are of one release, so a field that one of them doesn't know is a fault.
"""

from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from loadgen.node.settings import RunSettings


class AgentRequest(BaseModel):
    """What a verb needs; `verb` is its name, and the class's first line what it does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verb: ClassVar[str]


class Preflight(AgentRequest):
    """Tell what this node is, and every reason why it can't take part in a run.

    `users` is the share of the whole node.
    """

    verb = "preflight"
    users: int


class AskTarget(AgentRequest):
    """Ask the target for an answer, from here."""

    verb = "target"
    host: str
    verify: bool = True


class Prepare(AgentRequest):
    """Write run.json, which is the lock on a master, and stop the processes.

    `specification` is kept beside a run's results so that another process can end and judge it,
    and `collected_into`, a directory of the controller, so that it knows whether the run's own
    process still does.
    """

    verb = "prepare"
    run: RunSettings
    specification: str
    collected_into: Path


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
    run_id: str = ""
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
    run_id: str


class Drain(AgentRequest):
    """Stop this node's workers gracefully; their last statistics go out first."""

    verb = "drain"


class NodeReport(BaseModel):
    """What a node is. `units` maps its systemd units to their state; `faults` are sentences.

    `processes` are the ids of those that took part in a run, by unit, after `finish` alone.
    """

    name: str
    is_master: bool
    release: str
    locust_version: str
    units: dict[str, str]
    run_id: str | None
    state: str | None = None
    specification: str | None = None
    collected_into: Path | None = None
    started_at: float | None = None
    certificate: str | None = None
    web_port: int = 8089
    faults: list[str] = []
    processes: dict[str, int] = {}

    @property
    def workers(self) -> int:
        """How many worker processes this node has, running or not."""
        return sum(name.startswith("loadgen-worker@") for name in self.units)
