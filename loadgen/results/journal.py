"""The journal of a series of runs: what was begun and what is done, kept through a SIGKILL.

One JSON object a line, each on the disk before the next step begins. A step is written when it
begins, with the id its run will have, and again when its run is judged. So after a kill it is
known which run was under way: if it was judged it counts, if not its step is made again.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from loadgen.results.summary import Summary
from loadgen.shared.errors import UsageError, why_unread
from loadgen.shared.files import read_document

JOURNAL_FILE = "journal.jsonl"
VALUES_MAX = 5_000_000
"""Ten thousand steps, with some four hundred for each one's summary."""
Fields = Mapping[str, JsonValue]


class JournalEntry(BaseModel):
    """One line. `summary` is None when the step began, and set when its run was judged."""

    model_config = ConfigDict(frozen=True)

    step: int
    fields: dict[str, JsonValue]
    run_id: str
    summary: Summary | None = None


class Journal:
    """Steps of one series. `find_summary` looks up a run that was judged but not yet noted."""

    def __init__(self, path: Path, find_summary: Callable[[str], Summary | None]) -> None:
        self._path, self._find_summary = path, find_summary
        self._begun: dict[int, JournalEntry] = {}
        self._done: dict[int, JournalEntry] = {}
        for entry in _read(path):
            (self._begun if entry.summary is None else self._done)[entry.step] = entry

    @property
    def done(self) -> list[JournalEntry]:
        """Return the finished steps, in order."""
        return [self._done[step] for step in sorted(self._done)]

    def carry_out(
        self, step: int, fields: Fields, new_run_id: str, run: Callable[[str], Summary]
    ) -> Summary:
        """Return the summary of a step, from the journal if it is done, else by `run(run_id)`.

        An interrupted run is noted as begun only: its step is made again next time.
        """
        known = self._done.get(step) or self._adopt(step)
        if known is not None and known.summary is not None:
            self._require_same(known, fields)
            return known.summary
        entry = JournalEntry(step=step, fields=dict(fields), run_id=new_run_id)
        self._append(entry)
        summary = run(new_run_id)
        if summary.verdict != "interrupted":
            self._finish(entry, summary)
        return summary

    def _adopt(self, step: int) -> JournalEntry | None:
        """Take over a run that ended after the journal's last line."""
        begun = self._begun.get(step)
        summary = self._find_summary(begun.run_id) if begun else None
        if begun is None or summary is None or summary.verdict == "interrupted":
            return None
        return self._finish(begun, summary)

    def _finish(self, entry: JournalEntry, summary: Summary) -> JournalEntry:
        done = entry.model_copy(update={"summary": summary})
        self._append(done)
        self._done[entry.step] = done
        return done

    def _require_same(self, known: JournalEntry, fields: Fields) -> None:
        if known.fields != dict(fields):
            raise UsageError(
                f"{self._path} belongs to another sweep or search: its step {known.step} "
                f"was {json.dumps(known.fields)}, but now it would be {json.dumps(dict(fields))}"
            )

    def _append(self, entry: JournalEntry) -> None:
        with self._path.open("ab") as file:
            file.write(entry.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _read(path: Path) -> list[JournalEntry]:
    """Read every whole line; one that a kill cut short is dropped from the file."""
    if not path.exists():
        return []
    try:
        text = read_document(path, VALUES_MAX)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} can't be read as a journal: {why_unread(error)}; only loadgen may write "
            "this file"
        ) from error
    whole = text[: text.rfind(b"\n") + 1]
    if len(whole) < len(text):
        os.truncate(path, path.stat().st_size - len(text) + len(whole))
    try:
        return [JournalEntry.model_validate_json(line) for line in whole.splitlines()]
    except ValidationError as error:
        raise UsageError(
            f"{path} can't be read as a journal: {error.errors()[0]['msg']}; only loadgen "
            f"may write this file"
        ) from error
