"""The alarm study's hour under fault, run again: `loadgen study alarm --speed 60` for a minute.

One device, an alarm a second, against the simulated centre with one lock of 2 s and three faults in
a row. The run is an ordinary one, with a request log; afterwards its figures stand beside the
published ones and beside what the same parts give in virtual time over many seeds.
"""

import argparse
import math
import os
from dataclasses import dataclass
from pathlib import Path

from loadgen.cluster.local import LocalCluster
from loadgen.deploy.versions import versions
from loadgen.results.describe import describe as describe_run
from loadgen.results.evaluation.evaluation import measured_log
from loadgen.results.evaluation.pictures import save_picture
from loadgen.results.summary import Summary
from loadgen.runs.progress import Progress
from loadgen.runs.run import execute
from loadgen.shared.interruption import Interruption
from loadgen.shared.ports import free_port
from loadgen.specification.run import RunSpecification, specify
from loadgen.studies.alarm.figures import (
    PUBLISHED,
    PUBLISHED_SECONDS,
    AlarmResponse,
    StudyFigures,
    describe,
    draw_study,
    evaluate,
    stalls,
    study_responses,
)
from loadgen.studies.alarm.virtual_time import StudySettings, simulate

SERVICE_SECONDS = 2.0
MARGIN_SECONDS = 2.0
TOLERANCE_RATIO = 0.1
SEEDS = range(200)
RESULT = "alarm-study"


@dataclass(frozen=True)
class Spread:
    """Least and greatest value of one figure over the seeds."""

    name: str
    least: float
    greatest: float

    def holds(self, figures: StudyFigures) -> bool:
        """Whether a run's figure lies in it."""
        return bool(self.least <= getattr(figures, self.name) <= self.greatest)


def spreads(settings: StudySettings) -> list[Spread]:
    """Compute how the counts above both limits spread over seeds, in virtual time."""
    runs = [evaluate(simulate(seed, settings)) for seed in SEEDS]
    found = []
    for name in ("above_average_limit", "above_maximum_limit"):
        values = [getattr(figures, name) for figures in runs]
        found.append(Spread(name, min(values), max(values)))
    return found


def deviations(
    figures: StudyFigures, expected: list[Spread], under_fault: StudyFigures, speed: float
) -> list[str]:
    """Return a sentence for each figure that is not reproduced; none means that all are.

    The counts are compared without stalls of the machine, `under_fault`. At a high speed a slow
    machine alone moves the times: what a request takes there counts `speed` times.
    """
    overhead = max(0.0, figures.median - SERVICE_SECONDS)
    machine = (
        f"; at --speed {speed:g} the {overhead / speed * 1000:.1f} ms that a request takes on this "
        f"machine count as {overhead:.3f} s: use a quieter machine or a lower --speed"
    )
    faults = []
    for name in ("median", "mean"):
        measured, published = getattr(figures, name), getattr(PUBLISHED, name)
        if abs(measured - published) > TOLERANCE_RATIO * published:
            faults.append(
                f"{name} is {measured:.3f} s, more than {TOLERANCE_RATIO:.0%} from {published} s"
                + (machine if speed > 1 and measured > published else "")
            )
    faults += [
        f"{spread.name.replace('_', ' ')} is {getattr(under_fault, spread.name)}, outside "
        f"{spread.least} to {spread.greatest} of {len(SEEDS)} seeds"
        for spread in expected
        if not spread.holds(under_fault)
    ]
    return faults


def specification(options: argparse.Namespace) -> RunSpecification:
    """Make the run: one device whose seconds are `speed` times as short, and its centre."""
    second = 1 / options.speed
    return specify(
        {
            "locustfile": "locustfiles/alarm_devices.py",
            "simulator_arguments": (
                "--faults",
                f"--seed={options.seed}",
                f"--speed={options.speed}",
                f"--checklist-position={options.checklist_position}",
            ),
            "environment": {"ALARM_INTERVAL": f"{second}", "ALARM_RETRY_DELAY": f"{second}"},
            "users": 1,
            "workers": 1,
            "run_time": math.ceil(PUBLISHED_SECONDS * second + MARGIN_SECONDS),
            "stop_timeout": math.ceil(40 * second),
            "request_log": {},
            "slos": (),
            "web_port": options.web_port or free_port(),
            "master_bind_port": free_port(),
            "exporter_port": free_port(),
        }
    )


def run_study(options: argparse.Namespace) -> tuple[Summary, Path]:
    """Run device and centre; return the run's summary and directory."""
    run, interruption = specification(options), Interruption()
    with interruption.listen():
        return execute(
            run,
            LocalCluster(run),
            options.results.absolute(),
            interruption,
            Progress(run.run_time),
            versions(),
        )


def report(
    responses: list[AlarmResponse], expected: list[Spread], directory: Path, speed: float
) -> list[str]:
    """Save table and picture into the run's directory, print the table; return deviations."""
    figures, stalled = evaluate(responses), stalls(responses)
    lines = [describe(figures, responses), "", f"Over {len(SEEDS)} seeds in virtual time:"]
    lines += [
        f"{spread.name.replace('_', ' '):22}{spread.least:>5} to {spread.greatest}"
        for spread in expected
    ]
    lines += [
        f"{one.seconds:.1f} s at {one.at:.0f} s is not the length of an outage: "
        f"a machine stalled. It is in the table, but it is left out of the comparison "
        f"with the seeds."
        for one in stalled
    ]
    under_fault = evaluate([one for one in responses if one not in stalled])
    faults = deviations(figures, expected, under_fault, speed)
    lines += [f"Not reproduced: {fault}." for fault in faults] or [
        "The published hour is reproduced."
    ]
    text = "\n".join(lines) + "\n"
    (directory / f"{RESULT}.txt").write_text(text)
    save_picture(draw_study(responses), directory / RESULT)
    print(f"\n{text}\nPicture and table: {os.path.relpath(directory)}/{RESULT}.*")
    return faults


def study(options: argparse.Namespace) -> int:
    """Carry out `loadgen study alarm`: 0 reproduced, 1 not reproduced, else as `loadgen run`."""
    summary, directory = run_study(options)
    print(describe_run(summary, directory))
    if summary.exit_code:
        return summary.exit_code
    responses, _ = study_responses(measured_log(directory), options.speed)
    overhead = max(0.0, evaluate(responses).median - SERVICE_SECONDS)
    settings = StudySettings(overhead=overhead, checklist_position=options.checklist_position)
    return 1 if report(responses, spreads(settings), directory, options.speed) else 0
