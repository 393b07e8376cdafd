"""What follows from tuning, noise, data quality, health and Claude. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from convex.alerts.describe import format_duration
from convex.alerts.model import Rule
from convex.alerts.rehearsal import tuning_json
from convex.alerts.tuning import Candidate, Tuning
from convex.insights.model import Insight, Source
from convex.insights.recommendation import Origin, Proposal

_LEAST_SAVED = 0.1  # triggers a week
_LEAST_SHARE = 0.2
_ENOUGH_LABELS = 3
_SOFTER = {"critical": "warning", "warning": "info"}
_POOR = 50.0


def from_tuning(rule: Rule, tuning: Tuning) -> Proposal | None:
    """The setting that saves most without missing an alert that was worth it.

    Where too few alerts are marked or acknowledged to tell, at least half of them must stay.
    """
    now = tuning.now.backtest
    worth = now.overlap["actionable"].total
    known = worth >= _ENOUGH_LABELS
    sure = [one for one in tuning.candidates if not one.missed]
    best = max(sure, key=lambda one: one.saved, default=None) if known else tuning.gentle
    if best is None or best.saved < max(_LEAST_SAVED, now.per_week * _LEAST_SHARE):
        return None
    changes = changes_between(rule, best.rule)
    said = ", ".join(_text(name, value) for name, value in changes.items())
    return Proposal(
        origin=Origin.TUNING,
        fingerprint=f"rule:{rule.id}:tune",
        title=f"Tune “{rule.name}”: {said}",
        action={"kind": "update_rule", "rule_id": str(rule.id), "changes": changes},
        actionability=90 if known else 70,
        evidence=_backtests(tuning, best),
        effect={
            "triggers_saved_a_week": round(best.saved, 3),
            "triggers_a_week_now": round(now.per_week, 3),
            "triggers_a_week_then": round(best.backtest.per_week, 3),
            "missed_actionable": best.missed,
            "known_actionable": worth,
        },
        framework_id=rule.framework_id,
        rule_id=rule.id,
    )


def changes_between(before: Rule, after: Rule) -> dict[str, Any]:
    """What differs, in the words of the API."""
    found: dict[str, Any] = {}
    for name in ("threshold_value", "change_percentage", "recovery_threshold"):
        if getattr(before, name) != getattr(after, name):
            found[name] = getattr(after, name)
    for name in ("for", "keep_firing_for"):
        if getattr(before, f"{name}_seconds") != getattr(after, f"{name}_seconds"):
            found[name] = format_duration(getattr(after, f"{name}_seconds"))
    return found


def _text(name: str, value: Any) -> str:
    words = name.removesuffix("_value").replace("_", " ")
    if value is None:
        return f"no {words}"
    return f"{words} {value:g}" if isinstance(value, float) else f"{words} {value}"


def _backtests(tuning: Tuning, best: Candidate) -> dict[str, Any]:
    chosen = Tuning(tuning.now, [best], tuning.tried)
    shown = tuning_json(chosen)
    return {
        "tried": shown["tried"],
        "backtest_now": shown["now"]["backtest"],
        "backtest_then": shown["candidates"][0]["backtest"],
    }


def from_noise(rule: Mapping[str, Any], days: int) -> Proposal | None:
    """A rule that people are told of and that nobody ever takes: say it more softly.

    `rule` is one of analytics' `never_acknowledged`.
    """
    if rule["rule_id"] is None or not rule["pages"]:
        return None
    softer = _SOFTER.get(rule["severity"])
    if softer is None:
        return None
    pages = rule["pages"] * 7 / days
    return Proposal(
        origin=Origin.NOISE,
        fingerprint=f"rule:{rule['rule_id']}:severity",
        title=f"Make “{rule['name']}” {softer}: nobody has acknowledged it in {days} days",
        action={
            "kind": "update_rule",
            "rule_id": str(rule["rule_id"]),
            "changes": {"severity": softer},
        },
        actionability=60,
        evidence={
            "days": days,
            "triggers": rule["triggers"],
            "pages": rule["pages"],
            "pages_sleep_hours": rule["pages_sleep_hours"],
            "acknowledged": rule["acknowledged"],
            "auto_resolved_rate": rule["auto_resolved_rate"],
        },
        effect={"pages_saved_a_week": round(pages, 3), "pages_a_week_now": round(pages, 3)},
        framework_id=rule["framework_id"],
        rule_id=rule["rule_id"],
    )


def from_quality(run: Mapping[str, Any]) -> Iterator[Proposal]:
    """What failed in the newest run of a suite: `{suite, failures: [{name, column, says, severity,
    rows, unexpected}], finished_at}`.
    """
    for one in run["failures"]:
        if one["severity"] == "info":
            continue
        column = one.get("column") or ""
        says = (one.get("says") or one["name"]).rstrip(".")
        yield Proposal(
            origin=Origin.QUALITY,
            fingerprint=f"quality:{run['suite']}:{one['name']}:{column}",
            title=f"Repair the data so that this holds: {says}",
            action={"kind": "repair_data", "suite": run["suite"], "expectation": one["name"]},
            actionability=55 if one["severity"] == "critical" else 40,
            evidence={"suite": run["suite"], "checked_at": run["finished_at"], **one},
            effect={"failing_rows": one.get("unexpected") or 0},
        )


def from_health(
    framework_id: UUID, framework: str, health: Mapping[str, Any]
) -> Iterator[Proposal]:
    """The metrics that pull a framework down; `health` as the API shows it."""
    scored = [
        metric
        for category in health["categories"]
        for metric in category["metrics"]
        if metric["score"] is not None
    ]
    weights = sum(metric["weight"] for metric in scored)
    for metric in scored:
        if metric["score"] >= _POOR:
            continue
        gain = (100 - metric["score"]) * metric["weight"] / weights
        yield Proposal(
            origin=Origin.HEALTH,
            fingerprint=f"health:{metric['id']}",
            title=f"Bring “{metric['name']}” of “{framework}” back towards its target",
            action={"kind": "improve_metric", "metric_id": str(metric["id"])},
            actionability=45,
            evidence={name: metric[name] for name in ("value", "unit", "target", "limit", "score")},
            effect={"health_points": round(gain, 2)},
            framework_id=framework_id,
        )


def from_insight(insight: Insight) -> Iterator[Proposal]:
    """What Claude recommends. Worded anew from the same facts it is the same recommendation."""
    if insight.source is not Source.CLAUDE:
        return
    facts = {fact["id"]: fact for fact in insight.evidence["facts"]}
    for one in insight.content["recommendations"]:
        cited = [facts[id_] for id_ in one["facts"] if id_ in facts]
        subject = sorted({f"{fact['key']}|{fact['of']}|{fact['within']}" for fact in cited})
        mark = hashlib.sha256("\n".join(subject).encode()).hexdigest()[:16]
        yield Proposal(
            origin=Origin.CLAUDE,
            fingerprint=f"claude:{insight.framework_id or 'workspace'}:{mark}",
            title=one["text"],
            action={"kind": "advice", "insight_id": str(insight.id)},
            actionability=min(100, max(0, one["actionability"])),
            evidence={
                "insight_id": str(insight.id),
                "facts": [
                    {name: fact[name] for name in ("id", "what", "of", "shown", "window")}
                    for fact in cited
                ],
            },
            framework_id=insight.framework_id,
        )
