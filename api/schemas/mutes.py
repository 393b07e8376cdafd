"""Mute windows and inhibition rules."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.rules import MatcherBody
from api.schemas.shared import Body, Flag, Name, Person, Shape, Tag
from api.schemas.silences import Matchers, given_matchers
from convex.alerts.mute_windows import Interval, MuteWindow, interval_json

DayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["22:00"])]
Zone = Annotated[
    str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$", examples=["Europe/Berlin"])
]


class IntervalBody(Body):
    """From `start` to `end` by the wall clock, beginning on these days (every day when left out);
    an end that is not later is on the next day, "00:00" is midnight.
    """

    days: Annotated[list[DayName], Field(max_length=7)] = Field(default_factory=list)
    start: Clock
    end: Clock


Intervals = Annotated[list[IntervalBody], Field(min_length=1, max_length=50)]


class MuteWindowNew(Body):
    """What is muted at the same hours every week."""

    name: Name = Field(examples=["Nightly imports"])
    matchers: Matchers
    timezone: Zone
    intervals: Intervals
    enabled: Flag = True


class MuteWindowChange(Body):
    """What is given is changed."""

    name: Name | None = None
    matchers: Matchers | None = None
    timezone: Zone | None = None
    intervals: Intervals | None = None
    enabled: Flag | None = None


class IntervalShape(Shape):
    """An interval with the days on which it begins."""

    days: list[DayName]
    start: str
    end: str


class MuteWindowShape(Shape):
    """A mute window."""

    id: UUID
    name: str
    matchers: list[MatcherBody]
    timezone: str
    intervals: list[IntervalShape]
    enabled: bool
    author: Person | None
    version: int
    created_at: datetime
    updated_at: datetime


class InhibitionNew(Body):
    """While a source is open, targets with the same values of these labels are not told."""

    name: Name = Field(examples=["A closed airport explains its delays"])
    source_matchers: Matchers
    target_matchers: Matchers
    equal_labels: Annotated[list[Tag], Field(max_length=20)] = Field(
        default_factory=list, examples=[["framework"]]
    )
    enabled: Flag = True


class InhibitionChange(Body):
    """What is given is changed."""

    name: Name | None = None
    source_matchers: Matchers | None = None
    target_matchers: Matchers | None = None
    equal_labels: Annotated[list[Tag], Field(max_length=20)] | None = None
    enabled: Flag | None = None


class InhibitionShape(Shape):
    """An inhibition rule."""

    id: UUID
    name: str
    source_matchers: list[MatcherBody]
    target_matchers: list[MatcherBody]
    equal_labels: list[str]
    enabled: bool
    author: Person | None
    version: int
    created_at: datetime
    updated_at: datetime


def window_changes(body: MuteWindowNew | MuteWindowChange) -> dict[str, Any]:
    """What the body gives, as fields of `MuteWindowDraft`."""
    changes = _given(body)
    if body.matchers is not None:
        changes["matchers"] = given_matchers(body.matchers)
    if body.intervals is not None:
        changes["intervals"] = tuple(
            Interval(one.start, one.end, tuple(one.days)) for one in body.intervals
        )
    return changes


def inhibition_changes(body: InhibitionNew | InhibitionChange) -> dict[str, Any]:
    """What the body gives, as fields of `InhibitionDraft`."""
    changes = _given(body)
    if body.source_matchers is not None:
        changes["source_matchers"] = given_matchers(body.source_matchers)
    if body.target_matchers is not None:
        changes["target_matchers"] = given_matchers(body.target_matchers)
    if body.equal_labels is not None:
        changes["equal_labels"] = tuple(body.equal_labels)
    return changes


def _given(body: Body) -> dict[str, Any]:
    values = {name: getattr(body, name) for name in type(body).model_fields}
    return {name: value for name, value in values.items() if value is not None}


def window_json(window: MuteWindow) -> dict[str, object]:
    """As `MuteWindowShape`."""
    return {
        "id": window.id,
        "name": window.name,
        "matchers": window.matchers,
        "timezone": window.timezone,
        "intervals": [interval_json(one) for one in window.intervals],
        "enabled": window.enabled,
        "author": window.author,
        "version": window.version,
        "created_at": window.created_at,
        "updated_at": window.updated_at,
    }
