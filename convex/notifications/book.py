"""The rows that planning works on: those of the past and those it adds, looked up the same way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from convex.notifications.model import (
    Change,
    Kind,
    Past,
    Plan,
    Planned,
    Reason,
    State,
    Target,
    idempotency_key,
    notification_id,
)

TELLING = frozenset({Kind.FIRING, Kind.ESCALATION, Kind.REPEAT})
HOUR = timedelta(hours=1)
# Each message of a group or fingerprint goes after the one before, but for critical ones that pass
# others in quiet hours: the latest is among the last few, and months of them need not be read.
_RECENT = 50
_LONGEST_DEFERRAL = timedelta(hours=27)  # quiet hours on the day that has 25, and a bit


@dataclass(slots=True)
class Row:
    """A notification while a plan is made. `before` is how the database has it; None: new."""

    id: UUID
    trigger_id: UUID | None
    transition_id: int | None
    fingerprint: str
    kind: Kind
    target: Target
    step: int
    state: State
    reason: Reason
    explanation: str
    severity: str
    group_key: str
    created_at: datetime
    due_at: datetime | None
    delivered_at: datetime | None
    carried_by: UUID | None
    attempts: int
    leased: bool
    key: str
    payload: Mapping[str, Any]
    before: Past | None

    @property
    def is_waiting(self) -> bool:
        """Due, and no sender has had it in hands yet."""
        return self.state is State.DUE and not self.leased and self.attempts == 0

    @property
    def may_have_been_told(self) -> bool:
        """Delivered, or handed to a sender at least once, which may have got through."""
        return self.state in (State.DELIVERED, State.FAILED) or self.leased or self.attempts > 0

    @property
    def is_message(self) -> bool:
        """Goes, or went, out on its own."""
        return self.state in (State.DUE, State.DELIVERED, State.FAILED)


class Book:
    """All rows of one planning run."""

    def __init__(self, workspace_id: UUID, history: Iterable[Past], now: datetime) -> None:
        self._workspace_id = workspace_id
        self.now = now
        self.fresh: list[Row] = []  # what was added, or is due at another time, in order
        self._rows: dict[UUID, Row] = {}
        self._by_trigger: dict[UUID, list[Row]] = defaultdict(list)
        self._by_fingerprint: dict[tuple[str, Target], list[Row]] = defaultdict(list)
        self._by_group: dict[tuple[Target, str, bool], list[Row]] = defaultdict(list)
        self._by_target: dict[Target, list[Row]] = defaultdict(list)
        self._passengers: dict[UUID, list[Row]] = defaultdict(list)
        for past in history:
            self._enter(_known(past))

    def add(
        self,
        *,
        trigger_id: UUID | None,
        fingerprint: str,
        episode: UUID | str,
        transition: int | str,
        kind: Kind,
        target: Target,
        state: State,
        reason: Reason,
        explanation: str,
        severity: str,
        payload: Mapping[str, Any],
        step: int = 0,
        group_key: str = "",
        due_at: datetime | None = None,
        carried_by: UUID | None = None,
    ) -> Row:
        """Enter a new row, or return the one that has its idempotency key already."""
        key = idempotency_key(self._workspace_id, fingerprint, episode, transition, target, step)
        identity = notification_id(key)
        if identity in self._rows:
            return self._rows[identity]
        row = Row(
            id=identity,
            trigger_id=trigger_id,
            transition_id=transition if isinstance(transition, int) else None,
            fingerprint=fingerprint,
            kind=kind,
            target=target,
            step=step,
            state=state,
            reason=reason,
            explanation=explanation,
            severity=severity,
            group_key=group_key,
            created_at=self.now,
            due_at=due_at,
            delivered_at=self.now if state is State.DELIVERED else None,
            carried_by=carried_by,
            attempts=0,
            leased=False,
            key=key,
            payload=payload,
            before=None,
        )
        self._enter(row)
        self.fresh.append(row)
        return row

    def of_trigger(self, trigger_id: UUID) -> dict[Target, list[Row]]:
        """The rows of a trigger by target, in the order in which they were made."""
        found: dict[Target, list[Row]] = {}
        for row in self._by_trigger[trigger_id]:
            found.setdefault(row.target, []).append(row)
        return found

    def carrier(self, row: Row) -> Row:
        """The message that says it: the row itself, or the one that carries it."""
        while row.state is State.CARRIED and row.carried_by in self._rows:
            row = self._rows[row.carried_by]
        return row

    def last_told(self, fingerprint: str, target: Target) -> Row | None:
        """The newest firing of this fingerprint that was or will be told to the target."""
        rows = (
            row
            for row in reversed(self._by_fingerprint[fingerprint, target])
            if row.kind in TELLING
            and row.state is not State.WITHHELD
            and not (row.kind is Kind.ESCALATION and row.is_waiting)
        )
        return max(islice(rows, _RECENT), key=self.moment, default=None)

    def open_message(self, target: Target, group: str, *, ends: bool) -> Row | None:
        """A message of the group that can still take more: firings, or ends when `ends`."""
        for row in reversed(self._by_group[target, group, ends]):
            if row.is_waiting and row.reason is not Reason.DEDUPLICATED:
                return row
        return None

    def last_message(self, target: Target, group: str, *, ends: bool) -> datetime | None:
        """When the newest message of the group went, or goes, out."""
        rows = (row for row in reversed(self._by_group[target, group, ends]) if row.is_message)
        return max(map(self.moment, islice(rows, _RECENT)), default=None)

    def messages_before(self, target: Target, moment: datetime) -> list[datetime]:
        """When messages went, or go, to the target in the hour up to `moment`, oldest first."""
        found: list[datetime] = []
        for row in reversed(self._by_target[target]):
            if row.created_at < moment - _LONGEST_DEFERRAL:
                break
            if row.is_message and moment - HOUR < self.moment(row) <= moment:
                found.append(self.moment(row))
        return sorted(found)

    def open_digest(self, target: Target) -> Row | None:
        """The digest that is still to go to the target."""
        for row in reversed(self._by_target[target]):
            if row.kind is Kind.DIGEST and row.is_waiting:
                return row
        return None

    def advance(self, row: Row) -> None:
        """A message that waits goes now."""
        row.due_at = self.now
        self.fresh.append(row)

    def withdraw(self, row: Row, reason: Reason, explanation: str) -> None:
        """It is never sent. What it carries goes out all the same, by the first of them."""
        due_at, was_message = row.due_at, row.state is State.DUE
        row.state, row.reason, row.explanation = State.WITHHELD, reason, explanation
        row.carried_by = None
        if not was_message:
            return
        left = [one for one in self._passengers.pop(row.id, []) if one.carried_by == row.id]
        if not left:
            return
        first, others = left[0], left[1:]
        first.state, first.reason, first.carried_by = State.DUE, Reason.SENT, None
        first.due_at = due_at
        first.explanation = "Takes the place of another of its group, which needs no telling now."
        self._enter_group(first)
        self.fresh.append(first)
        for other in others:
            other.carried_by = first.id
            self._passengers[first.id].append(other)

    def carries(self, row: Row) -> bool:
        """Whether other rows are said by this one."""
        return any(one.carried_by == row.id for one in self._passengers.get(row.id, ()))

    def moment(self, row: Row) -> datetime:
        """When a row was or is to be sent: delivered, else due, else made."""
        carrier = self.carrier(row)
        return carrier.delivered_at or carrier.due_at or carrier.created_at

    def outcome(self) -> Plan:
        """New rows, and rows of the past that stand otherwise now."""
        new = [_planned(self._workspace_id, row) for row in self._rows.values() if not row.before]
        return Plan(new, list(self._changes()))

    def _changes(self) -> Iterator[Change]:
        for row in self._rows.values():
            past = row.before
            if past is None:
                continue
            now_stands = (row.state, row.reason, row.due_at, row.carried_by)
            if now_stands != (past.state, past.reason, past.due_at, past.carried_by):
                yield Change(
                    row.id, row.state, row.reason, row.explanation, row.due_at, row.carried_by
                )

    def _enter(self, row: Row) -> None:
        self._rows[row.id] = row
        self._by_target[row.target].append(row)
        if row.trigger_id is not None:
            self._by_trigger[row.trigger_id].append(row)
        self._by_fingerprint[row.fingerprint, row.target].append(row)
        self._enter_group(row)
        if row.carried_by is not None:
            self._passengers[row.carried_by].append(row)

    def _enter_group(self, row: Row) -> None:
        if row.group_key and row.state is not State.CARRIED:
            self._by_group[row.target, row.group_key, row.kind is Kind.RESOLVED].append(row)


def _known(past: Past) -> Row:
    return Row(
        id=past.id,
        trigger_id=past.trigger_id,
        transition_id=past.transition_id,
        fingerprint=past.fingerprint,
        kind=past.kind,
        target=past.target,
        step=past.step,
        state=past.state,
        reason=past.reason,
        explanation=past.explanation,
        severity=past.severity,
        group_key=past.group_key,
        created_at=past.created_at,
        due_at=past.due_at,
        delivered_at=past.delivered_at,
        carried_by=past.carried_by,
        attempts=past.attempts,
        leased=past.leased,
        key="",
        payload={},
        before=past,
    )


def _planned(workspace_id: UUID, row: Row) -> Planned:
    return Planned(
        id=row.id,
        workspace_id=workspace_id,
        trigger_id=row.trigger_id,
        transition_id=row.transition_id,
        kind=row.kind,
        target=row.target,
        step=row.step,
        state=row.state,
        reason=row.reason,
        explanation=row.explanation,
        severity=row.severity,
        group_key=row.group_key,
        idempotency_key=row.key,
        payload=row.payload,
        due_at=row.due_at,
        delivered_at=row.delivered_at,
        carried_by=row.carried_by,
    )
