"""What evaluating a batch has found, and when a state is worth keeping. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from convex.alerts import late
from convex.alerts.measure import is_learnt, is_running_total
from convex.alerts.model import Reason, Rule, RuleState, Status
from convex.alerts.replay import Outcome
from convex.anomaly import Explanation
from convex.metrics.model import IntArray, Labels


@dataclass(slots=True)
class Result:
    """What evaluating one rule on one series did."""

    rule: Rule
    series_id: int
    labels: Labels
    fingerprint: str
    outcome: Outcome
    before: RuleState | None
    shared: RuleState | None = None  # of a group: its trigger before the batch


@dataclass(slots=True)
class Assessment:
    """What a batch's evaluation found: results that matter, and every outcome counted."""

    results: list[Result] = field(default_factory=list)
    reasons: Counter[Reason] = field(default_factory=Counter)
    explanations: dict[tuple[int, int], Explanation] = field(default_factory=dict)
    moved: list[late.Moved] = field(default_factory=list)

    def explanation(self, result: Result, opened_at: int) -> Explanation | None:
        """Why the detector found the point of this instant unusual, if it is what the rule asks."""
        if not is_learnt(result.rule):
            return None
        return self.explanations.get((result.series_id, opened_at))


@dataclass(slots=True)
class Pair:
    """A rule on a series of the batch: `index` is the place, `at` the instants to evaluate."""

    rule: Rule
    index: int
    at: IntArray


def is_quiet(state: RuleState) -> bool:
    """Whether false evaluations leave the state as it is but for the time of the last one."""
    return (
        state.status is Status.OK
        and not state.trigger_open
        and state.recent_changes == 0
        and state.no_data_at is None
    )


def is_tracked(rule: Rule) -> bool:
    """Whether the state must be stored also where nothing happens: it holds what only it knows."""
    return (
        rule.no_data_after_seconds > 0
        or rule.evaluation_offset_seconds > 0
        or is_running_total(rule)
    )


def continued(rule: Rule, state: RuleState | None, newest: int) -> RuleState:
    """The state to go on from: quiet ones are not saved at each point, the series knows the last.

    A rule that was changed begins its waiting and its watch for silence anew.
    """
    if state is None:
        return RuleState()
    if state.outdated:
        return state._replace(
            status=Status.OK,
            pending_since=None,
            keep_firing_since=None,
            evaluated_at=None if rule.evaluation_offset_seconds == 0 else state.evaluated_at,
            recent_changes=0,
            flapping_since=None,
            no_data_at=None,
        )
    if rule.evaluation_offset_seconds == 0 and state.evaluated_at is not None:
        return state._replace(evaluated_at=max(state.evaluated_at, newest))
    return state


def merge(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Half-open ranges (lower, upper] as few that do not overlap."""
    merged: list[tuple[int, int]] = []
    for lower, upper in sorted(ranges):
        if upper <= lower:
            continue
        if merged and lower <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(upper, merged[-1][1]))
        else:
            merged.append((lower, upper))
    return merged
