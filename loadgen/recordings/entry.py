"""What this kit reads of a HAR's entry, whatever tool wrote it.

Tools write numbers for texts, null for what they lack, and fields of their own.
"""

import math
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

LONGEST_ANSWER_MILLISECONDS = 24 * 3600 * 1000.0


def _or_empty(value: object) -> object:
    """Return nothing for null, and text as browsers send it: without halves of surrogate pairs."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "" if value is None else value


def _or_none(value: object) -> object:
    return [] if value is None else value


def _number(value: object) -> float | None:
    """Return a number that a tool wrote; None for what is none, which only costs a detail."""
    with suppress(TypeError, ValueError, OverflowError):
        number = float(str(value))
        return number if math.isfinite(number) else None
    return None


def _milliseconds(value: object) -> float | None:
    """Return how long an answer took; None for what no answer takes."""
    number = _number(value)
    return number if number is not None and number <= LONGEST_ANSWER_MILLISECONDS else None


def _with_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Text = Annotated[str, BeforeValidator(_or_empty)]


class _Part(BaseModel):
    """What all parts of an entry have in common."""

    model_config = ConfigDict(
        extra="ignore",
        coerce_numbers_to_str=True,
        alias_generator=to_camel,
        populate_by_name=True,
        allow_inf_nan=False,
    )


class Pair(_Part):
    """A name and its value, as headers and cookies are."""

    name: str = Field(min_length=1)
    value: Text = ""


class _Parameter(Pair):
    file_name: Text = ""
    content_type: Text = ""


def _named(value: object) -> object:
    """Leave out pairs that have no name, which some tools write."""
    if not isinstance(value, list):
        return _or_none(value)
    return [one for one in value if not (isinstance(one, dict) and _is_nameless(one.get("name")))]


def _is_nameless(name: object) -> bool:
    return name in ("", None) or (isinstance(name, str) and _or_empty(name) != name)


Pairs = Annotated[list[Pair], BeforeValidator(_named)]


class _Posted(_Part):
    mime_type: Text = ""
    text: Text = ""
    encoding: Text = ""
    params: Annotated[list[_Parameter], BeforeValidator(_or_none)] = []


class _Request(_Part):
    method: str = Field(pattern=r"^[A-Za-z][A-Za-z-]*$")
    url: str = Field(min_length=1)
    headers: Pairs = []
    cookies: Pairs = []
    body_size: Annotated[float | None, BeforeValidator(_number)] = None
    post_data: _Posted | None = None


class _Content(_Part):
    mime_type: Text = ""
    text: Text = ""
    encoding: Text = ""


class _Response(_Part):
    status: int = Field(ge=100, le=999)
    headers: Pairs = []
    cookies: Pairs = []
    content: Annotated[_Content, BeforeValidator(lambda value: {} if value is None else value)] = (
        _Content()
    )
    redirect_url: Text = Field(default="", alias="redirectURL")


class _Message(_Part):
    type: str
    time: float
    opcode: int = 1
    data: Text = ""


class WrittenEntry(_Part):
    """A request with its answer."""

    started_date_time: Annotated[datetime, AfterValidator(_with_zone)]
    time: Annotated[float | None, BeforeValidator(_milliseconds)] = None
    request: _Request
    response: _Response
    resource_type: str | None = Field(default=None, alias="_resourceType")
    messages: Annotated[list[_Message], BeforeValidator(_or_none)] = Field(
        default=[], alias="_webSocketMessages"
    )
