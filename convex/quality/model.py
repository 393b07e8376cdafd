"""What a check of the data says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Severity(StrEnum):
    """How much a failed expectation matters: a run fails by critical and warning ones."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class State(StrEnum):
    """The outcome of a run; `error` when an expectation could not be evaluated."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """One expectation: what was expected, of which column, and what was found.

    `rows` is how many were looked at and `unexpected` how many of them were wrong (None where the
    expectation is about the table as a whole); `examples` are a few of the wrong values, `series`
    the ids of the series that are wrong, where a row was one.
    """

    name: str
    column: str
    says: str
    severity: Severity
    succeeded: bool
    observed: Any = None
    rows: int | None = None
    unexpected: int | None = None
    examples: Sequence[Any] = ()
    error: str = ""
    series: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One suite, run once on one workspace.

    `report_path` is the page below /docs/quality/.
    """

    workspace_id: UUID
    suite: str
    started_at: datetime
    finished_at: datetime
    results: Sequence[ExpectationResult]
    report_path: str | None = None

    @property
    def passed(self) -> int:
        """Expectations that held."""
        return sum(result.succeeded for result in self.results)

    @property
    def failed(self) -> int:
        """Expectations that did not hold, or could not be evaluated."""
        return len(self.results) - self.passed

    @property
    def state(self) -> State:
        """As the most serious result says."""
        if any(result.error for result in self.results):
            return State.ERROR
        if any(not r.succeeded and r.severity is not Severity.INFO for r in self.results):
            return State.FAILED
        return State.PASSED


@dataclass(frozen=True, slots=True)
class Window:
    """Which points a check looks at: those from `since` on (None: all), seen at `now`."""

    now: datetime
    since: datetime | None = None


StoredRun = Mapping[str, Any]
