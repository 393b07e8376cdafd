"""A batch on its way into the points table: what is refused, which series each point belongs to,
in which order, and which rows are new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from convex.db import Connection
from convex.metrics import store
from convex.metrics.catalog import (
    Coming,
    Key,
    Place,
    Refused,
    forget,
    keys_of,
    remembered,
    resolve,
    wrong_labels,
)
from convex.metrics.model import (
    STALE_BITS,
    BoolArray,
    FloatArray,
    IntArray,
    PointBatch,
    RejectedPoint,
    Rejection,
    SeriesKeys,
    to_datetime,
    to_microseconds,
)
from convex.metrics.partitions import FUTURE, oldest_allowed
from convex.metrics.policy import IngestionPolicy, policy_of

_ATTEMPTS = 3  # a series can vanish between looking it up and locking it; not again and again


@dataclass(slots=True)
class Intake:
    """The batch's points as they are stored: by series, each in order of time, without repeats.

    `places[i]` owns the points `starts[i]:starts[i + 1]`; series of one metric lie together.
    `newest`, `ended` and `first_met` are those of the series before this batch (`store.NEVER` for
    none). `fresh` are points newer than `newest`; the others came late, and `arrived` tells which
    of them were not there. `stale` are the instants at which a series ended, `distrusted` are
    places whose data failed a critical check.
    """

    places: list[Place]
    starts: IntArray
    timestamps: IntArray
    values: FloatArray
    newest: IntArray
    ended: IntArray
    first_met: IntArray
    fresh: BoolArray
    arrived: BoolArray
    stale: dict[int, list[int]]
    distrusted: frozenset[int] = frozenset()
    rejected: list[RejectedPoint] = field(default_factory=list)
    accepted: int = 0
    corrected: int = 0
    unchanged: int = 0

    def series_of_points(self) -> IntArray:
        """The index into `places` of each point."""
        return np.repeat(np.arange(len(self.places)), np.diff(self.starts))


async def take_in(
    connection: Connection, workspace_id: UUID, batch: PointBatch, *, now: datetime
) -> Intake:
    """Store the batch's points; the rows of their series are locked until the transaction ends."""
    codes, keys = _number_keys(batch)
    refused = list(batch.unreadable)
    coming = Coming(now, batch.creates_frameworks, batch.hints)
    policy = await policy_of(connection, workspace_id)
    usable, stale = _check(batch, now, policy, refused)
    places = await _find(connection, workspace_id, keys, usable | stale, codes, coming)
    for attempt in range(_ATTEMPTS):
        ids = _ids_of(places)
        wanted = np.unique(ids[ids >= 0])
        locked = await store.lock_series(connection, workspace_id, wanted)
        if len(locked.ids) == len(wanted) or attempt == _ATTEMPTS - 1:
            break
        forget(workspace_id, set(np.setdiff1d(wanted, locked.ids).tolist()))
        places = await _find(connection, workspace_id, keys, usable | stale, codes, coming)
    _refuse(batch, codes, places, usable | stale, refused)
    intake = _arrange(batch, codes, places, ids, usable, stale, locked)
    intake.rejected = refused
    await _store(connection, workspace_id, intake)
    if refused:
        await store.insert_rejected(connection, workspace_id, batch.source, refused)
    return intake


def _number_keys(batch: PointBatch) -> tuple[IntArray, dict[Key, Mapping[str, Any]]]:
    """A number for each point's key, and the keys with their labels in the order of the numbers."""
    if batch.series is not None:
        return _renumber(batch.series, batch.labels)
    keys = keys_of(batch.frameworks, batch.metrics, batch.labels)
    try:
        labels_of = dict(zip(reversed(keys), reversed(batch.labels), strict=True))
    except TypeError:  # a label's value is a list or an object; such a key is refused later
        keys = [
            (key[0], key[1], repr(labels)) if wrong_labels(labels) else key
            for key, labels in zip(keys, batch.labels, strict=True)
        ]
        labels_of = dict(zip(reversed(keys), reversed(batch.labels), strict=True))
    numbers = {key: number for number, key in enumerate(labels_of)}
    return np.array([numbers[key] for key in keys], np.int64), labels_of


