"""A batch on its way into the points table: what is refused, which series each point belongs to,
in which order, and which rows are new.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from convex.db import Connection
from convex.errors import Unavailable
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

    `places[i]`, of the series `ids[i]`, owns the points `starts[i]:starts[i + 1]`; series of one
    metric lie together.
    `newest`, `ended` and `first_met` are those of the series before this batch (`store.NEVER` for
    none). `fresh` are points newer than `newest`; the others came late, and `arrived` tells which
    of them were not there. `stale` are the instants at which a series ended, `distrusted` are
    places whose data failed a critical check.
    """

    places: list[Place]
    ids: IntArray
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

    def columns(self) -> store.PointColumns:
        """The points as they are stored."""
        series = np.repeat(self.ids, np.diff(self.starts))
        return store.PointColumns(series, self.timestamps, self.values)


# What can be asked along with storing, in the same pipeline: about these places and their series.
Beside = Callable[[list[Place], IntArray], Awaitable[None]]


async def take_in(
    connection: Connection,
    workspace_id: UUID,
    batch: PointBatch,
    *,
    now: datetime,
    beside: Beside | None = None,
) -> Intake:
    """Store the batch's points; the rows of their series are locked until the transaction ends.

    `beside` sends what else its caller wants to know, without waiting for the answer.
    """
    codes, keys = _number_keys(batch)
    refused = list(batch.unreadable)
    coming = Coming(now, batch.creates_frameworks, batch.hints)
    policy = await policy_of(connection, workspace_id)
    usable, stale = _check(batch, now, policy, refused)
    met: store.LockedSeries | None = None
    for _ in range(_ATTEMPTS):
        places = await _find(connection, workspace_id, keys, usable | stale, codes, coming)
        intake = _arrange(batch, codes, places, usable, stale)
        if not intake.places:
            break
        moves, points = _moves(intake), intake.columns()
        async with connection.pipeline():
            taking = await store.send_points(connection, workspace_id, moves, points)
            if beside is not None:
                await beside(intake.places, intake.ids)
        locked, stored = await taking.read()
        if met is not None:  # an attempt before has moved them already
            locked = locked.overridden(met)
        if len(locked.ids) == len(moves.series):
            await _settle(connection, workspace_id, intake, locked, stored)
            break
        met = locked
        forget(workspace_id, set(np.setdiff1d(moves.series, locked.ids).tolist()))
    else:
        raise Unavailable("Series of this batch are being deleted; send it again.")
    _refuse(batch, codes, places, usable | stale, refused)
    intake.rejected = refused
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


def _order(
    places: list[Place | Refused | None],
) -> tuple[list[Place], IntArray, IntArray]:
    """The series that are there, those of one metric together, with their ids; and which of them
    each place is, -1 for none.
    """
    ids = np.array(
        [place.series_id if isinstance(place, Place) else -1 for place in places], np.int64
    )
    unique, first, which = np.unique(ids, return_index=True, return_inverse=True)
    there = np.flatnonzero(unique >= 0)
    numbers = np.array([places[row].metric_number for row in first[there].tolist()], np.int64)
    if len(numbers) and (numbers != numbers[0]).any():
        there = there[np.lexsort((unique[there], numbers))]
    rank = np.full(len(unique), -1, np.int64)
    rank[there] = np.arange(len(there))
    good = [places[row] for row in first[there].tolist()]
    return good, unique[there], rank[which]


