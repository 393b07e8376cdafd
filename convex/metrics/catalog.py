"""From names to series: which row of `series` a point belongs to, creating what may be created.

Each process remembers the series it has met. A memory can be wrong in one way only: the series is
gone (or was never committed), since slugs and metric names never change. So whoever uses a place
locks its row first, and calls `forget` for the rows that were not there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from convex.db import Connection
from convex.metrics import store
from convex.metrics.mapping import guess_hint
from convex.metrics.model import Labels, MetricHint, Rejection

SERIES_LIMIT = 10_000  # of a workspace that sets none (workspaces.settings.series_limit)
FRAMEWORK_LIMIT = 200  # made by pushing (workspaces.settings.framework_limit)
_REMEMBERED = 500_000  # places in one process, then it starts afresh

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:/-]{0,99}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOST_LABELS, _LONGEST_VALUE, _LONGEST_NAME = 40, 1000, 200

_numbers: dict[UUID, int] = {}


def number_of(metric_id: UUID) -> int:
    """The number of a metric in this process."""
    return _numbers.setdefault(metric_id, len(_numbers))


# Framework, metric, then pairs of label and value in the order in which they came.
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A known series. `metric_number` stands for its metric in this process: whole numbers are
    compared and hashed many times faster than UUIDs.
    """

    series_id: int
    metric_id: UUID
    framework_id: UUID
    labels: Labels
    metric_number: int = field(default=-1, compare=False)

    def __post_init__(self) -> None:
        if self.metric_number < 0:
            object.__setattr__(self, "metric_number", number_of(self.metric_id))


@dataclass(frozen=True, slots=True)
class Refused:
    """Why points of this key cannot be stored."""

    reason: Rejection
    detail: str


@dataclass(frozen=True, slots=True)
class Coming:
    """How a batch comes: when, and what it may make and say about what it makes."""

    now: datetime
    creates_frameworks: bool = False
    hints: Mapping[tuple[str, str], MetricHint] = field(default_factory=dict)


_places: dict[UUID, dict[Key, Place]] = {}
_count = 0


def keys_of(
    frameworks: Sequence[str], metrics: Sequence[str], labels: Sequence[Mapping[str, Any]]
) -> list[Key]:
    """What identifies the series of each point by name.

    Labels in another order make another key of the same series: sorting them at each point would
    cost more than knowing a series by two names.
    """
    if not any(labels):
        return list(zip(frameworks, metrics, strict=True))
    return [
        (framework, metric, *some.items())
        for framework, metric, some in zip(frameworks, metrics, labels, strict=True)
    ]


def labels_hash(labels: Labels) -> bytes:
    """SHA-256 of the labels, whatever their order: what the unique key of `series` compares."""
    return hashlib.sha256(orjson.dumps(dict(labels), option=orjson.OPT_SORT_KEYS)).digest()


def wrong_labels(labels: Mapping[str, Any]) -> str | None:
    """What is wrong with these labels, None if nothing is."""
    if len(labels) > _MOST_LABELS:
        return f"more than {_MOST_LABELS} labels"
    for name, value in labels.items():
        if not isinstance(name, str) or not _LABEL_NAME.fullmatch(name):
            return f"the label name {str(name)[:100]!r} is not made of letters, digits and _.:/-"
        if not isinstance(value, str):
            return f"the label {name!r} is not text"
        if len(value) > _LONGEST_VALUE or "\0" in value:
            return f"the label {name!r} is longer than {_LONGEST_VALUE} or holds a zero byte"
    return None


def remembered(workspace_id: UUID) -> dict[Key, Place]:
    """The places this process knows in a workspace; `resolve` adds to it."""
    return _places.setdefault(workspace_id, {})


def forget(workspace_id: UUID, series_ids: set[int]) -> None:
    """These series do not exist (any more)."""
    places = _places.get(workspace_id, {})
    for key in [key for key, place in places.items() if place.series_id in series_ids]:
        del places[key]


async def resolve(
    connection: Connection,
    workspace_id: UUID,
    wanted: Mapping[Key, Mapping[str, Any]],
    coming: Coming,
) -> dict[Key, Place | Refused]:
    """Look up, or create, the series of each key (with its labels as given).

    Unknown frameworks are refused, or created where the batch may and the workspace allows it
    (`settings.auto_create_frameworks`, up to `settings.framework_limit`); metrics are created
    unless the workspace says otherwise (`settings.auto_create_metrics`), series up to
    `settings.series_limit`. Two writers that meet the same new series agree on it: creation is
    serialised per workspace.
    """
    found: dict[Key, Place | Refused] = {}
    for key, labels in wanted.items():
        if refused := _refusal(key, labels):
            found[key] = refused
    keys = [key for key in wanted if key not in found]
    if keys:
        found |= await _look_up(connection, workspace_id, keys, wanted, coming)
    _remember(workspace_id, found)
    return found


