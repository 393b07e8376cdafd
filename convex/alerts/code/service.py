"""Planning and applying files. The caller owns the transaction: a plan that fails half-way leaves
nothing behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from convex.alerts import rule_service
from convex.alerts.code import store
from convex.alerts.code.plan import Action, Orphans, Plan, Step, make_plan
from convex.alerts.code.read import read_files
from convex.alerts.code.tree import LONGEST, Problem
from convex.alerts.code.write import write_rules
from convex.alerts.model import RuleDraft
from convex.db import Connection, Identity
from convex.errors import InvalidInput, NotPermitted, PreconditionFailed
from convex.metrics import store as metric_store

_DRAFT = tuple(one.name for one in fields(RuleDraft))
_SHOWN = 50


class StalePlan(PreconditionFailed):
    """What would be written now is not what the plan said."""

    code = "stale_plan"


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done, the triggers that it ended, and their last live event's cursor."""

    plan: Plan
    ended: tuple[UUID, ...] = ()
    cursor: int | None = None


async def plan_files(
    connection: Connection,
    workspace_id: UUID,
    files: Iterable[tuple[str, str]],
    *,
    orphans: Orphans = Orphans.KEEP,
) -> Plan:
    """What files of (name, text) would change; nothing is written."""
    given = list(files)
    if sum(len(text) for _, text in given) > LONGEST:
        raise InvalidInput(f"The files together have more than {LONGEST:,} characters.")
    reading = await asyncio.to_thread(read_files, given)  # YAML takes a second for each 200 kB
    rules = await store.load_rules(connection, workspace_id)
    catalog = await store.load_catalog(connection, workspace_id)
    return make_plan(reading, rules, catalog, orphans)


async def apply_files(
    connection: Connection,
    identity: Identity,
    files: Iterable[tuple[str, str]],
    *,
    now: datetime,
    orphans: Orphans = Orphans.KEEP,
    fingerprint: str | None = None,
) -> Applied:
    """Make the rules what the files say. Files that are applied already write nothing at all.

    Raises `InvalidInput` with every problem of the files, `StalePlan` when a fingerprint is given
    and the plan is another one by now, `PreconditionFailed` when a rule changes meanwhile.
    """
    workspace_id = identity.workspace_id
    if workspace_id is None:
        raise NotPermitted("Rules are applied in one workspace.")
    plan = await plan_files(connection, workspace_id, files, orphans=orphans)
    refuse_problems(plan.problems)
    if fingerprint is not None and fingerprint != plan.fingerprint:
        raise StalePlan(
            "The rules or the files have changed since that plan was made; plan again and look at"
            " the difference."
        )
    if not plan.changes:
        return Applied(plan)
    await _lock_series(connection, workspace_id, plan)
    ended: list[UUID] = []
    cursor: int | None = None
    order = (Action.DELETE, Action.RELEASE, Action.UPDATE, Action.CREATE)
    for step in sorted(plan.changes, key=lambda one: order.index(one.action)):
        saved = await _apply(connection, identity, step, now)
        ended += saved.ended
        cursor = cursor if saved.cursor is None else saved.cursor
    return Applied(plan, tuple(ended), cursor)


async def export_rules(
    connection: Connection,
    workspace_id: UUID,
    *,
    framework_id: UUID | None = None,
    provenance: str | None = None,
) -> str:
    """The rules as a file; planning it again says that nothing changes but the provenance."""
    return write_rules(
        await store.load_rules(
            connection, workspace_id, framework_id=framework_id, provenance=provenance
        )
    )


def refuse_problems(problems: list[Problem]) -> None:
    """Raises `InvalidInput` that lists them, if there are any."""
    if not problems:
        return
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    raise InvalidInput(
        f"{problems[0]}{more}",
        errors=[
            {"loc": [one.file, one.line, one.path], "msg": one.message} for one in problems[:_SHOWN]
        ],
        problems=problems,
    )


async def _lock_series(connection: Connection, workspace_id: UUID, plan: Plan) -> None:
    """All at once and before anything else: as ingestion does, so that they never meet in a circle.

    Ending triggers of several rules one by one would hold the lock on live events while waiting for
    series that an ingesting transaction has, which in turn waits for live events.
    """
    ids = [step.rule.id for step in plan.changes if step.rule is not None]
    if not ids:
        return
    series = await store.series_of_rules(connection, workspace_id, ids)
    if len(series):
        await metric_store.lock_series(connection, workspace_id, series)


async def _apply(
    connection: Connection, identity: Identity, step: Step, now: datetime
) -> rule_service.RuleSaved:
    if step.action is Action.CREATE:
        assert step.draft is not None
        return await rule_service.create_rule(connection, identity, step.draft, now=now)
    assert step.rule is not None
    if step.action is Action.DELETE:
        return await rule_service.delete_rule(
            connection,
            identity,
            step.rule.id,
            now=now,
            expected_version=step.rule.version,
            by_code=True,
        )
    assert step.draft is not None
    return await rule_service.update_rule(
        connection,
        identity,
        step.rule.id,
        {name: getattr(step.draft, name) for name in _DRAFT},
        now=now,
        expected_version=step.rule.version,
        by_code=True,
    )
