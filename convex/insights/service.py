"""Writing one insight: from the cache, by Claude within the budget, or by a template.

Nothing is held open while Claude is asked, so this takes a way to open transactions (`Transact`)
from whoever owns them: one looks what is there, one takes from the budget, one keeps the result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from convex.db import Connection
from convex.insights import recommendations, store, templates
from convex.insights.answers import AnyContent, content_json
from convex.insights.claude import Answer, CallFailed, Claude
from convex.insights.converse import MOST_CALLS, Outcome, converse
from convex.insights.model import Fallback, Insight, Kind, Pack, Source, Usage
from convex.insights.prices import PriceList, find_prices
from convex.insights.prompts import VERSION, Prompt, write_prompt
from convex.insights.verify import verify
from convex.settings import InsightSettings
from convex.telemetry import metrics

Transact = Callable[[], AbstractAsyncContextManager[Connection]]
KEPT = timedelta(days=7)  # the same evidence brings the same insight for so long
_TEMPLATE = "template"
_LOOK_EVERY = 0.5  # seconds
_SPARE_TOKENS = 2_000  # what a second call adds besides the first answer
_FAST = (Kind.TRIGGER, Kind.QUESTION)
_ADVISING = (Kind.FRAMEWORK, Kind.DIGEST)  # what they recommend is kept to be decided


@dataclass(frozen=True, slots=True)
class Order:
    """An insight that somebody wants. `fallback` is what stands there when no model wrote it, in
    place of a template's; `written_by` names the model when it is chosen already.
    """

    workspace_id: UUID
    pack: Pack
    framework_id: UUID | None = None
    trigger_id: UUID | None = None
    requested_by: UUID | None = None
    fallback: AnyContent | None = None
    written_by: str = ""

    @property
    def kind(self) -> Kind:
        """As the pack's."""
        return self.pack.kind

    def model(self, settings: InsightSettings) -> str:
        """Who writes it."""
        return self.written_by or (settings.fast_model if self.kind in _FAST else settings.model)

    def references(self) -> dict[str, Any]:
        """What its rows refer to."""
        return {
            "framework_id": self.framework_id,
            "trigger_id": self.trigger_id,
            "requested_by": self.requested_by,
        }


@dataclass(frozen=True, slots=True)
class Reserved:
    """A run that may be paid for."""

    id: UUID
    prices: PriceList
    prompt: Prompt


async def write(
    transact: Transact,
    claude: Claude | None,
    settings: InsightSettings,
    order: Order,
    *,
    now: datetime,
) -> Insight:
    """The insight, kept. It is always written; `source` and `source_reason` say by whom and why."""
    known = await find_known(transact, claude, settings, order, now=now)
    if known is not None:
        return known
    if claude is None:
        return await write_template(transact, settings, order, Fallback.NO_KEY, now=now)
    reserved = await prepare(transact, claude, settings, order, now=now)
    if reserved is None:
        known = await _wait_for(transact, claude, settings, order, now=now)
        if known is not None:
            return known
        reserved = Fallback.TIMED_OUT
    if isinstance(reserved, Fallback):
        return await write_template(transact, settings, order, reserved, now=now)
    outcome = await converse(claude, order.pack, order.model(settings))
    return await record(transact, settings, order, reserved, outcome, now=now)


async def find_known(
    transact: Transact,
    claude: Claude | None,
    settings: InsightSettings,
    order: Order,
    *,
    now: datetime,
) -> Insight | None:
    """What the same evidence was made into before, by the same writer."""
    writer = _TEMPLATE if claude is None else order.model(settings)
    source = Source.TEMPLATE if claude is None else Source.CLAUDE
    async with transact() as connection:
        return await store.find_written(
            connection,
            order.workspace_id,
            order.kind,
            order.pack.fingerprint(VERSION, writer),
            source,
            now - KEPT,
        )


async def prepare(
    transact: Transact,
    claude: Claude,
    settings: InsightSettings,
    order: Order,
    *,
    now: datetime,
    batch: bool = False,
) -> Reserved | Fallback | None:
    """Count the tokens and take what they may cost out of the budget; or why not.

    None: somebody is asking about the same evidence at this moment.
    """
    if not order.pack.facts:
        return Fallback.NO_EVIDENCE
    model, prompt = order.model(settings), write_prompt(order.pack)
    prices = find_prices(model, now.date(), settings.prices)
    if prices is None:
        return Fallback.UNPRICED_MODEL
    try:
        tokens = await claude.count(prompt, model)
    except CallFailed as failed:
        return failed.why
    if tokens > settings.max_input_tokens:
        return Fallback.TOO_LARGE
    again = tokens + settings.max_tokens + _SPARE_TOKENS
    amount = prices.most(tokens, settings.max_tokens, batch=batch)
    amount += prices.most(again, settings.max_tokens)
    fingerprint = order.pack.fingerprint(VERSION, model)
    async with transact() as connection:
        since = now - settings.timeout * MOST_CALLS
        if await store.is_being_asked(connection, order.workspace_id, fingerprint, since):
            return None
        run_id = await store.reserve(
            connection,
            order.workspace_id,
            amount=amount,
            limit=settings.daily_budget_usd,
            now=now,
            kind=order.kind.value,
            model=model,
            prices_of=prices.of,
            evidence_hash=fingerprint,
            evidence=order.pack.as_json() if batch else None,
            **order.references(),
        )
    return Fallback.OVER_BUDGET if run_id is None else Reserved(run_id, prices, prompt)


