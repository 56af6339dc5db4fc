"""A run's id, and the one way from an id to a directory.

Hosts send ids back in reports and snapshots, and a locustfile that runs there can change them. A
`RunId` can only be made from text of the form that the kit itself makes, so that no id names a path
outside, a link of the archive, or a hidden file.
"""

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from pydantic_core import CoreSchema, core_schema

_OF_A_RUN = r"\d{8}T\d{6}Z-[a-z0-9][a-z0-9-]{0,39}-[0-9a-f]{4}"
_OF_A_TEST_FROM_THE_WEB_UI = r"web-\d{8}T\d{6}Z"
SPECIFICATION_FILE = "specification.json"
"""In a run's directory: the fields of the run as they were given."""
SUMMARY_FILE = "summary.json"
"""In a run's directory: what it came to; a directory with it holds a run that has ended."""
PATTERN = re.compile(f"(?:{_OF_A_RUN}|{_OF_A_TEST_FROM_THE_WEB_UI})", re.ASCII)


class RunId(str):
    """A run's id: 20261121T101500Z-hello-3f9a, or web-20261121T101500Z. ValueError: no such one."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check, then be the text."""
        if not PATTERN.fullmatch(text):
            raise ValueError(
                f"{text[:80]!r} is not the id of a run: give one such as "
                "20261121T101500Z-hello-3f9a"
            )
        return super().__new__(cls, text)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: object, __: Callable[[Any], CoreSchema]) -> CoreSchema:
        """Let models check it too."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


def make_run_id(locustfile: str, now: datetime | None = None) -> RunId:
    """Return a name that sorts by time: 20261121T101500Z-hello-3f9a (UTC)."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(locustfile).stem).strip("-").lower()[:40] or "run"
    moment = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    return RunId(f"{moment}-{stem}-{secrets.token_hex(2)}")


def run_directory(base: Path, run_id: str) -> Path:
    """Return where a run lies below `base`. ValueError: that is no run's id."""
    return base / RunId(run_id)


def checked_or_empty(run_id: str) -> str:
    """Return what a snapshot has for an id: a run's, or nothing. ValueError: another text."""
    return RunId(run_id) if run_id else ""
