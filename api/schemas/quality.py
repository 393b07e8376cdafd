"""Whether the data can be trusted."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from api.schemas.shared import Shape


class QualityRun(Shape):
    """One run of a suite of checks; `report_path` is a page below /docs/quality/."""

    id: UUID
    suite: str
    started_at: datetime
    finished_at: datetime
    state: str
    evaluated: int
    passed: int
    failed: int
    results: list[dict[str, Any]]
    report_path: str | None