async def _wait_for(
    transact: Transact,
    claude: Claude,
    settings: InsightSettings,
    order: Order,
    *,
    now: datetime,
) -> Insight | None:
    """What somebody else is having written about the same evidence; None when nothing comes."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.timeout.total_seconds()
    fingerprint = order.pack.fingerprint(VERSION, order.model(settings))
    since = now - settings.timeout * MOST_CALLS
    asked = True
    while asked and loop.time() < deadline:
        await asyncio.sleep(_LOOK_EVERY)
        async with transact() as connection:
            asked = await store.is_being_asked(connection, order.workspace_id, fingerprint, since)
        # Looked for afterwards: what is not asked any more is there, or will never be.
        known = await find_known(transact, claude, settings, order, now=now)
        if known is not None:
            return known
    return None


async def record(
    transact: Transact,
    settings: InsightSettings,
    order: Order,
    reserved: Reserved,
    outcome: Outcome,
    *,
    now: datetime,
    batch: bool = False,
) -> Insight:
    """Keep what came of a run: the insight (a template's if need be) and what it cost."""
    usage, model = outcome.usage, order.model(settings)
    cost: float | None = sum(
        reserved.prices.cost(one, batch=batch and i == 0) for i, one in enumerate(outcome.usages)
    )
    count(usage, cost or 0.0)
    if outcome.uncertain:
        cost = None
    verification = outcome.verification()
    async with transact() as connection:
        if outcome.content is None:
            why = outcome.why or Fallback.INVALID_ANSWER
            insight = await _save_template(connection, settings, order, why, now)
        else:
            why = None
            insight = await store.insert_insight(
                connection,
                order.workspace_id,
                kind=order.kind.value,
                source=Source.CLAUDE.value,
                source_reason="",
                content=content_json(outcome.content),
                evidence=order.pack.as_json(),
                evidence_hash=order.pack.fingerprint(VERSION, model),
                verification=verification,
                model=model,
                request_id=outcome.request_id,
                input_tokens=usage.input + usage.cache_read + usage.cache_write,
                output_tokens=usage.output,
                thinking_tokens=usage.thinking,
                cost_usd=cost,
                prices_of=reserved.prices.of,
                created_at=now,
                **order.references(),
            )
            if order.kind in _ADVISING:
                await recommendations.save_advice(connection, order.workspace_id, insight, now=now)
        await store.settle(
            connection,
            reserved.id,
            outcome="written" if why is None else why.value,
            usage=usage,
            calls=len(outcome.usages),
            cost=cost,
            verification=verification,
            insight_id=insight.id,
            now=now,
        )
    return insight


async def write_template(
    transact: Transact,
    settings: InsightSettings,
    order: Order,
    why: Fallback,
    *,
    now: datetime,
) -> Insight:
    """The insight from sentences that are ready, with the reason why."""
    async with transact() as connection:
        return await _save_template(connection, settings, order, why, now)


async def _save_template(
    connection: Connection, settings: InsightSettings, order: Order, why: Fallback, now: datetime
) -> Insight:
    content = order.fallback or templates.write(order.pack)
    return await store.insert_insight(
        connection,
        order.workspace_id,
        kind=order.kind.value,
        source=Source.TEMPLATE.value,
        source_reason=why.value,
        content=content_json(content),
        evidence=order.pack.as_json(),
        evidence_hash=order.pack.fingerprint(VERSION, _TEMPLATE),
        verification={"template": verify(content, order.pack).as_json()},
        created_at=now,
        **order.references(),
    )


async def ask_aside(
    transact: Transact,
    claude: Claude,
    settings: InsightSettings,
    workspace_id: UUID,
    prompt: Prompt,
    *,
    now: datetime,
) -> Answer | None:
    """A small call that serves a question, paid from the same budget; None when there is none."""
    model = settings.fast_model
    prices = find_prices(model, now.date(), settings.prices)
    if prices is None:
        return None
    try:
        tokens = await claude.count(prompt, model)
    except CallFailed:
        return None
    async with transact() as connection:
        run_id = await store.reserve(
            connection,
            workspace_id,
            amount=prices.most(tokens, settings.max_tokens),
            limit=settings.daily_budget_usd,
            now=now,
            kind=Kind.QUESTION.value,
            model=model,
            prices_of=prices.of,
            evidence_hash=b"plan",
        )
    if run_id is None:
        return None
    answer: Answer | None = None
    cost: float | None = 0.0
    outcome = "planned"
    try:
        answer = await claude.ask(prompt, model)
    except CallFailed as failed:
        outcome, cost = failed.why.value, None if failed.charged else 0.0
    else:
        cost = prices.cost(answer.usage)
        count(answer.usage, cost)
    async with transact() as connection:
        await store.settle(
            connection,
            run_id,
            outcome=outcome,
            usage=answer.usage if answer else Usage(),
            calls=1 if answer else 0,
            cost=cost,
            verification={},
            insight_id=None,
            now=now,
        )
    return answer


def count(usage: Usage, cost: float) -> None:
    """For Prometheus."""
    for kind, tokens in (
        ("input", usage.input),
        ("cache_read", usage.cache_read),
        ("cache_write", usage.cache_write),
        ("output", usage.output - usage.thinking),
        ("thinking", usage.thinking),
    ):
        metrics.llm_tokens.labels(kind).inc(max(0, tokens))
    metrics.llm_cost.inc(cost)
