"""A source, its configuration and what it yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from convex.errors import InvalidInput
from convex.metrics.model import PointBatch


class FileFormat(StrEnum):
    """How a file holds its points; the text formats may be gzipped."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Source:
    """One row of `sources`. `cursor` is the reader's own: empty before the first batch.

    `schedule` is a cron line, a number of seconds, or None (by hand only); `has_secret` says that
    something is sealed with it; `progress` (0–1) is that of its newest run, `failed_runs` how many
    have failed since one succeeded.
    """

    id: UUID
    workspace_id: UUID
    name: str
    kind: str
    config: Mapping[str, Any]
    schedule: str | None
    cursor: Mapping[str, Any]
    enabled: bool
    has_secret: bool
    points_total: int
    progress: float | None
    failed_runs: int
    last_run_at: datetime | None
    last_state: str | None
    last_error: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ScheduledSource:
    """What a source's deployment is made from. `workspace` is its slug, `schedule` a cron line, a
    number of seconds, or None."""

    id: UUID
    name: str
    workspace: str
    schedule: str | None


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """Points, the cursor that says they are done, and how far through the source that is (0–1)."""

    points: PointBatch
    cursor: Mapping[str, Any]
    progress: float


@dataclass(frozen=True, slots=True)
class FileConfig:
    """The configuration of a source of kind `file`.

    `path` is a file or a pattern (`airports/*.csv.gz`) in the folder that sources may read, or the
    http(s) address of a file. Where
    `format` is None the file's name tells it. `framework` and `metric` stand in for columns that
    the files lack.
    """

    path: str
    format: FileFormat | None = None
    framework: str | None = None
    metric: str | None = None

    @property
    def is_remote(self) -> bool:
        """Whether `path` is an address."""
        return self.path.startswith(("http://", "https://"))

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> Self:
        """Check a source's `config`. Raises `InvalidInput`, naming the key that is wrong."""
        if unknown := config.keys() - {"path", "format", "framework", "metric"}:
            raise InvalidInput(f"A file source has no setting {min(unknown)!r}.")
        for key, value in config.items():
            if value is not None and not (isinstance(value, str) and value):
                raise InvalidInput(f"The setting {key!r} of a file source is a text.")
        if not config.get("path"):
            raise InvalidInput("A file source needs a path.")
        if (wanted := config.get("format")) and wanted not in set(FileFormat):
            raise InvalidInput(f"The format {wanted!r} is none of {', '.join(FileFormat)}.")
        return cls(
            path=config["path"],
            format=FileFormat(wanted) if wanted else None,
            framework=config.get("framework"),
            metric=config.get("metric"),
        )
