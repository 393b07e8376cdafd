"""What to do about a pattern, where something follows from it. Pure.

The action is what would be configured, in the words of the API: a mute window, an inhibition, a
shared group; the effect is counted over the pattern's own history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convex.patterns.model import Finding, Type

LEAST_CERTAIN = 70
_LONGEST_MUTE = 240  # minutes
_EVERY_DAY = 7


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A row of recommendations; `fingerprint` keeps it one from run to run."""

    fingerprint: str
    title: str
    action: Mapping[str, Any]
    actionability: int
    evidence: Mapping[str, Any]
    effect: Mapping[str, Any]


def recommend(finding: Finding, weeks: float) -> Recommendation | None:
    """What follows from a pattern seen over so many weeks; None for nothing."""
    if finding.confidence < LEAST_CERTAIN:
        return None
    match finding.type:
        case Type.SEASONAL:
            return _mute(finding, weeks)
        case Type.CORRELATED:
            return _merge(finding, weeks)
        case Type.TRIGGERED_BY:
            return _inhibit(finding, weeks)
        case Type.ESCALATING:
            return _review(finding)
        case _:
            return None


def _mute(finding: Finding, weeks: float) -> Recommendation | None:
    """A window of the week, if it is short and the rule nearly always fires in it."""
    season, effect = finding.evidence["season"], finding.evidence["effect"]
    severe = finding.subject.severity == "critical"
    if season["dates"] or season["minutes"] > _LONGEST_MUTE or effect["low"] < 0.5:
        return None
    days = season["days"] if len(season["days"]) < _EVERY_DAY else []
    interval = {"start": season["start"], "end": season["end"].replace("24:00", "00:00")}
    return _make(
        finding,
        f"Agree on a maintenance window for {finding.subject.name}: {finding.label}",
        {
            "kind": "mute_window",
            "name": f"{finding.subject.name}: {finding.label}"[:200],
            "timezone": season["zone"],
            "intervals": [{**({"days": days} if days else {}), **interval}],
            "matchers": [_matcher(finding.subject.name)],
        },
        (0.5 if severe else 1.0) * effect["low"],
        weeks,
        len(finding.rows),
    )


def _merge(finding: Finding, weeks: float) -> Recommendation | None:
    """Two rules that nearly always fire together can be told as one."""
    assert finding.other is not None
    effect = finding.evidence["effect"]
    certain = min(effect["first"]["low"], effect["second"]["low"])
    if certain < 0.5:
        return None
    return _make(
        finding,
        f"Tell {finding.subject.name} and {finding.other.name} as one: they fire together",
        {
            "kind": "merge_rules",
            "rules": [_rule(finding.subject.rule_id), _rule(finding.other.rule_id)],
            "names": [finding.subject.name, finding.other.name],
        },
        certain,
        weeks,
        finding.support,
    )


def _inhibit(finding: Finding, weeks: float) -> Recommendation | None:
    """What mostly comes after something else need not be told while that is open."""
    assert finding.other is not None
    effect, n_after = finding.evidence["effect"], finding.evidence["n"][0]
    explained = finding.support / max(n_after, 1)
    if effect["low"] < 0.5 or explained < 0.5:
        return None
    return _make(
        finding,
        f"Hold back {finding.subject.name} while {finding.other.name} is open",
        {
            "kind": "inhibition_rule",
            "name": f"{finding.other.name} explains {finding.subject.name}"[:200],
            "source_matchers": [_matcher(finding.other.name)],
            "target_matchers": [_matcher(finding.subject.name)],
            "equal_labels": [],
        },
        min(effect["low"], explained),
        weeks,
        finding.support,
    )


def _review(finding: Finding) -> Recommendation | None:
    """More and more often: either it gets worse, or the threshold has become too tight."""
    if finding.subject.rule_id is None:
        return None
    effect = finding.evidence["effect"]
    return Recommendation(
        f"pattern:{finding.fingerprint}",
        f"Look into {finding.subject.name}: {finding.label}",
        {"kind": "tune_rule", "rule_id": str(finding.subject.rule_id)},
        min(90, round(40 + 20 * min(effect["low"], 2.0))),
        _evidence(finding),
        {"ratio": effect["value"], "low": effect["low"], "high": effect["high"]},
    )


def _make(
    finding: Finding,
    title: str,
    action: Mapping[str, Any],
    certain: float,
    weeks: float,
    spared: int,
) -> Recommendation:
    return Recommendation(
        f"pattern:{finding.fingerprint}",
        title,
        action,
        round(100 * certain * finding.confidence / 100),
        _evidence(finding),
        {
            "triggers_spared_a_week": round(spared / max(weeks, 1.0), 2),
            "triggers_spared": spared,
            "weeks": round(weeks, 1),
        },
    )


def _evidence(finding: Finding) -> dict[str, Any]:
    return {
        "pattern": finding.fingerprint,
        "type": str(finding.type),
        "title": finding.title,
        "label": finding.label,
        "confidence": finding.confidence,
        "p_value": finding.p_value,
        "q_value": finding.q_value,
        "effect": finding.evidence["effect"],
    }


def _matcher(rule_name: str) -> dict[str, str]:
    return {"label": "rule", "operator": "=", "value": rule_name}


def _rule(rule_id: object) -> str | None:
    return None if rule_id is None else str(rule_id)
