"""A duration as Locust writes it: 30, 30s, 5m, 1h30m."""

import math
import re
from typing import Annotated

from pydantic import BeforeValidator

_DURATION = re.compile(
    r"^\s*(?:(?P<hours>\d+)\s*h)?\s*(?:(?P<minutes>\d+)\s*m)?\s*(?:(?P<seconds>\d+)\s*(?P<unit>s)?)?\s*$"
)


def parse_duration(value: object) -> float:
    """Read a duration as Locust writes it (30, 30s, 5m, 1h30m) into seconds.

    Raises ValueError on anything else, with the rule.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) < 1e15 else math.inf
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None or not any(match.groups()[:3]):
        raise ValueError("give a duration such as 30s, 5m or 1h30m")
    if match["seconds"] and not match["unit"] and (match["hours"] or match["minutes"]):
        given = match[0].strip()
        or_minutes = "" if match["minutes"] else f"{given}m or "
        raise ValueError(f"its last number has no unit: give {or_minutes}{given}s")
    try:
        hours, minutes, seconds = (int(part or 0) for part in match.groups()[:3])
        return float(hours * 3600 + minutes * 60 + seconds)
    except (ValueError, OverflowError) as error:
        raise ValueError("give a duration with fewer digits, such as 30s, 5m or 1h30m") from error


Duration = Annotated[float, BeforeValidator(parse_duration)]
"""Seconds, of a number or of a text."""
