"""Triggers that no rule of ours evaluates: what an Alertmanager says, a source that fails, a check
of the data's quality, the ledger that does not add up, a heartbeat that stopped.

Whoever finds out reports it, over and over if it likes: a report says that one thing fires, or that
it does not. From there the trigger lives as every other one does: transitions, planning, live
events, acknowledging and resolving by hand, silences by its labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from convex.alerts import external_store, trigger_writes
from convex.alerts.external_store import Known, Written
from convex.alerts.matchers import fingerprint_of
from convex.alerts.model import Kind, Reason, Resolution, RuleType, Severity
from convex.alerts.present import trigger_json
from convex.alerts.states import lock_fingerprints
from convex.alerts.trigger_store import get_triggers
from convex.db import Connection
from convex.metrics.model import to_microseconds

DEDUPLICATION_WINDOW = timedelta(minutes=5)
_LONGEST_NAME, _LONGEST_SENTENCE = 200, 2000


class Source(StrEnum):
    """Who says so: another Alertmanager, a data source, a quality check, Convex about itself."""

    ALERTMANAGER = "alertmanager"
    SOURCE = "source"
    QUALITY = "quality"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """That one thing fires, or (`firing` False) that it does not.

    What is one thing: source, name and labels; with a `key`, source and key alone. `since`: when it
    began (None: now). An episode that was over before is not opened again by the same `since`.
    `ended_at` (None: now) is for `firing` False. `expires_at`: the trigger resolves as stale unless
    a report comes before. `type` is under which analytics count it. `framework_id` None: the
    workspace's own framework, made when first needed.
    """

    source: Source
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    firing: bool = True
    severity: Severity = Severity.WARNING
    reason: str = ""
    key: str = ""
    since: datetime | None = None
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    type: RuleType = RuleType.THRESHOLD
    framework_id: UUID | None = None
    value: float | None = None
    threshold: float | None = None
    context: Mapping[str, Any] = field(default_factory=dict)

    def fingerprint(self, workspace_id: UUID) -> str:
        """What makes it the same thing next time."""
        if self.key:
            return fingerprint_of(workspace_id, f"{self.source}\0key", {"": self.key})
        return fingerprint_of(workspace_id, f"{self.source}\0{self.name}", self.labels)


@dataclass(slots=True)
class Reported:
    """What reports led to, as ids of triggers. `held`: over already, so it stays over.

    `cursor`: the last live event, to be announced after the commit; None when there was none.
    """

    opened: list[UUID] = field(default_factory=list)
    reopened: list[UUID] = field(default_factory=list)
    repeated: list[UUID] = field(default_factory=list)
    resolved: list[UUID] = field(default_factory=list)
    held: list[UUID] = field(default_factory=list)
    cursor: int | None = None

    @property
    def trigger_ids(self) -> list[UUID]:
        """Those that opened or ended."""
        return [*self.opened, *self.reopened, *self.resolved]


async def report(
    connection: Connection, workspace_id: UUID, reports: Sequence[Report], *, now: datetime
) -> Reported:
    """Take reports in order; of several about the same thing the last one counts.

    The caller owns the transaction, and calls this at its end: live events lock the workspace.
    Reporting the same again only counts on the trigger. A thing that fires again within five
    minutes after it ended reopens its trigger, unless a person had resolved it.
    """
    wanted = {one.fingerprint(workspace_id): one for one in reports}
    if not wanted:
        return Reported()
    await lock_fingerprints(connection, list(wanted))
    known = await external_store.newest_of(connection, workspace_id, list(wanted))
    if all(_says_nothing_new(one, known.get(key)) for key, one in wanted.items()):
        return Reported()
    own = None
    if any(one.firing and one.framework_id is None for one in wanted.values()):
        own = await external_store.own_framework(connection, workspace_id)
    result, writes = Reported(), []
    for fingerprint, one in wanted.items():
        written = _decide(one, fingerprint, known.get(fingerprint), own, now, result)
        if written is not None:
            writes.append(written)
    await _save(connection, workspace_id, writes, result)
    return result


async def expire(connection: Connection, workspace_id: UUID, *, now: datetime) -> Reported:
    """Resolve as stale what nobody has reported for longer than its last report allowed."""
    found = await external_store.overdue(connection, workspace_id, now)
    if not found:
        return Reported()
    await lock_fingerprints(connection, [one.fingerprint for one in found])
    again = await external_store.overdue(connection, workspace_id, now)
    result = Reported()
    writes = [_ended(one, max(now, one.opened_at), Resolution.STALE, result) for one in again]
    await _save(connection, workspace_id, writes, result)
    return result


def _says_nothing_new(one: Report, known: Known | None) -> bool:
    return not one.firing and (known is None or not known.is_open)


def _decide(
    one: Report,
    fingerprint: str,
    known: Known | None,
    own: UUID | None,
    now: datetime,
    result: Reported,
) -> Written | None:
    if not one.firing:
        if known is None or not known.is_open:
            return None
        at = max(min(one.ended_at or now, now), known.opened_at)
        return _ended(known, at, Resolution.RECOVERED, result)
    if known is not None and known.is_open:
        result.repeated.append(known.id)
        return _firing(one, fingerprint, known.id, known.framework_id, known, now, None)
    since = min(one.since or now, now)
    if known is not None and known.resolved_at is not None:
        over_already = one.since is not None and since <= known.resolved_at
        recent = since - known.resolved_at < DEDUPLICATION_WINDOW
        if over_already or (recent and known.by_hand):
            result.held.append(known.id)
            return None
        if recent:
            result.reopened.append(known.id)
            return _firing(
                one, fingerprint, known.id, known.framework_id, known, now, Kind.REOPENED
            )
    framework_id = one.framework_id or own
    assert framework_id is not None
    trigger_id = uuid4()
    result.opened.append(trigger_id)
    return _firing(one, fingerprint, trigger_id, framework_id, None, now, Kind.OPENED)


def _firing(
    one: Report,
    fingerprint: str,
    trigger_id: UUID,
    framework_id: UUID,
    known: Known | None,
    now: datetime,
    kind: Kind | None,
) -> Written:
    context = {**one.context, "source": one.source.value}
    if one.expires_at is not None:
        context["expires_at"] = one.expires_at.isoformat()
    name = _clean(one.name, _LONGEST_NAME) or one.source.value
    state = "acknowledged" if kind is None and known and known.state == "acknowledged" else "firing"
    reason = _clean(one.reason, _LONGEST_SENTENCE) or f"{name} is reported to fire."
    changed = (
        known is None
        or kind is not None
        or (known.severity, known.reason)
        != (
            one.severity.value,
            reason,
        )
    )
    return Written(
        id=trigger_id,
        framework_id=framework_id,
        fingerprint=fingerprint,
        source=one.source.value,
        name=name,
        type=one.type.value,
        severity=one.severity.value,
        state=state,
        labels={_clean(k, 200): _clean(v, 1000) for k, v in one.labels.items()},
        value=one.value,
        threshold=one.threshold,
        reason=reason,
        context=context,
        opened_at=min(one.since or now, now),
        last_seen_at=now,
        is_new=known is None,
        from_state=known.state if known else None,
        kind=kind.value if kind else None,
        why=Reason.MET_AGAIN if kind is Kind.REOPENED else Reason.CONDITION_MET,
        shown=changed,
        at=max(min(one.since or now, now), known.resolved_at or now) if known else now,
    )


def _ended(known: Known, at: datetime, resolution: Resolution, result: Reported) -> Written:
    result.resolved.append(known.id)
    return Written(
        id=known.id,
        framework_id=known.framework_id,
        fingerprint=known.fingerprint,
        state="resolved",
        from_state=known.state,
        kind=Kind.RESOLVED.value,
        why=Reason.STALE if resolution is Resolution.STALE else Reason.RECOVERED,
        resolution=resolution.value,
        shown=True,
        at=at,
    )


async def _save(
    connection: Connection, workspace_id: UUID, writes: Sequence[Written], result: Reported
) -> None:
    if not writes:
        return
    await external_store.save(connection, workspace_id, writes)
    transitions = list(_transitions(writes))
    if transitions:
        await trigger_writes.append_transitions(connection, workspace_id, transitions)
    shown = [one.id for one in writes if one.shown]
    if shown:
        triggers = await get_triggers(connection, workspace_id, shown)
        events = [(one.framework_id, trigger_json(one)) for one in triggers]
        result.cursor = await trigger_writes.append_live_events(connection, workspace_id, events)


def _transitions(writes: Iterable[Written]) -> Iterable[trigger_writes.NewTransition]:
    for one in writes:
        if one.kind is not None:
            yield trigger_writes.NewTransition(
                trigger_id=one.id,
                kind=one.kind,
                from_state=one.from_state,
                to_state=one.state,
                reason=one.why,
                value=one.value,
                at=to_microseconds(one.at),
                planned=True,
            )


def _clean(text: str, longest: int) -> str:
    """PostgreSQL keeps no NUL; a name from elsewhere may be of any length."""
    text = text.replace("\0", "")
    return text if len(text) <= longest else text[: longest - 1] + "…"
