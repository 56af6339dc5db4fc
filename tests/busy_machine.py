"""Tells a test that fails for the machine's other work from one that fails for the kit's.

A run whose workers wait too long for a core is invalid, and rightly so: such a test is tried once
more (pytest-rerunfailures, see pyproject.toml), and pytest's summary lists it under RERUN.
"""

import contextlib
import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

BUSY = {"generator_cpu", "generator_stall"}
"""The kinds of reasons that other work on the machine gives a run."""

_places: list[Path] = []


class MachineWasBusyError(AssertionError):
    """The test failed, and a run of it was invalid only because it waited for a core."""


@contextlib.contextmanager
def watched(place: Path) -> Iterator[None]:
    """Look for invalid runs below a directory if a test fails meanwhile."""
    _places.append(place)
    try:
        yield
    finally:
        _places.remove(place)


def waited_for_a_core(summary: dict[str, Any]) -> bool:
    """Say whether nothing but the machine's other work speaks against a run; notes don't."""
    kinds = set(summary.get("reason_kinds", ())) - {"note"}
    return summary.get("verdict") == "invalid" and bool(kinds) and kinds <= BUSY


def machine_was_busy() -> bool:
    """Say whether a run that is looked at was invalid for the machine's other work alone."""
    for place in _places:
        for path in place.rglob("summary.json"):
            with contextlib.suppress(OSError, ValueError):
                if waited_for_a_core(json.loads(path.read_text())):
                    return True
    return False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Look at the runs of fixtures that failed."""
    return (yield from _retryable())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Look at the runs of a test that failed."""
    return (yield from _retryable())


def _retryable() -> Generator[None, object, object]:
    try:
        return (yield)
    except AssertionError as error:
        if machine_was_busy():
            raise MachineWasBusyError(str(error)) from error
        raise