def _refusal(key: Key, labels: Mapping[str, Any]) -> Refused | None:
    framework, metric = key[0], key[1]
    if _CONTROL.search(framework):
        return Refused(Rejection.UNKNOWN_FRAMEWORK, "there is no framework of that slug")
    if not 1 <= len(metric) <= _LONGEST_NAME or _CONTROL.search(metric):
        return Refused(
            Rejection.UNKNOWN_METRIC,
            f"a metric's name has 1 to {_LONGEST_NAME} characters, none of them a control one",
        )
    if wrong := wrong_labels(labels):
        return Refused(Rejection.INVALID_LABELS, wrong)
    return None


async def _look_up(
    connection: Connection,
    workspace_id: UUID,
    keys: Sequence[Key],
    wanted: Mapping[Key, Mapping[str, Any]],
    coming: Coming,
) -> dict[Key, Place | Refused]:
    found: dict[Key, Place | Refused] = {}
    frameworks, limits = await _frameworks(connection, workspace_id, keys, found, coming)
    pairs = {(frameworks[key[0]], key[1]) for key in keys if key not in found}
    metrics = await store.metric_ids(connection, workspace_id, pairs)
    if missing := pairs - metrics.keys():
        limits = limits or await store.lock_limits(connection, workspace_id)
        if limits.auto_create_metrics:
            slugs = {framework: slug for slug, framework in frameworks.items()}
            hints = {
                pair: coming.hints.get((slugs[pair[0]], pair[1]))
                or guess_hint(pair[1], foreign=coming.creates_frameworks)
                for pair in missing
            }
            await store.create_metrics(connection, workspace_id, hints)
            metrics |= await store.metric_ids(connection, workspace_id, missing)
    rows: dict[tuple[UUID, bytes], list[Key]] = {}
    for key in keys:
        if key in found:
            continue
        metric = metrics.get((frameworks[key[0]], key[1]))
        if metric is None:
            found[key] = Refused(
                Rejection.UNKNOWN_METRIC,
                f"the framework {key[0]!r} has no metric {key[1]!r}, and new ones are not created"
                " by pushing here",
            )
        else:
            rows.setdefault((metric, labels_hash(wanted[key])), []).append(key)
    series = await store.series_ids(connection, workspace_id, rows.keys())
    if absent := [row for row in rows if row not in series]:
        limits = limits or await store.lock_limits(connection, workspace_id)
        limit = SERIES_LIMIT if limits.series_limit is None else limits.series_limit
        free = max(0, limit - limits.series)
        series |= await store.series_ids(connection, workspace_id, absent)
        absent = [row for row in absent if row not in series]
        full = Refused(
            Rejection.TOO_MANY_SERIES,
            f"the workspace has {limits.series} series and may have {limit}; an owner raises the"
            " limit, or drops labels with many values by a mapping (/api/v1/ingestion)",
        )
        found |= {key: full for row in absent[free:] for key in rows[row]}
        created = [
            (frameworks[rows[row][0][0]], row[0], row[1], wanted[rows[row][0]])
            for row in absent[:free]
        ]
        await store.create_series(connection, workspace_id, created, coming.now)
        series |= await store.series_ids(connection, workspace_id, absent[:free])
    for row, series_id in series.items():
        for key in rows[row]:
            found[key] = Place(series_id, row[0], frameworks[key[0]], dict(wanted[key]))
    return found


async def _frameworks(
    connection: Connection,
    workspace_id: UUID,
    keys: Sequence[Key],
    found: dict[Key, Place | Refused],
    coming: Coming,
) -> tuple[dict[str, UUID], store.Limits | None]:
    """The frameworks of the keys by slug, created where that is wanted; into `found` what cannot
    be. The limits of the workspace, if they had to be locked.
    """
    slugs = {key[0] for key in keys}
    frameworks = await store.framework_ids(connection, workspace_id, slugs)
    limits: store.Limits | None = None
    missing = slugs - frameworks.keys()
    reason = "there is no framework with the slug {!r}"
    if missing and coming.creates_frameworks:
        limits = await store.lock_limits(connection, workspace_id)
        frameworks = await store.framework_ids(connection, workspace_id, slugs)
        missing = slugs - frameworks.keys()
        limit = FRAMEWORK_LIMIT if limits.framework_limit is None else limits.framework_limit
        free = max(0, limit - limits.frameworks)
        if not limits.auto_create_frameworks:
            reason += ", and new ones are not created by pushing here"
        elif missing:
            new = sorted(missing)[:free]
            await store.create_frameworks(connection, workspace_id, new)
            frameworks |= await store.framework_ids(connection, workspace_id, new)
            missing -= frameworks.keys()
            reason += f", and the workspace makes no more than {limit} by itself"
    for key in keys:
        if key[0] in missing:
            found[key] = Refused(Rejection.UNKNOWN_FRAMEWORK, reason.format(key[0]))
    return frameworks, limits


def _remember(workspace_id: UUID, found: Mapping[Key, Place | Refused]) -> None:
    global _count
    new = {key: place for key, place in found.items() if isinstance(place, Place)}
    _count += len(new)
    if _count > _REMEMBERED:
        _places.clear()
        _count = len(new)
    remembered(workspace_id).update(new)
