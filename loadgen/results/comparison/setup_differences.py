"""What two sides of a comparison were that isn't the target: fields, versions, scenario, machines.

If two runs had different specifications, a comparison compares these, so the differences are
printed before any number.
"""

import json
import re
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from loadgen.results.summary import Summary

# The ports of a run don't change what it measures; each run draws a new seed.
LEFT_OUT = {"web_port", "master_bind_port", "exporter_port", "tls_cert", "tls_key", "seed"}
VALUE_CHARACTERS = 60
_BUNDLED = re.compile(r"http://127\.0\.0\.1:(3[2-9]|[45]\d|6[0-5])\d{3}$")


def setup_differences(before: Sequence[Summary], after: Sequence[Summary]) -> list[str]:
    """Return a line for each thing in which the sides differ, or the runs of one side."""
    sides = [[describe_setup(summary) for summary in side] for side in (before, after)]
    names = sorted({name for side in sides for setup in side for name in setup})
    lines = []
    for name in names:
        left, right = ([setup.get(name, "none") for setup in side] for side in sides)
        if set(left) != set(right) or len(set(left)) > 1:
            lines.append(f"{name}: {_shown(left)} -> {_shown(right)}")
    return lines


def describe_setup(summary: Summary) -> dict[str, str]:
    """Return a run's fields, versions, release and scenario as text, by their place."""
    # The path of a scenario matters only if the hash of its content is not known.
    left_out = LEFT_OUT | ({"locustfile"} if summary.origin.scenario_sha256 else set())
    facts: dict[str, JsonValue] = {
        **{k: v for k, v in summary.specification.items() if k not in left_out},
        "host": _target(summary.specification.get("host")),
        **{f"version of {name}": version for name, version in summary.versions.items()},
        "release": summary.release_sha256[:12],
        "scenario": summary.origin.scenario_sha256[:12],
        "workers seen": str(summary.workers.seen),
        "machines": "; ".join(sorted(machine.kind for machine in summary.machines)),
        "commit": summary.origin.commit + (" and changes" if summary.origin.modified else ""),
    }
    return dict(_flat(facts))


def _target(host: JsonValue) -> JsonValue:
    """Name a bundled target as such: it gets another free port each time."""
    return "the bundled target" if _BUNDLED.match(str(host)) else host


def _flat(facts: Mapping[str, JsonValue], above: str = "") -> list[tuple[str, str]]:
    found = []
    for name, value in facts.items():
        place = f"{above}{name}"
        if isinstance(value, dict):
            found += _flat(value, f"{place}.")
        elif value not in (None, [], ""):
            found.append((place, value if isinstance(value, str) else json.dumps(value)))
    return found


def _shown(values: Sequence[str]) -> str:
    shown = dict.fromkeys(
        value if len(value) <= VALUE_CHARACTERS else f"{value[:VALUE_CHARACTERS]}…"
        for value in values
    )
    return ", ".join(shown)
