"""One real call of each kind, on evidence that is made up: does the key work, what does it cost?

Touches no database and no budget; meant for `make smoke-claude`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from convex.insights.catalogue import QUERIES
from convex.insights.claude import CallFailed, Claude
from convex.insights.converse import converse
from convex.insights.model import HUNDRED, PERCENT, RATIO, Kind, Pack, Usage
from convex.insights.packing import About, Packer, day_window, pack
from convex.insights.prices import find_prices
from convex.insights.prompts import plan_prompt, write_prompt
from convex.insights.strategy import passages
from convex.settings import InsightSettings

_QUESTION = "Which rule was the noisiest last week, and did anybody acknowledge it?"
_DOCUMENT = """# On time by summer

We raise the share of departures on time from 71 % to 85 % by June, for people with connections.

A survey among 400 passengers in March showed that delays above 15 minutes cost more loyalty than
price. Too expensive? No: the crews are there already, and a pilot at one gate took two weeks.

If the share falls below 65 %, we go back to the old plan within a week."""


@dataclass(frozen=True, slots=True)
class Call:
    """One kind: what came of it. `counted` is what counting said before the call."""

    kind: str
    model: str
    outcome: str
    counted: int
    usage: Usage
    cost_usd: float
    seconds: float


async def run(claude: Claude, settings: InsightSettings, now: datetime) -> AsyncIterator[Call]:
    """Ask for each kind, one after another; a failure is an outcome."""
    for kind in Kind:
        evidence = _evidence(kind, now)
        model = settings.fast_model if kind in (Kind.TRIGGER, Kind.QUESTION) else settings.model
        began = time.monotonic()
        try:
            counted = await claude.count(write_prompt(evidence), model)
        except CallFailed as failed:
            yield Call(kind.value, model, str(failed), 0, Usage(), 0.0, time.monotonic() - began)
            continue
        outcome = await converse(claude, evidence, model)
        said = "verified" if outcome.content is not None else f"{outcome.why}: {outcome.detail}"
        if outcome.content is not None and len(outcome.usages) > 1:
            said = "verified after one repair"
        cost = _cost(settings, model, outcome.usages, now.date())
        seconds = time.monotonic() - began
        yield Call(kind.value, model, said, counted, outcome.usage, cost, seconds)
    yield await _plan(claude, settings, now)


async def _plan(claude: Claude, settings: InsightSettings, now: datetime) -> Call:
    prompt = plan_prompt(_QUESTION, [(query.name, query.says) for query in QUERIES.values()])
    model, began = settings.fast_model, time.monotonic()
    try:
        counted = await claude.count(prompt, model)
        answer = await claude.ask(prompt, model)
    except CallFailed as failed:
        return Call("plan", model, str(failed), 0, Usage(), 0.0, time.monotonic() - began)
    cost = _cost(settings, model, [answer.usage], now.date())
    done = "planned" if answer.stop == "end_turn" else answer.stop
    return Call("plan", model, done, counted, answer.usage, cost, time.monotonic() - began)


def _cost(settings: InsightSettings, model: str, usages: list[Usage], on: date) -> float:
    prices = find_prices(model, on, settings.prices)
    return 0.0 if prices is None else sum(prices.cost(usage) for usage in usages)


def _evidence(kind: Kind, now: datetime) -> Pack:
    packer = Packer(query="smoke()")
    if kind is Kind.STRATEGY:
        for passage in passages(_DOCUMENT):
            packer.add("passage", "a passage of the document", passage)
        return pack(kind, "Example", now, packer)
    start, end = day_window(now, 7)
    week, rule = About(start=start, end=end), About("Long delays", "Example", start, end)
    add = packer.add
    add("trigger.opened", "when this critical alert opened", now - timedelta(hours=2))
    add("trigger.value", "value of the metric when it opened", 51.2, "min", of="delay")
    add("trigger.threshold", "threshold of the rule", 30.0, "min", of="delay")
    add("health.score", "health score", 48.2, HUNDRED)
    add("health.status", "health in a word", "poor")
    add("risk.score", "risk score", 57.5, HUNDRED)
    add("alerts.total", "alerts that opened", 12, "triggers", week)
    add("alerts.change", "change against the window before", 4, "triggers", week, change=True)
    add("alerts.resolve", "median time to resolve", 95.0, "min", week)
    add("noise.triggers", "alerts of this rule", 7, "triggers", rule)
    add("noise.acknowledged", "alerts of this rule that were acknowledged", 0, "triggers", rule)
    add("alerts.actionable", "share of marked alerts: actionable", 0.625, RATIO, week)
    add("prediction.probability", "predicted probability (next alert)", 63.4, PERCENT, rule)
    question = _QUESTION if kind is Kind.QUESTION else ""
    return pack(kind, "Example", now, packer, question=question)
