"""Values of the engine: rules, their states, triggers. Instants are microseconds since 1970 UTC
inside the engine (rules, states, decisions), datetimes on what members see (triggers).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from convex.metrics.model import Aggregate, Labels


class RuleType(StrEnum):
    """What a rule looks for."""

    THRESHOLD = "threshold"
    ANOMALY = "anomaly"
    PERFORMANCE = "performance"
    MILESTONE = "milestone"


class Condition(StrEnum):
    """On which side."""

    ABOVE = "above"
    BELOW = "below"
    EQUALS = "equals"
    CHANGES_BY = "changes_by"


class Severity(StrEnum):
    """How bad."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class NoData(StrEnum):
    """What the absence of points means: nothing, that all is well, or an alert."""

    KEEP = "keep"
    OK = "ok"
    ALERT = "alert"


class Sensitivity(StrEnum):
    """How unusual a value must be for an anomaly rule: the higher, the sooner it fires."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Provenance(StrEnum):
    """Where a rule is kept: here, or in a file (then it is read-only here)."""

    API = "api"
    CODE = "code"


class Operator(StrEnum):
    """How a label is compared; regular expressions match the whole value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    MATCHES_NOT = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label; a missing label has the value ""."""

    label: str
    operator: Operator
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDraft:
    """What a member, or a file, says about a rule. Durations are whole seconds.

    Without a metric it is *joint*: it watches the series of all metrics of its framework.
    """

    name: str
    framework_id: UUID
    metric_id: UUID | None = None
    type: RuleType = RuleType.THRESHOLD
    condition: Condition = Condition.ABOVE
    threshold_value: float | None = None
    change_percentage: float | None = None
    recovery_threshold: float | None = None
    sensitivity: Sensitivity | None = None
    method: str | None = None
    aggregate: Aggregate = Aggregate.LAST
    window_seconds: int = 0
    confirm_window_seconds: int = 0
    for_seconds: int = 0
    keep_firing_for_seconds: int = 0
    evaluation_offset_seconds: int = 0
    lateness_seconds: int = 300
    deduplication_window_seconds: int = 300
    no_data: NoData = NoData.KEEP
    no_data_after_seconds: int = 0
    severity: Severity = Severity.WARNING
    label_matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    runbook_url: str = ""
    templates: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    enabled: bool = True
    provenance: Provenance = Provenance.API

    @property
    def is_joint(self) -> bool:
        """Whether it watches a whole framework."""
        return self.metric_id is None

    @property
    def is_grouped(self) -> bool:
        """Whether several series share one trigger."""
        return self.is_joint or bool(self.group_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(RuleDraft):
    """A rule as it is stored. `framework` is the slug, `metric` the name of what it watches (empty
    for a joint rule); `target` and `limit` are the metric's, and say which direction is worse; so
    is `unit`.
    """

    id: UUID
    workspace_id: UUID
    version: int = 1
    created_at: datetime
    updated_at: datetime
    created_by: UUID | None = None
    deleted_at: datetime | None = None
    framework: str = ""
    framework_name: str = ""
    metric: str = ""
    target: float | None = None
    limit: float | None = None
    unit: str = ""


class Status(StrEnum):
    """The evaluation state of one rule on one series."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"
    NO_DATA = "no_data"
    ERROR = "error"


class Kind(StrEnum):
    """What happened to a trigger."""

    OPENED = "opened"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    COMMENTED = "commented"
    ASSIGNED = "assigned"
    FEEDBACK = "feedback"
    FLAPPING = "flapping"
    CHANGED = "changed"


PLANNED = frozenset({Kind.OPENED, Kind.ACKNOWLEDGED, Kind.RESOLVED, Kind.REOPENED, Kind.FLAPPING})


class Resolution(StrEnum):
    """Why a trigger is over."""

    RECOVERED = "recovered"
    BY_HAND = "by_hand"
    STALE = "stale"
    NO_DATA = "no_data"
    RULE_DISABLED = "rule_disabled"
    RULE_DELETED = "rule_deleted"
    RULE_CHANGED = "rule_changed"
    MILESTONE = "milestone"
    ENDED = "ended"


