"""Better settings for a rule: what each would save, and what it would miss. Pure.

Candidates vary the threshold, `for`, the recovery threshold and `keep_firing_for`; each is replayed
over the same history. Every episode of the rule as it is counts as worth keeping when it was marked
actionable, or acknowledged by a person, and not marked a false positive. A candidate *misses* one
when none of its episodes overlaps it. The Pareto set holds the candidates that no other beats in
both episodes per week and misses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convex.alerts import backtest
from convex.alerts.backtest import Backtest, Labelled, Prepared
from convex.alerts.measure import fire_limit, is_learnt
from convex.alerts.model import Condition, Rule, RuleType

MOST_CANDIDATES = 240
_QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99)
_WAITS = (0, 1, 2, 4)  # in multiples of the usual distance between points


@dataclass(frozen=True, slots=True)
class Candidate:
    """One setting with its backtest. `saved` are episodes per week less than the rule has now;
    `missed` of the triggers worth keeping are not found any more, `false_positives` still are.
    """

    rule: Rule
    backtest: Backtest
    saved: float
    missed: int
    false_positives: int


@dataclass(frozen=True, slots=True)
class Tuning:
    """The rule as it is, and the settings worth looking at, most episodes saved first.

    `gentle` saves most of those that miss nothing and keep at least half of the episodes: where
    nobody has said which were worth it, the one that saves most would keep none.
    """

    now: Candidate
    candidates: list[Candidate]
    tried: int
    gentle: Candidate | None = None


def tune(
    rule: Rule,
    prepared: Sequence[Prepared],
    since: int,
    until: int,
    *,
    zone: str = "UTC",
    labelled: Sequence[Labelled] = (),
) -> Tuning:
    """Try candidates on what was measured for `rule` (measuring does not depend on them)."""
    first = backtest.run(rule, prepared, since, until, zone=zone, labelled=labelled)
    now = _judge(rule, first, first)
    tried = [
        _judge(one, backtest.run(one, prepared, since, until, zone=zone, labelled=labelled), first)
        for one in candidates(rule, prepared)
    ]
    return Tuning(now, _pareto(tried), len(tried), _gentle(tried, first.per_week / 2))


def candidates(rule: Rule, prepared: Sequence[Prepared]) -> list[Rule]:
    """Settings around the rule's own, at most `MOST_CANDIDATES`, the rule itself left out."""
    if rule.type is RuleType.MILESTONE:
        return []
    step = _usual_step(prepared)
    waits = sorted({rule.for_seconds, *(step * one for one in _WAITS)})
    if is_learnt(rule):  # what the detector says depends on whether the rule waits
        waits = [rule.for_seconds]
    keeps = sorted({rule.keep_firing_for_seconds, 0, step, 2 * step})
    found = []
    for limit in _limits(rule, prepared):
        for recovery in _recoveries(rule, limit):
            for wait in waits:
                for keep in keeps:
                    made = replace(
                        _with_limit(rule, limit),
                        recovery_threshold=recovery,
                        for_seconds=wait,
                        keep_firing_for_seconds=keep,
                    )
                    if made != rule:
                        found.append(made)
    if len(found) <= MOST_CANDIDATES:
        return found
    places = np.linspace(0, len(found) - 1, MOST_CANDIDATES).round().astype(int)
    return [found[place] for place in places.tolist()]


def _usual_step(prepared: Sequence[Prepared]) -> int:
    """The median distance between points in whole seconds, a minute at least."""
    distances = [np.diff(one.at) for one in prepared if len(one.at) > 1]
    if not distances:
        return 60
    return max(60, round(float(np.median(np.concatenate(distances))) / 1e6))


def _limits(rule: Rule, prepared: Sequence[Prepared]) -> Iterator[float]:
    """The rule's limit, and stricter ones at quantiles of what has gone beyond it."""
    limit = fire_limit(rule)
    yield limit
    if rule.type is RuleType.ANOMALY or rule.condition is Condition.EQUALS:
        return
    below = rule.type is RuleType.THRESHOLD and rule.condition is Condition.BELOW
    if not prepared:
        return
    scores = np.concatenate([one.measured.scores[one.measured.known] for one in prepared])
    beyond = scores[scores < limit] if below else scores[scores > limit]
    if len(beyond) == 0:
        return
    places = [1 - share for share in _QUANTILES] if below else list(_QUANTILES)
    for value in dict.fromkeys(np.quantile(beyond, places).tolist()):
        rounded = float(f"{value:.3g}")
        if rounded != limit and (rounded < limit if below else rounded > limit):
            yield rounded


def _recoveries(rule: Rule, limit: float) -> list[float | None]:
    """None, the rule's own where it fits, and a tenth of the limit further back."""
    if rule.type is RuleType.ANOMALY or rule.condition is Condition.EQUALS:
        return [rule.recovery_threshold]
    below = rule.type is RuleType.THRESHOLD and rule.condition is Condition.BELOW
    back = limit + abs(limit) / 10 if below else limit - abs(limit) / 10
    found: list[float | None] = [None, float(f"{back:.6g}")]
    own = rule.recovery_threshold
    if own is not None and (own >= limit if below else own <= limit):
        found.append(own)
    return list(dict.fromkeys(found))


def _with_limit(rule: Rule, limit: float) -> Rule:
    if rule.type is RuleType.ANOMALY:
        return rule
    if rule.type is RuleType.PERFORMANCE or rule.condition is Condition.CHANGES_BY:
        return replace(rule, change_percentage=limit)
    return replace(rule, threshold_value=limit)


def _judge(rule: Rule, tested: Backtest, now: Backtest) -> Candidate:
    worth = tested.overlap["actionable"]
    return Candidate(
        rule=rule,
        backtest=tested,
        saved=now.per_week - tested.per_week,
        missed=worth.total - worth.found,
        false_positives=tested.overlap["false_positive"].found,
    )


def _gentle(tried: Sequence[Candidate], most: float) -> Candidate | None:
    fit = [one for one in tried if not one.missed and 0 < one.saved <= most]
    return max(fit, key=lambda one: one.saved, default=None)


def _pareto(tried: Sequence[Candidate]) -> list[Candidate]:
    """Those that save something and that no other beats in both saving and missing; of equals, the
    one that changes least (it was tried first).
    """
    best: list[Candidate] = []
    for one in sorted(tried, key=lambda c: (c.missed, -c.saved)):
        if one.saved > 0 and not (best and best[-1].saved >= one.saved):
            best.append(one)
    return sorted(best, key=lambda c: -c.saved)
