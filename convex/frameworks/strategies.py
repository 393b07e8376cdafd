"""What may be done with strategies: add a version, compare two, judge one. The caller owns the
transaction; its identity decides.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from convex.db import Connection, Identity
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import Conflict, InvalidInput, NotFound
from convex.frameworks import strategy_store as store
from convex.frameworks.diff import DocumentDiff, compare
from convex.frameworks.rubric import judge
from convex.frameworks.strategy import ScoredBy, StrategyScore, StrategyVersion, SubScores

LONGEST_DOCUMENT = 200_000
_RECENT = timedelta(days=7)


async def add_version(
    connection: Connection,
    identity: Identity,
    framework_id: UUID,
    *,
    document: str,
    note: str = "",
) -> StrategyVersion:
    """The next version. Raises `Conflict` when it says the same as the newest one."""
    assert identity.workspace_id is not None
    if not document.strip() or len(document) > LONGEST_DOCUMENT:
        raise InvalidInput(
            f"A strategy's document has 1 to {LONGEST_DOCUMENT} characters.", parameter="document"
        )
    await store.lock_framework(connection, identity.workspace_id, framework_id)
    newest = await store.find_version(connection, framework_id, None)
    if newest is not None and newest.document == document:
        raise Conflict(f"Version {newest.number} says exactly this already.")
    number = 1 if newest is None else newest.number + 1
    await store.insert_version(
        connection,
        identity.workspace_id,
        framework_id,
        number=number,
        document=document,
        note=note,
        author_id=identity.user_id,
    )
    return await get_version(connection, framework_id, number)


async def get_version(
    connection: Connection, framework_id: UUID, number: int | None = None
) -> StrategyVersion:
    """By number, or the newest. Raises `NotFound`."""
    found = await store.find_version(connection, framework_id, number)
    if found is None:
        which = "a strategy" if number is None else f"version {number} of a strategy"
        raise NotFound(f"This framework does not have {which}.")
    return found


async def list_versions(
    connection: Connection, framework_id: UUID, *, cursor: str | None = None, limit: int = 50
) -> Page[StrategyVersion]:
    """The newest first."""
    after = decode_cursor(cursor, int)
    before = None if after is None else int(str(after[0]))
    found = await store.select_versions(connection, framework_id, before, limit + 1)
    items = found[:limit]
    return Page(items, encode_cursor(items[-1].number) if len(found) > limit else None)


async def compare_versions(
    connection: Connection, framework_id: UUID, old: int, new: int
) -> tuple[str, str]:
    """The two documents, the old one first; version 0 is the empty one. Raises `NotFound`."""
    texts = []
    for number in (old, new):
        if number == 0:
            texts.append("")
        else:
            texts.append((await get_version(connection, framework_id, number)).document)
    return texts[0], texts[1]


def diff_of(documents: tuple[str, str], old: int, new: int) -> DocumentDiff:
    """What changed; may take a second for long documents, so not on an event loop."""
    return compare(*documents, f"version {old}", f"version {new}")


async def score_by_hand(
    connection: Connection,
    identity: Identity,
    framework_id: UUID,
    *,
    version: int | None,
    sub_scores: SubScores,
    rationale: str,
) -> StrategyScore:
    """A person's judgement of a version (the newest by default); why is asked for."""
    assert identity.workspace_id is not None
    return await store.insert_score(
        connection,
        identity.workspace_id,
        await get_version(connection, framework_id, version),
        sub_scores=sub_scores,
        scored_by=ScoredBy.HAND,
        rationale=rationale,
        evidence={},
        author_id=identity.user_id,
    )


async def score_by_rubric(
    connection: Connection,
    identity: Identity,
    framework_id: UUID,
    *,
    version: int | None,
    now: datetime,
) -> StrategyScore:
    """The rubric's judgement of a version (the newest by default), with its evidence."""
    assert identity.workspace_id is not None
    chosen = await get_version(connection, framework_id, version)
    known = await store.known_metrics(connection, framework_id, now - _RECENT)
    judgement = await asyncio.to_thread(judge, chosen.document, known)
    return await store.insert_score(
        connection,
        identity.workspace_id,
        chosen,
        sub_scores=judgement.sub_scores,
        scored_by=ScoredBy.RUBRIC,
        rationale=judgement.rationale(),
        evidence=judgement.evidence(),
        author_id=identity.user_id,
    )


async def list_scores(
    connection: Connection,
    framework_id: UUID,
    *,
    version: int | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[StrategyScore]:
    """The history of judgements, the newest first; of one version where it is given."""
    after = decode_cursor(cursor, datetime, UUID)
    before = None if after is None else (str(after[0]), str(after[1]))
    found = await store.select_scores(connection, framework_id, version, before, limit + 1)
    items = found[:limit]
    more = len(found) > limit
    return Page(items, encode_cursor(items[-1].created_at, items[-1].id) if more else None)
