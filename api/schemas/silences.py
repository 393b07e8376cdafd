"""Silences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.rules import MatcherBody
from api.schemas.shared import Body, Flag, Instant, Person, Shape
from api.schemas.triggers import TriggerShape
from convex.alerts.model import Matcher, Operator
from convex.alerts.silences import Silence

Matchers = Annotated[
    list[MatcherBody],
    Field(
        min_length=1,
        max_length=20,
        description="All must fit. A label of the series, or rule, framework, metric, severity,"
        " type, trigger, tag.",
    ),
]
SilenceReason = Annotated[
    str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")
]


class SilenceNew(Body):
    """A mute with an end and a reason; it begins now when no start is given."""

    matchers: Matchers
    starts_at: Instant | None = None
    ends_at: Instant
    reason: SilenceReason = Field(examples=["Runway works until noon."])
    confirm_broad: Flag = Field(
        False, description="That so much is meant, after a silence was refused for it (409)."
    )


class SilenceChange(Body):
    """What is given is changed; an end in the past ends it now."""

    matchers: Matchers | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    reason: SilenceReason | None = None
    confirm_broad: Flag = Field(False, description="As in a new silence, where matchers change.")


class SilencePreview(Body):
    """What would be muted."""

    matchers: Matchers


class Previewed(Shape):
    """The open triggers that the matchers fit: the newest hundred, and how many there are of how
    many open ones. `too_broad` says why a silence would need `confirm_broad`, null if it would not.
    """

    matching: int
    open: int
    too_broad: str | None
    triggers: list[TriggerShape]


class SilenceShape(Shape):
    """A silence."""

    id: UUID
    matchers: list[MatcherBody]
    starts_at: datetime
    ends_at: datetime
    state: Literal["pending", "active", "expired"]
    author: Person | None
    reason: str
    version: int
    created_at: datetime
    updated_at: datetime


def given_matchers(bodies: Sequence[MatcherBody]) -> tuple[Matcher, ...]:
    """As the domain takes them."""
    return tuple(Matcher(one.label, Operator(one.operator), one.value) for one in bodies)


def silence_json(silence: Silence, now: datetime) -> dict[str, object]:
    """As `SilenceShape`."""
    return {
        "id": silence.id,
        "matchers": silence.matchers,
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "state": silence.state(now),
        "author": silence.author,
        "reason": silence.reason,
        "version": silence.version,
        "created_at": silence.created_at,
        "updated_at": silence.updated_at,
    }
