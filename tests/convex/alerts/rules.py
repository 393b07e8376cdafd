"""Rules for tests: a threshold rule `> 10` with every duration 0, and what differs from it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from convex.alerts.model import Condition, NoData, Rule, RuleType
from convex.metrics.model import Aggregate

RULE_ID = UUID(int=1)
_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def make_rule(**changes: Any) -> Rule:
    """A rule that needs no database."""
    fields: dict[str, Any] = {
        "id": RULE_ID,
        "workspace_id": UUID(int=2),
        "framework_id": UUID(int=3),
        "metric_id": UUID(int=4),
        "name": "rule",
        "threshold_value": 10.0,
        "deduplication_window_seconds": 0,
        "created_at": _MOMENT,
        "updated_at": _MOMENT,
    }
    return Rule(**(fields | changes))


@st.composite
def threshold_rules(draw: st.DrawFn, *, windows: bool = False) -> Rule:
    """Threshold rules with every duration and a recovery threshold, on values around 10."""
    durations = st.sampled_from([0, 0, 60, 120, 300])
    condition = draw(st.sampled_from([Condition.ABOVE, Condition.BELOW, Condition.EQUALS]))
    recovery = {
        Condition.ABOVE: st.sampled_from([None, 10.0, 8.0]),
        Condition.BELOW: st.sampled_from([None, 10.0, 12.0]),
        Condition.EQUALS: st.none(),
    }[condition]
    return make_rule(
        condition=condition,
        recovery_threshold=draw(recovery),
        for_seconds=draw(durations),
        keep_firing_for_seconds=draw(durations),
        deduplication_window_seconds=draw(st.sampled_from([0, 60, 300])),
        no_data=draw(st.sampled_from(list(NoData))),
        no_data_after_seconds=draw(st.sampled_from([0, 0, 180, 600])),
        aggregate=draw(st.sampled_from(list(Aggregate))) if windows else Aggregate.LAST,
        window_seconds=draw(st.sampled_from([0, 60, 150, 600])) if windows else 0,
    )


def milestone_rule(**changes: Any) -> Rule:
    """Fires once when the total reaches 10."""
    return make_rule(
        type=RuleType.MILESTONE, condition=Condition.ABOVE, aggregate=Aggregate.SUM, **changes
    )
