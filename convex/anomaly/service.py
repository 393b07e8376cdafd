"""Score points where they are ingested: detectors kept in memory, behind them snapshots, behind
these the points themselves.

A detector in memory may only go on if it holds exactly the points that are stored. It does not when
another process took points in, when the transaction that it last learnt in was rolled back, or when
a point came late. Then it is built again: from its snapshot, and the points since. So neither a
restart nor a second replica changes a score.

A point that comes late, behind others that were scored already, is not scored by `score_points`. It
is part of what a later rebuild learns only if no snapshot reaches beyond it; `relearn` makes it so.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from convex.anomaly import store
from convex.anomaly.model import LEARNING, Explanation, Score
from convex.anomaly.novelty import Novelty, update_many
from convex.db import Connection
from convex.metrics.model import FloatArray, IntArray

SAVE_EVERY = 256  # points between snapshots of a series: what a restart replays at most
_OFF_THE_LOOP = 400  # updates from which the work leaves the event loop
_NEVER = -(2**62)


@dataclass(frozen=True, slots=True)
class SeriesPoints:
    """Stored points of one series in order of time, and the newest one before them (None: there
    was none). Timestamps are microseconds UTC.
    """

    series_id: int
    timestamps: IntArray
    values: FloatArray
    newest_before: int | None


@dataclass(slots=True)
class Scored:
    """A score for each point, and why, for those that are unusual at some sensitivity."""

    scores: list[Score]
    explanations: dict[int, Explanation] = field(default_factory=dict)  # by position


@dataclass(slots=True)
class _Kept:
    detector: Novelty
    transaction: int | None  # in which it learnt last; None once that is known to be committed
    unsaved: int = 0


class Detectors:
    """The detectors of one process, the least recently used ones dropped beyond `capacity`."""

    def __init__(self, capacity: int = 20_000) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[int, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    async def score_points(
        self,
        connection: Connection,
        workspace_id: UUID,
        series: Sequence[SeriesPoints],
    ) -> dict[int, Scored]:
        """Score new points, by series, in the caller's transaction, which has stored them already
        and holds the locks on their series. Snapshots are saved in it from time to time.
        """
        doubtful = {
            kept.transaction
            for one in series
            if (kept := self._kept.get(one.series_id)) is not None and kept.transaction is not None
        }
        now, committed = await store.begin(connection, sorted(doubtful))
        work = [one for one in series if len(one.timestamps)]
        folds = await self._prepare(connection, workspace_id, work, now, committed)
        found = await _fold_somewhere(work, folds)
        await self._remember(connection, workspace_id, folds, now)
        return found

    async def relearn(
        self, connection: Connection, workspace_id: UUID, series: Sequence[SeriesPoints]
    ) -> dict[int, Scored]:
        """Score all points of these series again from the first one on, since some came late: as if
        all had come in time. They are what is known of the series afterwards.
        """
        ids = [one.series_id for one in series]
        for series_id in ids:
            self._kept.pop(series_id, None)
        await store.invalidate(connection, workspace_id, ids)
        return await self.score_points(connection, workspace_id, series)

    async def score_aside(
        self, connection: Connection, workspace_id: UUID, series: Sequence[SeriesPoints]
    ) -> dict[int, Scored]:
        """Score all points of these series from the first one on and remember nothing: also for
        those who hold no lock on them.
        """
        origins = await store.load_origins(
            connection, workspace_id, [one.series_id for one in series], Novelty.method
        )
        fresh = {one.series_id: Novelty(one.zone, counter=one.counter) for one in origins}
        folds: dict[int, _Fold] = {
            one.series_id: (fresh[one.series_id], one.timestamps, one.values)
            for one in series
            if one.series_id in fresh
        }
        return await _fold_somewhere(series, folds)

    async def _prepare(
        self,
        connection: Connection,
        workspace_id: UUID,
        series: Sequence[SeriesPoints],
        now: int,
        committed: set[int],
    ) -> dict[int, _Fold]:
        """A detector for each series, with the points that it has still to learn."""
        folds: dict[int, _Fold] = {}
        missing: list[SeriesPoints] = []
        for one in series:
            kept = self._kept.get(one.series_id)
            if kept is not None and (
                kept.transaction is None or kept.transaction == now or kept.transaction in committed
            ):
                kept.transaction = None if kept.transaction in committed else kept.transaction
                if kept.detector.reaches == one.newest_before:
                    folds[one.series_id] = (kept.detector, one.timestamps, one.values)
                    continue
            self._kept.pop(one.series_id, None)
            missing.append(one)
        if missing:
            folds |= await self._rebuild(connection, workspace_id, missing)
        return folds

    async def _rebuild(
        self,
        connection: Connection,
        workspace_id: UUID,
        series: Sequence[SeriesPoints],
    ) -> dict[int, _Fold]:
        ids = [one.series_id for one in series]
        origins = await store.load_origins(connection, workspace_id, ids, Novelty.method)
        detectors: dict[int, Novelty] = {}
        for origin in origins:
            detectors[origin.series_id] = _from_origin(origin)
        known = [one for one in series if one.series_id in detectors]
        if not known:
            return {}
        points = await store.read_points(
            connection,
            np.array([one.series_id for one in known], np.int64),
            np.array([_reach(detectors[one.series_id]) for one in known], np.int64),
            np.array([one.timestamps[-1] for one in known], np.int64),
        )
        nothing = (np.empty(0, np.int64), np.empty(0, np.float64))
        return {
            one.series_id: (detectors[one.series_id], *points.get(one.series_id, nothing))
            for one in known
        }

    async def _remember(
        self,
        connection: Connection,
        workspace_id: UUID,
        folds: dict[int, _Fold],
        now: int,
    ) -> None:
        due: list[store.Snapshot] = []
        for series_id, (detector, timestamps, _) in folds.items():
            kept = self._kept.get(series_id)
            if kept is None or kept.detector is not detector:
                kept = self._kept[series_id] = _Kept(detector, now)
            kept.transaction = now
            kept.unsaved += len(timestamps)
            self._kept.move_to_end(series_id)
            reaches = detector.reaches
            if kept.unsaved >= SAVE_EVERY and reaches is not None:
                kept.unsaved = 0
                due.append(store.Snapshot(series_id, reaches, detector.dump()))
        if due:
            await store.save_snapshots(
                connection, workspace_id, Novelty.method, Novelty.format, due
            )
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)


_Fold = tuple[Novelty, IntArray, FloatArray]


def _from_origin(origin: store.Origin) -> Novelty:
    if origin.state is not None and origin.format == Novelty.format:
        return Novelty.load(origin.state, origin.zone)
    return Novelty(origin.zone, counter=origin.counter)


def _reach(detector: Novelty) -> int:
    return _NEVER if detector.reaches is None else detector.reaches


async def _fold_somewhere(
    series: Sequence[SeriesPoints], folds: dict[int, _Fold]
) -> dict[int, Scored]:
    """`_fold`, off the event loop where it takes long."""
    updates = sum(len(timestamps) for _, timestamps, _ in folds.values())
    if updates > _OFF_THE_LOOP:
        return await asyncio.to_thread(_fold, series, folds)
    return _fold(series, folds)


def _fold(series: Sequence[SeriesPoints], folds: dict[int, _Fold]) -> dict[int, Scored]:
    """Learn all points; say something about those asked for. Series with one point each go through
    the search together.
    """
    found: dict[int, Scored] = {}
    single: list[tuple[SeriesPoints, Novelty, int, float]] = []
    for one in series:
        fold = folds.get(one.series_id)
        if fold is None:
            found[one.series_id] = Scored([LEARNING] * len(one.timestamps))
            continue
        detector, timestamps, values = fold
        if (
            isinstance(detector, Novelty)
            and len(one.timestamps) == 1
            and np.array_equal(timestamps, one.timestamps)
        ):
            single.append((one, detector, int(timestamps[0]), float(values[0])))
            continue
        found[one.series_id] = _fold_one(one, detector, timestamps, values)
    scores = update_many(
        [detector for _, detector, _, _ in single],
        [instant for _, _, instant, _ in single],
        [value for _, _, _, value in single],
    )
    for (one, detector, _, _), score in zip(single, scores, strict=True):
        scored = found[one.series_id] = Scored([score])
        if score.unusual and (why := detector.explain()) is not None:
            scored.explanations[0] = why
    return found


def _fold_one(
    one: SeriesPoints, detector: Novelty, timestamps: IntArray, values: FloatArray
) -> Scored:
    asked = {instant: position for position, instant in enumerate(one.timestamps.tolist())}
    scored = Scored([LEARNING] * len(asked))
    for instant, value in zip(timestamps.tolist(), values.tolist(), strict=True):
        score = detector.update(instant, value)
        position = asked.get(instant)
        if position is not None:
            scored.scores[position] = score
            if score.unusual and (why := detector.explain()) is not None:
                scored.explanations[position] = why
    return scored
