"""What a workspace says about its ingestion."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.schemas.shared import Body, Flag, Shape, ShortText
from convex.metrics.catalog import FRAMEWORK_LIMIT, SERIES_LIMIT

Days = Annotated[int, Field(ge=1, le=36_500)]


class MappingBody(Body):
    """What becomes of foreign series whose labels all match; the first that matches counts."""

    match: dict[ShortText, ShortText] = Field(
        default_factory=dict,
        description="Label and pattern (RE2) of its whole value; a label that is missing is empty.",
        examples=[{"job": "node-.*"}],
    )
    framework: ShortText | None = Field(
        None, description="Slug, in which {label} stands for the label's value."
    )
    metric: ShortText | None = Field(
        None, description="Name of the metric; {__name__} is the sender's."
    )
    without: list[ShortText] = Field(
        default_factory=list, max_length=40, description="Labels left out."
    )
    drop: Flag = Field(False, description="Such series are not wanted.")


class IngestionBody(Body):
    """All of it; what is left out gets its default."""

    auto_create_metrics: Flag = Field(True, description="A point makes the metric that it names.")
    auto_create_frameworks: Flag = Field(
        True, description="Prometheus and OpenTelemetry make the frameworks that they name."
    )
    series_limit: int = Field(SERIES_LIMIT, ge=0, le=1_000_000)
    framework_limit: int = Field(FRAMEWORK_LIMIT, ge=0, le=100_000)
    raw_days: Days | None = Field(None, description="Points are kept this long; null: for ever.")
    hourly_days: Days | None = Field(None, description="The same for hourly summaries.")
    daily_days: Days | None = Field(None, description="The same for daily summaries.")
    mappings: list[MappingBody] = Field(default_factory=list, max_length=200)


class IngestionShape(Shape):
    """Limits, mapping and retention of a workspace."""

    auto_create_metrics: bool
    auto_create_frameworks: bool
    series_limit: int
    framework_limit: int
    raw_days: int | None
    hourly_days: int | None
    daily_days: int | None
    mappings: list[MappingBody]
