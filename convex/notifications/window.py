"""What a shift did in a few seconds: the counts that it reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from convex.notifications.outbox import Attempt
from convex.notifications.service import Planning
from convex.notifications.snapshot import instant

_MOST_ERRORS = 5


@dataclass(slots=True)
class Window:
    """Counts since `started_at`. Latencies: from due to handed over, first attempts, seconds."""

    started_at: datetime
    transitions: int = 0
    planned: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    exhausted: list[UUID] = field(default_factory=list)
    faults: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened."""
        return not (self.transitions or self.outcomes or self.planned or self.faults)

    def count_planning(self, planning: Planning) -> None:
        """Add what was planned."""
        self.transitions += planning.transitions
        self.planned.update(planning.states)
        if planning.told_at_once:
            self.outcomes["in_app delivered"] += planning.told_at_once

    def count_in_app(self, told: int) -> None:
        """Add what was put off and is in the inbox now."""
        if told:
            self.outcomes["in_app delivered"] += told

    def count_attempt(self, attempt: Attempt) -> None:
        """Add a finished attempt."""
        claim = attempt.claim
        self.outcomes[f"{claim.channel_kind.value} {attempt.outcome.value}"] += 1
        if attempt.error:
            self.errors[f"{claim.channel_kind.value}: {attempt.error}"] += 1
        if claim.attempt == 1:
            waited = attempt.started_at - max(claim.due_at, claim.created_at)
            self.latencies.append(max(waited.total_seconds(), 0.0))
        if attempt.exhausted:
            self.exhausted.append(claim.id)

    def describe(self, now: datetime, *, due: int, oldest: float) -> Mapping[str, Any]:
        """The window as JSON; latencies in milliseconds."""
        ordered = sorted(self.latencies)
        return {
            "from": instant(self.started_at),
            "to": instant(now),
            "transitions": self.transitions,
            "planned": dict(self.planned),
            "outcomes": dict(self.outcomes),
            "latency_ms": {
                "n": len(ordered),
                "p50": _quantile(ordered, 0.5),
                "p95": _quantile(ordered, 0.95),
                "max": _quantile(ordered, 1.0),
            },
            "failures": dict(self.errors.most_common(_MOST_ERRORS)),
            "exhausted": len(self.exhausted),
            "faults": self.faults,
            "due": due,
            "oldest_seconds": round(oldest, 3),
        }


def _quantile(ordered: list[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000, 2)
