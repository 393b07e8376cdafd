"""Sources."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from api.schemas.shared import Body, Flag, Name, Shape
from convex.metrics.sources.model import Source

Kind = Literal["file", "sql", "prometheus", "http_json"]
Schedule = Annotated[
    str,
    StringConstraints(
        max_length=100, pattern=r"^(\d{1,7}|[^\x00]+ [^\x00]+ [^\x00]+ [^\x00]+ [^\x00]+)$"
    ),
    Field(description='A cron line in UTC, or seconds between runs (at least 10), such as "60".'),
]
Config = Annotated[
    dict[str, Any],
    Field(
        max_length=50,
        description="file: path, format, framework, metric. sql: query, cursor_column, framework,"
        " metric, overlap_seconds. prometheus: url, queries [{query, metric, framework}],"
        " step_seconds, start, delay_seconds. http_json: url, points, fields, framework, metric,"
        " parameters, next, next_parameter, start. See docs/ingestion.md.",
    ),
]
Secret = Annotated[
    dict[str, Any],
    Field(
        max_length=10,
        description="Sealed, never shown again. sql: url. Others: headers {name: value}.",
    ),
]


class SourceNew(Body):
    """Where points are pulled from. Its name is that of its deployment."""

    name: Name = Field(examples=["orders"])
    kind: Kind
    config: Config = Field(examples=[{"path": "airports/*.csv.gz"}])
    secret: Secret | None = None
    schedule: Schedule | None = Field(None, examples=["*/5 * * * *"])
    enabled: Flag = True


class SourceChange(Body):
    """What is given is changed; `secret` replaces all of it, null takes schedule or secret away."""

    config: Config | None = None
    secret: Secret | None = None
    schedule: Schedule | None = None
    enabled: Flag | None = None


class SourceShape(Shape):
    """A source, and how its newest run went."""

    id: UUID
    name: str
    kind: Kind
    config: dict[str, Any]
    has_secret: bool
    schedule: str | None
    enabled: bool
    points_total: int
    progress: float | None
    failed_runs: int
    last_run_at: datetime | None
    last_state: str | None
    last_error: str | None
    created_at: datetime
    updated_at: datetime


class SourceRunRequested(Shape):
    """The request for a run; the source says how it went."""

    request_id: UUID


def source_json(source: Source) -> dict[str, Any]:
    """Everything but the workspace and the reader's own cursor."""
    return {name: getattr(source, name) for name in SourceShape.model_fields}
