"""Pieces of many bodies."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

T = TypeVar("T")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")

Text = Annotated[str, StringConstraints(max_length=10_000, pattern=r"^[^\x00]*$")]
ShortText = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")
]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]+$")]
Email = Annotated[
    str, StringConstraints(min_length=3, max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")
]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Severity = Annotated[str, StringConstraints(pattern=r"^(info|warning|critical)$")]


def _iso_8601(value: object) -> object:
    if isinstance(value, str) and not _DATE_TIME.match(value):
        raise ValueError("a time is ISO 8601 with a zone, such as 2026-01-31T12:00:00Z")
    if isinstance(value, int | float):
        raise ValueError("a time is ISO 8601 text, not a number")
    return value


def _storable(value: datetime) -> datetime:
    if not 1970 <= value.year <= 9000:
        raise ValueError("a time lies between 1970 and 9000")
    return value


# Pydantic would read "0.5" as a time and 1 as true; a client that sends that has made a mistake.
Instant = Annotated[AwareDatetime, BeforeValidator(_iso_8601), AfterValidator(_storable)]
Flag = Annotated[bool, Field(strict=True)]


class Body(BaseModel):
    """A request's body: unknown fields are refused, so that a typing error is not lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shape(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(frozen=True)


class Person(Shape):
    """Somebody, as they are shown beside what they did."""

    id: UUID
    name: str


class PageOf(Shape, Generic[T]):
    """One page of a listing."""

    items: list[T]
    next_cursor: str | None = Field(description="`cursor` of the next page; null after the last.")


class ProblemError(Shape):
    """One thing that was wrong."""

    loc: list[str | int]
    msg: str


class Problem(Shape):
    """An error (RFC 9457). `code` is stable: programs decide by it."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:convex:problem:not_found",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "There is no rule with that id.",
                    "code": "not_found",
                    "instance": "/api/v1/alert-rules/6f3c",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    errors: list[ProblemError] | None = None