def _renumber(
    series: SeriesKeys, labels: Sequence[Mapping[str, Any]]
) -> tuple[IntArray, dict[Key, Mapping[str, Any]]]:
    """The same where the sender has told the series apart; it may have named one twice."""
    labels_of = dict(zip(series.keys, labels, strict=True))
    if len(labels_of) == len(series.keys):
        return series.of_points, labels_of
    numbers = {key: number for number, key in enumerate(labels_of)}
    return np.array([numbers[key] for key in series.keys], np.int64)[series.of_points], labels_of


def _check(
    batch: PointBatch, now: datetime, policy: IngestionPolicy, refused: list[RejectedPoint]
) -> tuple[BoolArray, BoolArray]:
    """Which points can be stored by their value and time, and which are stale markers."""
    stale = batch.values.view(np.uint64) == STALE_BITS
    finite = np.isfinite(batch.values)
    latest = to_microseconds(now + FUTURE)
    in_time = (batch.timestamps <= latest) & (
        batch.timestamps >= max(oldest_allowed(), policy.oldest(now))
    )
    usable = finite & in_time
    for index in np.flatnonzero(~usable & ~(stale & in_time)).tolist():
        value = batch.values[index]
        if not finite[index] and not stale[index]:
            reason = Rejection.NOT_A_NUMBER if np.isnan(value) else Rejection.INFINITE
            detail = f"the value is {value}"
        elif batch.timestamps[index] > latest:
            reason = Rejection.IN_THE_FUTURE
            minutes = int(FUTURE.total_seconds() // 60)
            detail = f"the timestamp is more than {minutes} minutes ahead of the clock"
        else:
            reason, detail = Rejection.TOO_OLD, "the timestamp is before 1970"
            if batch.timestamps[index] >= oldest_allowed():
                detail = f"the workspace keeps points for {policy.raw_days} days"
        refused.append(RejectedPoint(reason, detail, _as_json(batch, index)))
    return usable, stale & in_time


def _as_json(batch: PointBatch, index: int) -> dict[str, Any]:
    value = float(batch.values[index])
    try:
        timestamp: str | int = to_datetime(batch.timestamps[index]).isoformat()
    except OverflowError:
        timestamp = int(batch.timestamps[index])
    row = batch.row_of(index)
    return {
        "framework": batch.frameworks[row],
        "metric": batch.metrics[row],
        "labels": dict(batch.labels[row]),
        "timestamp": timestamp,
        "value": value if np.isfinite(value) else str(value),
    }


async def _find(
    connection: Connection,
    workspace_id: UUID,
    keys: Mapping[Key, Mapping[str, Any]],
    wanted: BoolArray,
    codes: IntArray,
    coming: Coming,
) -> list[Place | Refused | None]:
    """The place of each key, in the order of their numbers; None where no point needs it."""
    known = remembered(workspace_id)
    if wanted.all():
        with suppress(KeyError):
            return [known[key] for key in keys]
    needed = np.zeros(len(keys), np.bool_)
    needed[codes[wanted]] = True
    found: list[Place | Refused | None] = [
        known.get(key) if need else None for key, need in zip(keys, needed.tolist(), strict=True)
    ]
    missing = {
        key: labels
        for (key, labels), need, place in zip(keys.items(), needed.tolist(), found, strict=True)
        if need and place is None
    }
    if missing:
        resolved = await resolve(connection, workspace_id, missing, coming)
        return [place or resolved.get(key) for key, place in zip(keys, found, strict=True)]
    return found


def _refuse(
    batch: PointBatch,
    codes: IntArray,
    places: list[Place | Refused | None],
    usable: BoolArray,
    refused: list[RejectedPoint],
) -> None:
    if not any(isinstance(place, Refused) for place in places):
        return
    bad = np.array([isinstance(place, Refused) for place in places], np.bool_)
    for index in np.flatnonzero(bad[codes] & usable).tolist():
        place = places[codes[index]]
        assert isinstance(place, Refused)
        refused.append(RejectedPoint(place.reason, place.detail, _as_json(batch, index)))


def _ids_of(places: list[Place | Refused | None]) -> IntArray:
    """The series of each place, -1 for what is none."""
    return np.array(
        [place.series_id if isinstance(place, Place) else -1 for place in places], np.int64
    )


def _order(
    places: list[Place | Refused | None], ids: IntArray, locked: IntArray
) -> tuple[list[Place], IntArray]:
    """The series that are there, those of one metric together; and which of them each place is, -1
    for none.
    """
    unique, first, which = np.unique(ids, return_index=True, return_inverse=True)
    at = np.minimum(np.searchsorted(locked, unique), max(0, len(locked) - 1))
    there = np.flatnonzero(locked[at] == unique) if len(locked) else np.empty(0, np.int64)
    numbers = np.array([places[row].metric_number for row in first[there].tolist()], np.int64)
    there = there[np.lexsort((unique[there], numbers))]
    rank = np.full(len(unique), -1, np.int64)
    rank[there] = np.arange(len(there))
    good = [places[row] for row in first[there].tolist()]
    return good, rank[which]


def _arrange(
    batch: PointBatch,
    codes: IntArray,
    places: list[Place | Refused | None],
    ids: IntArray,
    usable: BoolArray,
    stale: BoolArray,
    locked: store.LockedSeries,
) -> Intake:
    good, rank = _order(places, ids, locked.ids)
    series = rank[codes]
    chosen = np.flatnonzero(usable & (series >= 0))
    # Stable: of equal instants the one that came last stays last, and is the one that counts.
    order = chosen[np.lexsort((batch.timestamps[chosen], series[chosen]))]
    series, timestamps = series[order], batch.timestamps[order]
    last = np.ones(len(order), np.bool_)
    last[:-1] = (series[1:] != series[:-1]) | (timestamps[1:] != timestamps[:-1])
    values = batch.values[order]
    repeats = np.flatnonzero(~last)
    corrected = int(np.count_nonzero(values[repeats] != values[repeats + 1]))
    series, timestamps, values = series[last], timestamps[last], values[last]
    row_of = np.searchsorted(locked.ids, np.array([place.series_id for place in good], np.int64))
    newest = locked.newest[row_of]
    ends: dict[int, list[int]] = {}
    for index in np.flatnonzero(stale & (rank[codes] >= 0)).tolist():
        ends.setdefault(int(rank[codes[index]]), []).append(int(batch.timestamps[index]))
    return Intake(
        places=good,
        starts=np.searchsorted(series, np.arange(len(good) + 1)).astype(np.int64),
        timestamps=timestamps,
        values=values,
        newest=newest,
        ended=locked.ended[row_of],
        first_met=locked.created[row_of],
        fresh=timestamps > newest[series],
        arrived=np.zeros(len(timestamps), np.bool_),
        stale={place: sorted(instants) for place, instants in ends.items()},
        distrusted=frozenset(np.flatnonzero(locked.distrusted[row_of] > store.NEVER).tolist()),
        corrected=corrected,
        unchanged=len(repeats) - corrected,
    )


async def _store(connection: Connection, workspace_id: UUID, intake: Intake) -> None:
    ids = np.array([place.series_id for place in intake.places], np.int64)
    series = np.repeat(ids, np.diff(intake.starts))
    late = ~intake.fresh
    if late.any():
        new_series, new_timestamps, corrected = await store.insert_late_points(
            connection, workspace_id, series[late], intake.timestamps[late], intake.values[late]
        )
        new = set(zip(new_series.tolist(), new_timestamps.tolist(), strict=True))
        places = np.flatnonzero(late)
        pairs = zip(series[late].tolist(), intake.timestamps[late].tolist(), strict=True)
        intake.arrived[places] = [pair in new for pair in pairs]
        intake.accepted += len(new)
        intake.corrected += corrected
        intake.unchanged += len(places) - len(new) - corrected
    moved, newest, ended = _newest(intake)
    fresh = intake.fresh
    if moved.any():
        intake.accepted += await store.insert_points(
            connection,
            workspace_id,
            store.PointColumns(series[fresh], intake.timestamps[fresh], intake.values[fresh]),
            store.NewestColumns(ids[moved], newest[moved], ended[moved]),
        )


def _newest(intake: Intake) -> tuple[BoolArray, IntArray, IntArray]:
    """Which series have another newest point or end now, and what these are."""
    filled = intake.starts[1:] > intake.starts[:-1]
    newest = intake.newest.copy()
    newest[filled] = np.maximum(newest[filled], intake.timestamps[intake.starts[1:][filled] - 1])
    ended = np.where(newest > intake.ended, store.NEVER, intake.ended)
    for place, instants in intake.stale.items():
        if instants[-1] >= newest[place]:
            ended[place] = instants[-1]
    return (newest != intake.newest) | (ended != intake.ended), newest, ended
