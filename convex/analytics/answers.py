"""The answers of /analytics as they are kept in the cache: their names, keys and bytes.

Requests and the flow that warms the cache ask the same `Question`s, so that what is kept is what is
asked for. An answer is of one UTC day, because its window ends with that day.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from convex.analytics import read
from convex.analytics.build import Period
from convex.analytics.export import Report
from convex.cache import Area, Cache
from convex.db import Connection, Identity

Open = Callable[[], AbstractAsyncContextManager[Connection]]

_WARM_DAYS = (7, 30, 90)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; `key` tells apart what may have different answers."""

    report: Report
    key: str
    compute: Callable[[Connection], Awaitable[Mapping[str, Any]]]

    @property
    def cache(self) -> str:
        """The name of its answers, in keys and in metrics."""
        return f"analytics_{self.report}"


def summary(today: date, days: int = 30, framework_id: UUID | None = None) -> Question:
    """`read.summary`."""
    return Question(
        "summary",
        f"{today} {days} {framework_id}",
        lambda db: read.summary(db, today=today, days=days, framework_id=framework_id),
    )


def trends(
    today: date, period: Period = "daily", days: int = 30, framework_id: UUID | None = None
) -> Question:
    """`read.trends`."""
    return Question(
        "trends",
        f"{today} {period} {days} {framework_id}",
        lambda db: read.trends(
            db, today=today, period=period, days=days, framework_id=framework_id
        ),
    )


def performance(today: date, days: int = 30) -> Question:
    """`read.performance`."""
    return Question(
        "performance", f"{today} {days}", lambda db: read.performance(db, today=today, days=days)
    )


def distribution(
    today: date, days: int = 30, framework_id: UUID | None = None, timezone: str = "UTC"
) -> Question:
    """`read.distribution`."""
    return Question(
        "distribution",
        f"{today} {days} {framework_id} {timezone}",
        lambda db: read.distribution(
            db, today=today, days=days, framework_id=framework_id, timezone=timezone
        ),
    )


def noise(today: date, identity: Identity, days: int = 30, limit: int = 20) -> Question:
    """`read.noise`, which counts what the one who asks may see of the notifications."""
    return Question(
        "noise",
        f"{today} {days} {limit} {identity.role} {identity.user_id}",
        lambda db: read.noise(db, today=today, days=days, limit=limit),
    )


def usual(today: date) -> list[Question]:
    """What a dashboard asks first: the same for everybody in a workspace."""
    questions = [
        question
        for days in _WARM_DAYS
        for question in (
            summary(today, days),
            trends(today, "daily", days),
            performance(today, days),
            distribution(today, days),
        )
    ]
    return [*questions, trends(today, "weekly", 90), trends(today, "monthly", 365)]


async def answer(connection: Connection, question: Question) -> bytes:
    """The answer as JSON, from the marts as they are now."""
    found = await question.compute(connection)
    return orjson.dumps(found, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


async def kept_answer(
    cache: Cache, workspace_id: UUID, question: Question, open_connection: Open
) -> bytes:
    """The answer that is kept, or a new one, which is then kept until the marts change."""

    async def load() -> bytes:
        async with open_connection() as connection:
            return await answer(connection, question)

    return await cache.get(question.cache, workspace_id, question.key, load, area=Area.STATISTICS)


async def refresh(
    cache: Cache, workspace_id: UUID, open_connection: Open, today: date
) -> Refreshed:
    """Compute what is usual and keep it, so that the next dashboard finds all of it."""
    found = await _look(cache, workspace_id, open_connection, today)
    for question, value in found.answers:
        await cache.put(question.cache, workspace_id, question.key, value, area=Area.STATISTICS)
    return Refreshed(len(found.answers), found.wrong)


async def check(cache: Cache, workspace_id: UUID, open_connection: Open, today: date) -> Refreshed:
    """Hold what is kept against what the marts say now, and forget it all when it differs."""
    found = await _look(cache, workspace_id, open_connection, today)
    return Refreshed(found.kept, found.wrong)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How many answers were looked at, and how many of those that were kept were wrong."""

    answers: int
    wrong: int


@dataclass(frozen=True, slots=True)
class _Look:
    answers: list[tuple[Question, bytes]]
    kept: int
    wrong: int


async def _look(cache: Cache, workspace_id: UUID, open_connection: Open, today: date) -> _Look:
    """A kept answer that the marts would not give means that a change went unnoticed (Redis was
    away when it was told). Then the area is forgotten.
    """
    answers, kept_ones, wrong = [], 0, 0
    for question in usual(today):
        kept = await cache.peek(question.cache, workspace_id, question.key)
        async with open_connection() as connection:
            value = await answer(connection, question)
        answers.append((question, value))
        kept_ones += kept is not None
        wrong += kept is not None and kept != value
    if wrong:
        await cache.forget(workspace_id, Area.STATISTICS)
    return _Look(answers, kept_ones, wrong)
