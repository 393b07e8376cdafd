"""The nightly run of one workspace: what to write, by one batch where there is a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from convex.insights import fact_store, service, store
from convex.insights.claude import Answer, CallFailed, Claude
from convex.insights.converse import Outcome, converse
from convex.insights.evidence import digest_pack, framework_pack
from convex.insights.model import Fallback, Insight, Kind, read_pack
from convex.insights.prices import find_prices
from convex.insights.prompts import VERSION, Prompt, write_prompt
from convex.settings import InsightSettings

DIGEST_EVERY = timedelta(days=6, hours=12)
_GIVEN_UP = timedelta(hours=26)  # a batch ends within 24


@dataclass(slots=True)
class Night:
    """What a run has brought so far."""

    insights: list[Insight] = field(default_factory=list)
    submitted: int = 0
    batch_id: str | None = None


async def run(
    transact: service.Transact,
    claude: Claude | None,
    settings: InsightSettings,
    workspace_id: UUID,
    *,
    now: datetime,
) -> Night:
    """Write what is due in a workspace, or hand it in."""
    return await begin(
        transact, claude, settings, await orders(transact, workspace_id, now=now), now=now
    )


async def orders(
    transact: service.Transact, workspace_id: UUID, *, now: datetime
) -> list[service.Order]:
    """An insight for each framework, and the digest when the last is a week old."""
    found = []
    async with transact() as connection:
        for framework in await fact_store.list_frameworks(connection, workspace_id):
            pack = await framework_pack(connection, workspace_id, framework["id"], now=now)
            found.append(service.Order(workspace_id, pack, framework_id=framework["id"]))
        last = await store.newest_insight_at(connection, workspace_id, Kind.DIGEST)
        if found and (last is None or now - last >= DIGEST_EVERY):
            pack = await digest_pack(connection, workspace_id, now=now)
            found.append(service.Order(workspace_id, pack))
    return found


async def begin(
    transact: service.Transact,
    claude: Claude | None,
    settings: InsightSettings,
    wanted: Sequence[service.Order],
    *,
    now: datetime,
) -> Night:
    """Write what can be written now; with a key hand the rest in as one batch."""
    night = Night()
    if claude is None or not settings.batch:
        for order in wanted:
            night.insights.append(await service.write(transact, claude, settings, order, now=now))
        return night
    waiting: dict[str, tuple[service.Order, service.Reserved]] = {}
    out = await _out(transact, wanted)
    for order in wanted:
        if order.pack.fingerprint(VERSION, order.model(settings)) in out:
            night.submitted += 1
            continue
        known = await service.find_known(transact, claude, settings, order, now=now)
        if known is not None:
            night.insights.append(known)
            continue
        reserved = await service.prepare(transact, claude, settings, order, now=now, batch=True)
        if reserved is None:  # somebody is having it written now
            continue
        if isinstance(reserved, Fallback):
            night.insights.append(
                await service.write_template(transact, settings, order, reserved, now=now)
            )
            continue
        waiting[str(reserved.id)] = (order, reserved)
    if waiting:
        await _submit(transact, claude, settings, waiting, night, now)
    return night


async def _out(transact: service.Transact, wanted: Sequence[service.Order]) -> set[bytes]:
    """The evidence that is in a batch already: a second run must not pay for it again."""
    found: set[bytes] = set()
    async with transact() as connection:
        for workspace_id in {order.workspace_id for order in wanted}:
            runs = await store.submitted_runs(connection, workspace_id)
            found |= {bytes(run["evidence_hash"]) for run in runs}
    return found


async def _submit(
    transact: service.Transact,
    claude: Claude,
    settings: InsightSettings,
    waiting: dict[str, tuple[service.Order, service.Reserved]],
    night: Night,
    now: datetime,
) -> None:
    prompts: dict[str, tuple[Prompt, str]] = {
        name: (reserved.prompt, order.model(settings))
        for name, (order, reserved) in waiting.items()
    }
    try:
        night.batch_id = await claude.submit(prompts)
    except CallFailed as failed:
        outcome = Outcome(why=failed.why, detail=failed.detail)
        for order, reserved in waiting.values():
            night.insights.append(
                await service.record(transact, settings, order, reserved, outcome, now=now)
            )
        return
    async with transact() as connection:
        run_ids = [reserved.id for _, reserved in waiting.values()]
        await store.mark_submitted(connection, run_ids, night.batch_id)
    night.submitted += len(waiting)


async def collect(
    transact: service.Transact,
    claude: Claude,
    settings: InsightSettings,
    workspace_id: UUID,
    *,
    now: datetime,
) -> tuple[list[Insight], int]:
    """Take in the batches that have ended; the insights, and how many runs still wait."""
    async with transact() as connection:
        runs = await store.submitted_runs(connection, workspace_id)
    batches: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        batches.setdefault(run["batch_id"], []).append(run)
    written: list[Insight] = []
    waiting = 0
    for batch_id, members in batches.items():
        try:
            answers = await claude.collect(batch_id)
        except CallFailed as failed:
            answers = None
            if failed.why is Fallback.REFUSED_REQUEST:  # there is no such batch (any more)
                answers = {str(run["id"]): failed for run in members}
        if answers is None:
            if now - members[0]["created_at"] < _GIVEN_UP:
                waiting += len(members)
                continue
            answers = {}
        for run in members:
            answer = answers.get(
                str(run["id"]), CallFailed(Fallback.TIMED_OUT, "the batch did not end")
            )
            written.append(
                await _take_in(transact, claude, settings, workspace_id, run, answer, now)
            )
    return written, waiting


async def _take_in(
    transact: service.Transact,
    claude: Claude,
    settings: InsightSettings,
    workspace_id: UUID,
    run: dict[str, Any],
    answer: Answer | CallFailed,
    now: datetime,
) -> Insight:
    pack = read_pack(run["evidence"])
    order = service.Order(
        workspace_id,
        pack,
        framework_id=run["framework_id"],
        trigger_id=run["trigger_id"],
        requested_by=run["requested_by"],
        written_by=run["model"],
    )
    prices = find_prices(run["model"], now.date(), settings.prices)
    assert prices is not None, "a run is only made with a price"
    reserved = service.Reserved(run["id"], prices, write_prompt(pack))
    if isinstance(answer, CallFailed):
        outcome = Outcome(why=answer.why, detail=answer.detail)
    else:
        outcome = await converse(claude, pack, run["model"], first=answer)
    return await service.record(transact, settings, order, reserved, outcome, now=now, batch=True)