class Reason(StrEnum):
    """The outcome of an evaluation, "nothing" included."""

    # nothing happens
    NOT_MET = "not_met"
    ALREADY_EVALUATED = "already_evaluated"
    NOT_ENOUGH_HISTORY = "not_enough_history"
    PENDING_STARTED = "pending_started"
    PENDING = "pending"
    PENDING_DROPPED = "pending_dropped"
    STILL_FIRING = "still_firing"
    RECOVERY_STARTED = "recovery_started"
    RECOVERING = "recovering"
    RECOVERY_CANCELLED = "recovery_cancelled"
    HELD_AFTER_RESOLVE = "held_after_resolve"
    GOAL_REACHED_BEFORE = "goal_reached_before"
    EVALUATION_FAILED = "evaluation_failed"
    DATA_MISSING = "data_missing"
    FLAPPING_CONTINUES = "flapping_continues"
    FLAPPING_ENDED = "flapping_ended"
    SERIES_ENDED = "series_ended"
    # the trigger opens
    CONDITION_MET = "condition_met"
    GOAL_REACHED = "goal_reached"
    NO_DATA_ALERT = "no_data_alert"
    # it opens again
    MET_AGAIN = "met_again"
    # it changes
    FLAPPING = "flapping"
    # it is over
    RECOVERED = "recovered"
    SETTLED = "settled"
    STALE = "stale"
    NO_DATA_OK = "no_data_ok"
    RULE_CHANGED = "rule_changed"
    RULE_DISABLED = "rule_disabled"
    RULE_DELETED = "rule_deleted"
    # by a person
    BY_HAND = "by_hand"


class RuleState(NamedTuple):
    """Where one rule stands on one series; instants in microseconds.

    `trigger_id` is the open trigger, or the last one; `trigger_open`, `acknowledged`, `historical`
    and `resolved_by_hand` tell about it. `outdated`: the rule has changed since. `recent_changes`
    has a bit for each of the last 20 evaluations, the newest lowest: 1 where the rule began or
    ceased to fire.
    """

    status: Status = Status.OK
    since: int | None = None
    pending_since: int | None = None
    keep_firing_since: int | None = None
    evaluated_at: int | None = None
    value: float | None = None
    reason: Reason | None = None
    trigger_id: UUID | None = None
    trigger_open: bool = False
    acknowledged: bool = False
    historical: bool = False
    resolved_at: int | None = None
    resolved_by_hand: bool = False
    milestone_reached: float | None = None
    running_total: float | None = None
    recent_changes: int = 0
    flapping_since: int | None = None
    no_data_at: int | None = None
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class Trigger:
    """One firing episode, as members see it: a row of `alert_triggers` with the names around it."""

    id: UUID
    workspace_id: UUID
    rule_id: UUID | None
    rule_name: str
    framework_id: UUID
    framework: str
    framework_name: str
    metric_id: UUID | None
    metric: str
    series_id: int | None
    source: str
    fingerprint: str
    labels: Labels
    type: RuleType
    severity: Severity
    state: str
    value: float | None
    threshold: float | None
    reason: str
    opened_at: datetime
    last_seen_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: Person | None
    resolved_at: datetime | None
    resolved_by: Person | None
    resolution: Resolution | None
    assigned_to: Person | None
    feedback: str | None
    feedback_by: Person | None
    feedback_at: datetime | None
    confidence: int | None
    repeat_count: int
    suppressed_count: int
    historical: bool
    version: int
    created_at: datetime
    updated_at: datetime
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """A member by name."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Transition:
    """One entry in the history of a trigger."""

    id: int
    trigger_id: UUID
    kind: Kind
    from_state: str | None
    to_state: str
    reason: str
    note: str
    author: Person | None
    value: float | None
    at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerFilters:
    """Which triggers a listing holds; an empty field does not filter."""

    states: Sequence[str] = ()
    severities: Sequence[str] = ()
    types: Sequence[str] = ()
    framework_id: UUID | None = None
    rule_id: UUID | None = None
    assigned_to: UUID | None = None
    opened_from: datetime | None = None
    opened_until: datetime | None = None
    historical: bool | None = None
