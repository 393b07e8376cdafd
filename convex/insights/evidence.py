"""The pack of each kind of insight: which queries, in which order of importance. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from convex.alerts.describe import format_duration
from convex.db import Connection
from convex.errors import NotFound
from convex.frameworks import get_framework
from convex.insights import fact_store
from convex.insights.catalogue import QUERIES, ask
from convex.insights.facts_of_state import add_patterns
from convex.insights.model import PERCENT, Kind, Pack
from convex.insights.packing import About, Packer, Scope, floor_hour, pack

_FRAMEWORK = (
    *("health", "risk", "open_alerts", "alerts", "predictions", "patterns", "noisy_rules"),
    *("busy_hours", "quality"),
)
_DIGEST = (
    *("alerts", "open_alerts", "frameworks", "health", "noisy_rules", "predictions", "patterns"),
    *("busy_hours", "quality"),
)
FRAMEWORK_DAYS = DIGEST_DAYS = 7
_MOST_LABELS = 8


async def framework_pack(
    connection: Connection, workspace_id: UUID, framework_id: UUID, *, now: datetime
) -> Pack:
    """What is known about one framework over the last week. Raises `NotFound`."""
    framework = (await get_framework(connection, workspace_id, framework_id)).framework
    scope = Scope(workspace_id, floor_hour(now), FRAMEWORK_DAYS, framework.id, framework.slug)
    packer = Packer()
    for name in _FRAMEWORK:
        await ask(connection, QUERIES[name], scope, packer)
    return pack(Kind.FRAMEWORK, framework.name, now, packer)


async def digest_pack(connection: Connection, workspace_id: UUID, *, now: datetime) -> Pack:
    """What happened in the whole workspace over the last week."""
    packer = Packer()
    scope = Scope(workspace_id, floor_hour(now), DIGEST_DAYS)
    for name in _DIGEST:
        await ask(connection, QUERIES[name], scope, packer)
    subject = await fact_store.workspace_name(connection, workspace_id)
    frameworks = await fact_store.list_frameworks(connection, workspace_id)
    return pack(Kind.DIGEST, subject, now, packer, names=[row["name"] for row in frameworks])


async def question_pack(
    connection: Connection,
    workspace_id: UUID,
    question: str,
    queries: Sequence[tuple[str, int]],
    *,
    now: datetime,
    framework_id: UUID | None = None,
) -> Pack:
    """The answers of the chosen queries (name, days), each asked once."""
    packer = Packer()
    subject, slug = await fact_store.workspace_name(connection, workspace_id), ""
    if framework_id is not None:
        framework = (await get_framework(connection, workspace_id, framework_id)).framework
        subject, slug = framework.name, framework.slug
    for name, days in dict(queries).items():
        scope = Scope(workspace_id, floor_hour(now), days, framework_id, slug)
        await ask(connection, QUERIES[name], scope, packer)
    frameworks = await fact_store.list_frameworks(connection, workspace_id)
    names = [row["name"] for row in frameworks]
    return pack(Kind.QUESTION, subject, now, packer, question=question, names=names)


async def trigger_pack(
    connection: Connection, workspace_id: UUID, trigger_id: UUID, *, now: datetime
) -> Pack:
    """Why one alert opened when it did: its rule, the series before, what else happened."""
    row = await fact_store.trigger(connection, workspace_id, trigger_id)
    if row is None:
        raise NotFound(f"There is no alert trigger {trigger_id}.")
    opened: datetime = row["opened_at"].astimezone(UTC)
    unit, metric = row["unit"] or "", row["metric"] or row["metric_name"]
    packer = Packer(query=f"trigger({trigger_id})")
    packer.add("trigger.opened", f"when this {row['severity']} alert opened", opened)
    packer.add("trigger.type", "type of its rule", row["type"])
    packer.add("trigger.value", "value of the metric when it opened", row["value"], unit, of=metric)
    if row["type"] in ("threshold", "milestone"):  # of the others it is no value of the metric
        packer.add("trigger.threshold", "threshold of the rule", row["threshold"], unit, of=metric)
    for label, value in sorted((row["labels"] or {}).items())[:_MOST_LABELS]:
        packer.add("trigger.label", "a label of its series", "given", of=f"{label}={value}")
    if row["for_seconds"]:
        wait = f"the condition must hold for {format_duration(row['for_seconds'])} first"
        packer.add("trigger.for", "how long its rule waits", wait)
    end = row["resolved_at"] or floor_hour(now)
    minutes = max(0.0, (end - opened).total_seconds() / 60)
    said = "how long it lasted" if row["resolved_at"] else "how long it has been open"
    packer.add("trigger.lasted", said, round(minutes), "min")
    packer.add("trigger.repeats", "times its condition was met again", row["repeat_count"], "times")
    if row["series_id"] is not None:
        await _add_series(connection, packer, row["series_id"], opened, metric, unit)
    if row["rule_id"] is not None:
        await _add_rule(connection, packer, workspace_id, row["rule_id"], row["rule_name"], opened)
    packer.query = f"triggers_around({trigger_id})"
    for other in await fact_store.triggers_around(connection, workspace_id, trigger_id, opened):
        packer.add(
            "around.opened",
            f"when a {other['severity']} alert of another rule opened close to it",
            other["opened_at"],
            of=other["rule_name"],
            within=other["framework"],
        )
    if row["rule_id"] is not None:
        packer.query = f"patterns(rule={row['rule_id']})"
        scope = Scope(workspace_id, floor_hour(now), 30)
        await add_patterns(connection, scope, packer, row["rule_id"])
    names = [metric, row["framework"]]
    return pack(Kind.TRIGGER, row["rule_name"], now, packer, names=names)


async def _add_series(
    connection: Connection,
    packer: Packer,
    series_id: int,
    opened: datetime,
    metric: str,
    unit: str,
) -> None:
    packer.query = f"series_before({series_id})"
    found = await fact_store.series_before(connection, series_id, opened)
    if found is None:
        return
    day = About(of=metric, start=opened - timedelta(days=1), end=opened)
    month = About(of=metric, start=opened - timedelta(days=28), end=opened)
    packer.add("series.day_mean", "mean over the 24 h before", found["day_mean"], unit, day)
    packer.add("series.day_max", "highest value of the 24 h before", found["day_max"], unit, day)
    what = "median of the same hour of the week over the 4 weeks before"
    packer.add("series.usual", what, found["usual"], unit, month)


async def _add_rule(
    connection: Connection,
    packer: Packer,
    workspace_id: UUID,
    rule_id: UUID,
    name: str,
    opened: datetime,
) -> None:
    packer.query = f"rule_history({rule_id})"
    found = await fact_store.rule_history(connection, workspace_id, rule_id, opened)
    if found is not None:
        week = About(of=name, start=opened - timedelta(days=7), end=opened)
        month = About(of=name, start=opened - timedelta(days=30), end=opened)
        said = "alerts of the same rule before this one"
        packer.add("history.week", said, found["week"], "triggers", week)
        packer.add("history.month", said, found["month"], "triggers", month)
        packer.add("history.last", "when the rule fired before", found["last_opened_at"], of=name)
        lasted = found["median_minutes"]
        packer.add("history.lasted", "how long its alerts usually last", lasted, "min", of=name)
        if found["actionable"] or found["false_positive"]:
            marked = "alerts of the rule that were marked"
            packer.add(
                "history.actionable",
                f"{marked} actionable",
                found["actionable"],
                "triggers",
                of=name,
            )
            packer.add(
                "history.false", f"{marked} false", found["false_positive"], "triggers", of=name
            )
    foreseen = await fact_store.prediction_before(connection, workspace_id, rule_id, opened)
    if foreseen is not None:
        about = About(of=name, start=foreseen["window_start"], end=foreseen["window_end"])
        packer.query = f"prediction_before({rule_id})"
        packer.add(
            "foreseen.probability",
            "probability that had been predicted for it",
            foreseen["probability"],
            PERCENT,
            about,
        )
        packer.add(
            "foreseen.usual",
            "how probable it usually was",
            foreseen["climatology"],
            PERCENT,
            about,
        )
