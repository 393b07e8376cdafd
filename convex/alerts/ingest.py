"""Points in, alerts out: everything of one batch in the caller's one transaction.

The order: lock the series, store the points, evaluate each rule at each new point in the order of
time, save where the rules stand, write triggers and transitions, hand what somebody may be told to
planning, and last the live events. The result does not depend on how points are cut into batches.

The locks on the series (taken in the order of their ids) are what makes concurrent writers safe;
the unique index on open fingerprints is the guard behind them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from convex.alerts import assess, record
from convex.alerts.standing import Standing
from convex.db import Connection
from convex.live import LiveEvent
from convex.metrics.intake import take_in
from convex.metrics.model import PointBatch, to_microseconds


@dataclass(slots=True)
class IngestResult:
    """What a batch did. The first four count points; the next to last are for the own metrics.

    `trigger_ids` were opened or changed state (historical ones too), on the series
    `series_of_triggers`; `transitions` counts those changes. `events` are the live ones and
    `cursor` is that of the last (None: there was none); both are known after the commit. `outcomes`
    counts evaluations by reason, `opened` live triggers by type and severity, `refused` rejected
    points by reason, and `why_refused` says for each reason why the first was, in words.
    """

    accepted: int = 0
    corrected: int = 0
    unchanged: int = 0
    rejected: int = 0
    trigger_ids: list[UUID] = field(default_factory=list)
    series_of_triggers: list[int] = field(default_factory=list)
    transitions: int = 0
    cursor: int | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    opened: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    why_refused: dict[str, str] = field(default_factory=dict)
    events: list[LiveEvent] = field(default_factory=list)

    def appended(self, events: list[LiveEvent]) -> None:
        """These have been committed, with the batch."""
        self.events = events
        self.cursor = events[-1].cursor


async def ingest_points(
    connection: Connection, workspace_id: UUID, batch: PointBatch, *, now: datetime
) -> IngestResult:
    """Store and evaluate a batch; `now` is the clock, with a zone.

    The months of the points must have their partitions (`metrics.partitions.ensure_partitions`, in
    a transaction of its own before this one). Raises nothing for bad points: they are rejected.
    """
    standing = Standing(connection, workspace_id)
    intake = await take_in(connection, workspace_id, batch, now=now, beside=standing.ask)
    result = IngestResult(
        accepted=intake.accepted,
        corrected=intake.corrected,
        unchanged=intake.unchanged,
        rejected=len(intake.rejected),
        refused=Counter(one.reason.value for one in intake.rejected),
        why_refused={one.reason.value: one.detail for one in reversed(intake.rejected)},
    )
    if not intake.places:
        return result
    assessment = await assess.assess(
        connection,
        workspace_id,
        intake,
        standing,
        now=to_microseconds(now),
        history=batch.history,
    )
    await record.record(connection, workspace_id, assessment, result)
    return result
