"""A simulated alarm receiving centre: `POST /` with `{"id", "body"}`, and requests of other kinds.

    loadgen.simulators.service  how long a request takes (`law`: lock, lock-by-kind, regression)
    loadgen.simulators.faults   when every POST is answered 500 at once
    loadgen.simulators.clock    model time, `speed` model seconds in a real one

Model time starts at zero with the first POST, so a schedule of faults is as repeatable as the load;
`POST /_state/reset` takes the simulator back to before it. Source of models and numbers:
jtpgames/Locust_Scripts (MASCOTS 2020, doi 10.1007/978-3-030-68110-4_9, and MASCOTS 2022).
"""

import json
import random
from typing import Literal, get_args

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from loadgen.shared.errors import UsageError
from loadgen.simulators.asgi import TimedTarget
from loadgen.simulators.clock import ModelClock
from loadgen.simulators.faults import FaultSchedule, FaultSettings
from loadgen.simulators.service import (
    ALARM_COEFFICIENTS,
    Law,
    LockLaw,
    RegressionLaw,
    constant,
    uniform,
)
from loadgen.simulators.state import Counted, TargetState

LawName = Literal["lock", "lock-by-kind", "regression"]

# Paths and their numbers in the regression: an alarm, and kinds of the background tester, named as
# in the published mapping of request types.
KINDS = {
    "/": 9,
    "/ID_GET_MELDUNGSMERKER": 6,
    "/ID_REQ_CMD_GETSERVERTIMESTR": 7,
    "/ID_REQ_CMD_CLIENTHEARTBEAT": 14,
    "/ID_PRUEFE_AUF_NEUERE_ALARME": 15,
    "/ID_REFRESH_WORKER_TABLE": 20,
    "/ID_REQ_LCMD_MONGETHISTORY": 23,
    "/ID_REQ_CMD_LOGIN": 88,
}
UNKNOWN_KIND = "(unknown)"


def build(
    seed: int = 42,
    *,
    law: LawName = "lock",
    faults: bool = False,
    checklist_position: int = 2,
    speed: float = 1.0,
) -> ASGIApp:
    """Make the application. `speed` is model seconds in a real second, above 0.

    `checklist_position` counts the receivers up to this one in the order in which faults are looked
    for. Raises UsageError when an option is out of range.
    """
    if law not in get_args(LawName):
        raise UsageError(f"law is {law!r}; it must be one of {', '.join(get_args(LawName))}")
    if speed <= 0:
        raise UsageError(f"speed is {speed}; it must be above 0; 1 means real time")
    if checklist_position < 1:
        raise UsageError(f"checklist_position is {checklist_position}; the first position is 1")
    settings = FaultSettings(checklist_position=checklist_position) if faults else None
    receiver = AlarmReceiver(seed, law, settings, ModelClock(speed))
    state = TargetState("alarm_receiver", seed, receiver.figures, receiver.reset)
    return Counted(receiver, state, name=lambda scope: kind_of(scope["path"]))


def kind_of(path: str) -> str:
    """Return the kind of request at this path; unknown paths share one."""
    return path if path in KINDS else UNKNOWN_KIND


def make_law(name: LawName, seed: int) -> Law:
    """Return a fresh law; its draws are independent of the fault schedule's."""
    if name == "regression":
        return RegressionLaw(ALARM_COEFFICIENTS, KINDS)
    if name == "lock-by-kind":
        times = uniform(0.2, 2.0, random.Random(f"{seed} service"))
        return LockLaw(times, by_kind=True)
    return LockLaw(constant(2.0))


class AlarmReceiver(TimedTarget):
    """The ASGI application; `fault_settings` None means that no faults occur."""

    def __init__(
        self, seed: int, law: LawName, fault_settings: FaultSettings | None, clock: ModelClock
    ) -> None:
        self.seed = seed
        self.law_name = law
        self.clock = clock
        self.refused = 0
        self._fault_settings = fault_settings
        self.reset()

    def reset(self) -> None:
        """Go back to before the first request: model time, queue, faults and draws."""
        self.clock.stop()
        self.refused = 0
        self.law = make_law(self.law_name, self.seed)
        generator = random.Random(self.seed)
        self.faults = FaultSchedule(generator, self._fault_settings)

    @property
    def is_faulted(self) -> bool:
        """Whether an outage is under way now."""
        if self._fault_settings is None:
            return False
        return self.faults.outage_at(self.clock.now()) is not None

    def figures(self) -> dict[str, object]:
        """Return what the state page shows of the model."""
        now = self.clock.now()
        return {
            "law": self.law_name,
            "speed": self.clock.speed,
            "model_seconds": round(now, 3),
            "faulted": self.is_faulted,
            "refused": self.refused,
            "outages_model_seconds": [
                [round(outage.start, 3), round(outage.end, 3)] for outage in self.faults.outages
            ],
        }

    async def respond(self, request: Request) -> Response:
        """Answer one request, when its time has passed."""
        path = request.url.path
        if path not in KINDS:
            return PlainTextResponse(f"no such kind of request: {path}\n", 404)
        if request.method == "GET" and path == "/":
            return PlainTextResponse("alarm receiving centre, simulated\n")
        if request.method != "POST":
            return PlainTextResponse("send a POST\n", 405, {"allow": "POST"})
        return await self._receive(path, await request.body())

    async def _receive(self, kind: str, body: bytes) -> Response:
        if not self.clock.started:
            self.clock.start()
        if self.is_faulted:
            self.refused += 1
            return PlainTextResponse("out of order\n", 500)
        if kind == "/" and not is_alarm(body):
            return PlainTextResponse('an alarm is {"id": text, "body": text}\n', 400)
        await self.law.serve(kind, self.clock)
        return PlainTextResponse("acknowledged\n")


def is_alarm(body: bytes) -> bool:
    """Whether the body is a JSON object with texts `id` and `body`."""
    try:
        alarm = json.loads(body)
    except ValueError:
        return False
    return isinstance(alarm, dict) and all(
        isinstance(alarm.get(field), str) for field in ("id", "body")
    )