def _arrange(
    batch: PointBatch,
    codes: IntArray,
    places: list[Place | Refused | None],
    usable: BoolArray,
    stale: BoolArray,
) -> Intake:
    """The batch by series and in order of time, before anything is known of its series."""
    good, ids, rank = _order(places)
    series = rank[codes]
    wanted = usable & (series >= 0)
    timestamps, values = batch.timestamps, batch.values
    corrected = repeated = 0
    if not wanted.all():
        chosen = np.flatnonzero(wanted)
        series, timestamps, values = series[chosen], timestamps[chosen], values[chosen]
    if not _is_arranged(series, timestamps):
        # Stable: of equal instants the one that came last stays last, and is the one that counts.
        order = np.lexsort((timestamps, series))
        series, timestamps, values = series[order], timestamps[order], values[order]
        repeats = (series[1:] == series[:-1]) & (timestamps[1:] == timestamps[:-1])
        if repeats.any():
            last = np.append(~repeats, np.True_)
            repeated = int(np.count_nonzero(repeats))
            corrected = int(np.count_nonzero(repeats & (values[1:] != values[:-1])))
            series, timestamps, values = series[last], timestamps[last], values[last]
    ends: dict[int, list[int]] = {}
    if stale.any():
        for index in np.flatnonzero(stale & (rank[codes] >= 0)).tolist():
            ends.setdefault(int(rank[codes[index]]), []).append(int(batch.timestamps[index]))
    never = np.full(len(good), store.NEVER, np.int64)
    return Intake(
        places=good,
        ids=ids,
        starts=np.searchsorted(series, np.arange(len(good) + 1)).astype(np.int64),
        timestamps=timestamps,
        values=values,
        newest=never,
        ended=never,
        first_met=never,
        fresh=np.ones(len(timestamps), np.bool_),
        arrived=np.zeros(len(timestamps), np.bool_),
        stale={place: sorted(instants) for place, instants in ends.items()},
        corrected=corrected,
        unchanged=repeated - corrected,
    )


def _is_arranged(series: IntArray, timestamps: IntArray) -> bool:
    """Whether they are by series and in order of time, without repeats."""
    later = timestamps[1:] > timestamps[:-1]
    return bool(((series[1:] > series[:-1]) | ((series[1:] == series[:-1]) & later)).all())


def _moves(intake: Intake) -> store.Moves:
    """What the batch has of each series."""
    begin, end = intake.starts[:-1], intake.starts[1:]
    ends = np.full(len(begin), store.NEVER, np.int64)
    for place, instants in intake.stale.items():
        ends[place] = instants[-1]
    if (end > begin).all():
        firsts, lasts = intake.timestamps[begin], intake.timestamps[end - 1]
    else:
        filled = end > begin
        firsts = np.full(len(begin), store.FOREVER, np.int64)
        lasts = np.full(len(begin), store.NEVER, np.int64)
        firsts[filled] = intake.timestamps[begin[filled]]
        lasts[filled] = intake.timestamps[end[filled] - 1]
    ids = intake.ids
    if (ids[1:] > ids[:-1]).all():
        return store.Moves(ids, firsts, lasts, ends)
    order = np.argsort(ids)
    return store.Moves(ids[order], firsts[order], lasts[order], ends[order])


async def _settle(
    connection: Connection,
    workspace_id: UUID,
    intake: Intake,
    before: store.LockedSeries,
    stored: bool,
) -> None:
    """Note what the series were before the batch, and store what is not stored."""
    row_of = np.searchsorted(before.ids, intake.ids)
    intake.newest, intake.ended = before.newest[row_of], before.ended[row_of]
    intake.first_met = before.created[row_of]
    distrusted = before.distrusted[row_of] > store.NEVER
    intake.distrusted = frozenset(np.flatnonzero(distrusted).tolist())
    if stored:
        intake.accepted += len(intake.timestamps)
        return
    intake.fresh = intake.timestamps > intake.newest[intake.series_of_points()]
    points, late = intake.columns(), ~intake.fresh
    if late.any():
        new_series, new_timestamps, corrected = await store.insert_late_points(
            connection, workspace_id, points.of(late)
        )
        new = set(zip(new_series.tolist(), new_timestamps.tolist(), strict=True))
        places = np.flatnonzero(late)
        pairs = zip(points.series[late].tolist(), points.timestamps[late].tolist(), strict=True)
        intake.arrived[places] = [pair in new for pair in pairs]
        intake.accepted += len(new)
        intake.corrected += corrected
        intake.unchanged += len(places) - len(new) - corrected
    if intake.fresh.any():
        fresh = points.of(intake.fresh)
        await store.insert_points(connection, workspace_id, fresh)
        intake.accepted += len(fresh.series)
