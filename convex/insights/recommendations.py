"""Recommendations at work: proposing them, deciding about them, measuring what came of them. The
caller owns the transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from convex.alerts import rehearsal, rule_store
from convex.analytics.noise import noise
from convex.db import Connection, Identity
from convex.errors import Conflict, ConvexError, InvalidInput, PreconditionFailed
from convex.insights import applying, fact_store, proposals
from convex.insights import recommendation_store as store
from convex.insights.model import Insight
from convex.insights.recommendation import (
    Origin,
    Proposal,
    Recommendation,
    State,
    distinct,
    measure,
)
from convex.scoring import service as scoring

_COMPUTED = (Origin.TUNING, Origin.NOISE, Origin.QUALITY, Origin.HEALTH)
_TUNED_DAYS, _NOISE_DAYS = 90, 30
_LEAST_TRIGGERS, _MOST_TUNED = 5, 6
_AGAIN_AFTER = timedelta(days=30)  # what was dismissed may be proposed again
_ADVICE_KEPT = timedelta(days=14)
_MEASURED_FROM, _MEASURED_UNTIL = timedelta(days=7), timedelta(days=63)
_BEFORE = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Decided:
    """The recommendation after a decision, and the live cursor if alerts were ended by it."""

    recommendation: Recommendation
    cursor: int | None = None


async def propose(connection: Connection, workspace_id: UUID, *, now: datetime) -> list[Proposal]:
    """What tuning, noise, quality and health have to say now, the best first. Reads only.

    Takes seconds where rules are tuned: it replays the busiest of them.
    """
    found: list[Proposal] = []
    if await fact_store.marts_exist(connection):
        report = await noise(connection, today=now.date(), days=_NOISE_DAYS, limit=50)
        for rule in report["never_acknowledged"]:
            made = proposals.from_noise(rule, _NOISE_DAYS)
            if made is not None:
                found.append(made)
    for run in await store.failing_checks(connection, workspace_id):
        found += proposals.from_quality(run)
    for framework in await fact_store.list_frameworks(connection, workspace_id):
        health = await scoring.current_health(connection, workspace_id, framework["id"], now)
        found += proposals.from_health(
            framework["id"], framework["name"], scoring.health_json(health)
        )
    found += await _tunings(connection, workspace_id, now)
    return distinct(found)


async def _tunings(connection: Connection, workspace_id: UUID, now: datetime) -> list[Proposal]:
    since = now - timedelta(days=_TUNED_DAYS)
    found = []
    for rule_id in await store.busiest_rules(
        connection, workspace_id, since, least=_LEAST_TRIGGERS, limit=_MOST_TUNED
    ):
        rule = await rule_store.get_rule(connection, workspace_id, rule_id)
        try:
            tuning = await rehearsal.tune_rule(
                connection, workspace_id, rule_id, since=since, until=now
            )
        except ConvexError:  # too many points to replay, or it took too long
            continue
        made = proposals.from_tuning(rule, tuning)
        if made is not None:
            found.append(made)
    return found


async def save(
    connection: Connection, workspace_id: UUID, found: Iterable[Proposal], *, now: datetime
) -> int:
    """Keep what `propose` found, and drop what it does not find any more; how many are open."""
    kept = list(found)
    for proposal in kept:
        await store.save_proposal(
            connection, workspace_id, proposal, again_before=now - _AGAIN_AFTER
        )
    await store.drop_outdated(
        connection,
        workspace_id,
        [origin.value for origin in _COMPUTED],
        [proposal.fingerprint for proposal in kept],
    )
    await store.drop_old_advice(connection, workspace_id, now - _ADVICE_KEPT)
    await store.rank_again(connection, workspace_id)
    return len(kept)


async def save_advice(
    connection: Connection, workspace_id: UUID, insight: Insight, *, now: datetime
) -> None:
    """Keep what Claude recommends in an insight."""
    for proposal in proposals.from_insight(insight):
        await store.save_proposal(
            connection, workspace_id, proposal, again_before=now - _AGAIN_AFTER
        )


async def accept(
    connection: Connection,
    identity: Identity,
    recommendation_id: UUID,
    *,
    note: str = "",
    now: datetime,
    expected_version: int | None = None,
) -> Decided:
    """Do it. Raises `Conflict` unless it is open, and what `applying.apply` raises."""
    found = await _take(connection, identity, recommendation_id, expected_version)
    _expect(found, State.OPEN)
    change = await applying.apply(connection, identity, found, now=now)
    await store.decide(
        connection,
        found.id,
        state=State.ACCEPTED,
        note=note,
        by=identity.user_id,
        at=now,
        applied=change.applied,
    )
    return await _decided(connection, identity, found.id, change.cursor)


async def dismiss(
    connection: Connection,
    identity: Identity,
    recommendation_id: UUID,
    *,
    reason: str,
    now: datetime,
    expected_version: int | None = None,
) -> Decided:
    """Not worth it; why is asked for. Raises `Conflict` unless it is open, `InvalidInput`."""
    if not reason.strip():
        raise InvalidInput("Say why, so that nobody has to think it over again.", field="reason")
    found = await _take(connection, identity, recommendation_id, expected_version)
    _expect(found, State.OPEN)
    await store.decide(
        connection,
        found.id,
        state=State.DISMISSED,
        note=reason,
        by=identity.user_id,
        at=now,
        applied=None,
    )
    return await _decided(connection, identity, found.id)


async def finish(
    connection: Connection,
    identity: Identity,
    recommendation_id: UUID,
    *,
    note: str = "",
    now: datetime,
    expected_version: int | None = None,
) -> Decided:
    """It has been done by hand, accepted before or not. Raises `Conflict` when it is not to do."""
    found = await _take(connection, identity, recommendation_id, expected_version)
    _expect(found, State.OPEN, State.ACCEPTED)
    await store.decide(
        connection,
        found.id,
        state=State.DONE,
        note=note or found.note,
        by=identity.user_id,
        at=found.decided_at or now,
        applied=found.applied or {"kind": "by_hand"},
    )
    return await _decided(connection, identity, found.id)


async def undo(
    connection: Connection,
    identity: Identity,
    recommendation_id: UUID,
    *,
    now: datetime,
    expected_version: int | None = None,
) -> Decided:
    """Take a decision back, and what it changed with it; the recommendation is open again.

    Raises `Conflict` when it is open, or when what it changed has been changed again.
    """
    found = await _take(connection, identity, recommendation_id, expected_version)
    if found.state is State.OPEN:
        raise Conflict("Nothing has been decided about this recommendation.")
    change = applying.Change({})
    if found.applied is not None:
        change = await applying.take_back(connection, identity, found.applied, now=now)
    await store.decide(
        connection, found.id, state=State.OPEN, note="", by=None, at=None, applied=None
    )
    return await _decided(connection, identity, found.id, change.cursor)


async def measure_effects(connection: Connection, workspace_id: UUID, *, now: datetime) -> int:
    """Hold accepted changes of rules against what they promised, a week after them and on; how
    many were measured.
    """
    accepted = await store.list_applied(
        connection, workspace_id, now - _MEASURED_UNTIL, now - _MEASURED_FROM
    )
    for one in accepted:
        assert one.rule_id is not None
        assert one.decided_at is not None
        # A mute keeps messages back; the alerts go on.
        muted = (one.applied or {}).get("kind") in ("mute_window", "inhibition_rule")
        pages = muted or "pages_saved_a_week" in one.effect
        count = store.count_pages if pages else store.count_triggers
        at = one.decided_at
        before = await count(connection, workspace_id, one.rule_id, at - _BEFORE, at)
        after = await count(connection, workspace_id, one.rule_id, at, now)
        found = measure(
            before=before / (_BEFORE.days / 7),
            events=after,
            days=(now - at) / timedelta(days=1),
            promised=_promised(one.effect),
        )
        what = "pages" if pages else "triggers"
        await store.save_measured(connection, one.id, {"of": what, "measured_at": now, **found})
    return len(accepted)


def _promised(effect: Any) -> float | None:
    if "triggers_a_week_then" in effect:
        return float(effect["triggers_a_week_then"])
    return 0.0 if "pages_saved_a_week" in effect else None


async def _take(
    connection: Connection, identity: Identity, recommendation_id: UUID, version: int | None
) -> Recommendation:
    assert identity.workspace_id is not None
    found = await store.get_recommendation(
        connection, identity.workspace_id, recommendation_id, lock=True
    )
    if version is not None and found.version != version:
        raise PreconditionFailed(
            f"The recommendation is at version {found.version}, not {version}; read it again."
        )
    return found


def _expect(found: Recommendation, *states: State) -> None:
    if found.state not in states:
        raise Conflict(f"The recommendation is {found.state.value} already.")


async def _decided(
    connection: Connection, identity: Identity, recommendation_id: UUID, cursor: int | None = None
) -> Decided:
    assert identity.workspace_id is not None
    after = await store.get_recommendation(connection, identity.workspace_id, recommendation_id)
    return Decided(after, cursor)
