"""Small batches that come at once, written as one: what a transaction costs is then paid once.

It rests on a property of the engine: what comes of points does not depend on how they are cut into
batches. Each sender still hears of their own points only, so batches are pooled where it can be
told whose outcome is whose, and otherwise not at all.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import datetime
from uuid import UUID

import numpy as np

from convex.alerts.ingest import IngestResult, ingest_points
from convex.db import Connection
from convex.metrics.catalog import keys_of, remembered
from convex.metrics.model import PointBatch

SMALL = 64  # points; a larger batch is worth a transaction of its own
_MOST_TOGETHER = 32


class NotSeparable(Exception):  # not an error: roll back, and ingest the batches one by one
    """Whose outcome is whose cannot be told."""


def is_poolable(batch: PointBatch) -> bool:
    """Whether the batch is small and plain: nothing in it speaks for the batch as a whole."""
    return (
        0 < len(batch) <= SMALL
        and batch.series is None
        and batch.history is None
        and not batch.unreadable
        and not batch.creates_frameworks
        and not batch.hints
    )


def count_together(batches: Sequence[PointBatch]) -> int:
    """How many of these, from the first on, can be one: no two of them hold the same series."""
    met: set[Hashable] = set()
    for count, batch in enumerate(batches[:_MOST_TOGETHER]):
        try:
            series = {
                (framework, metric, frozenset(labels.items()))
                for framework, metric, labels in zip(
                    batch.frameworks, batch.metrics, batch.labels, strict=True
                )
            }
        except TypeError:  # a label's value is a list or an object; the point will be refused
            return max(1, count)
        if not met.isdisjoint(series):
            return count
        met |= series
    return min(len(batches), _MOST_TOGETHER)


async def ingest_together(
    connection: Connection, workspace_id: UUID, batches: Sequence[PointBatch], *, now: datetime
) -> tuple[IngestResult, list[IngestResult]]:
    """As `ingest_points` for batches that hold different series: what all did, and what each did.

    Raises `NotSeparable` unless every point was new; nothing may be committed then.
    """
    whole = PointBatch(
        [one for batch in batches for one in batch.frameworks],
        [one for batch in batches for one in batch.metrics],
        [one for batch in batches for one in batch.labels],
        np.concatenate([batch.timestamps for batch in batches]),
        np.concatenate([batch.values for batch in batches]),
        batches[0].source,
    )
    result = await ingest_points(connection, workspace_id, whole, now=now)
    if result.accepted != len(whole):
        raise NotSeparable
    known = remembered(workspace_id)
    owners: dict[int, int] = {}
    for number, batch in enumerate(batches):
        for key in keys_of(batch.frameworks, batch.metrics, batch.labels):
            if (place := known.get(key)) is None:
                raise NotSeparable
            owners[place.series_id] = number
    portions = [IngestResult(accepted=len(batch)) for batch in batches]
    for trigger_id, series_id in zip(result.trigger_ids, result.series_of_triggers, strict=True):
        portions[owners[series_id]].trigger_ids.append(trigger_id)
    return result, portions
