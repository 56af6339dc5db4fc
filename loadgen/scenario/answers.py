"""Checks of answers: a status alone says little, so bodies are looked at too.

Each check marks the request as failed with a short text that doesn't change from one request to
the next (Locust keeps a row for each text), and returns nothing usable then.
"""

import json
from collections.abc import Collection
from typing import Any, Protocol


class Answer(Protocol):
    """A response inside Locust's `with ... catch_response=True` block."""

    @property
    def status_code(self) -> int:
        """Return the HTTP status; 0 when there was no response."""

    @property
    def text(self) -> str | None:
        """Return the body as text."""

    def success(self) -> None:
        """Count the request as a success."""

    def failure(self, exc: str) -> None:
        """Count the request as a failure for this reason."""


def status_is(answer: Answer, wanted: Collection[int]) -> bool:
    """Tell whether the status is one of those wanted; any other fails the request.

    Without a response the request keeps the connection's own fault as its reason.
    """
    status = answer.status_code
    if status in wanted:
        answer.success()
        return True
    if status:
        names = " or ".join(str(one) for one in wanted)
        answer.failure(f"status {status} instead of {names}")
    return False


def json_object(answer: Answer, wanted: Collection[int] = (200,)) -> dict[str, Any] | None:
    """Return the JSON object of an answer; None, and a failed request, when it is none."""
    if not status_is(answer, wanted):
        return None
    try:
        body = json.loads(answer.text or "")
    except ValueError:
        start = (answer.text or "").lstrip()[:1]
        answer.failure("HTML instead of JSON" if start == "<" else "a body that is not JSON")
        return None
    if not isinstance(body, dict):
        answer.failure("JSON that is not an object")
        return None
    return body


def contains(answer: Answer, text: str, wanted: Collection[int] = (200,)) -> bool:
    """Tell whether the status is right and the body holds the text; else the request fails."""
    if not status_is(answer, wanted):
        return False
    if text not in (answer.text or ""):
        answer.failure(f"the body lacks {text!r}")
        return False
    return True
