"""What members do with triggers: load, decide, save. The caller owns the transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from convex.alerts import trigger_store, trigger_writes
from convex.alerts.model import Kind, Reason, Resolution, Trigger
from convex.alerts.present import trigger_json
from convex.db import Connection, Identity, Role
from convex.errors import Conflict, InvalidInput, NotPermitted, PreconditionFailed

_LONGEST_NOTE = 10_000
FEEDBACK = ("actionable", "false_positive")


@dataclass(frozen=True, slots=True)
class Acted:
    """The trigger after somebody acted on it, and its live event's cursor (None: no change)."""

    trigger: Trigger
    cursor: int | None


async def acknowledge(
    connection: Connection,
    identity: Identity,
    trigger_id: UUID,
    *,
    note: str | None = None,
    now: datetime,
    expected_version: int | None = None,
) -> Acted:
    """Somebody looks after it. Again is no error and no change; `Conflict` once it is resolved."""
    workspace_id = may_change(identity)
    row = await _lock(connection, workspace_id, trigger_id, expected_version)
    if row["state"] == "resolved":
        raise Conflict("The trigger is resolved already; there is nothing left to acknowledge.")
    if row["state"] == "acknowledged":
        return await _unchanged(connection, workspace_id, trigger_id)
    columns = {
        "state": "acknowledged",
        "acknowledged_at": now,
        "acknowledged_by": identity.user_id,
    }
    return await _act(
        connection, identity, trigger_id, row, Kind.ACKNOWLEDGED, columns, note=note, now=now
    )


async def resolve(
    connection: Connection,
    identity: Identity,
    trigger_id: UUID,
    *,
    note: str | None = None,
    now: datetime,
    expected_version: int | None = None,
) -> Acted:
    """It is over. While its condition holds the rule opens another after the deduplication window.

    Again is no error and no change.
    """
    workspace_id = may_change(identity)
    row = await _lock(connection, workspace_id, trigger_id, expected_version)
    if row["state"] == "resolved":
        return await _unchanged(connection, workspace_id, trigger_id)
    at = max(now, row["opened_at"])
    columns = {
        "state": "resolved",
        "resolved_at": at,
        "resolved_by": identity.user_id,
        "resolution": Resolution.BY_HAND.value,
    }
    await trigger_store.release_state(connection, workspace_id, trigger_id, at)
    return await _act(
        connection, identity, trigger_id, row, Kind.RESOLVED, columns, note=note, now=at
    )


async def reopen(
    connection: Connection,
    identity: Identity,
    trigger_id: UUID,
    *,
    note: str | None = None,
    now: datetime,
    expected_version: int | None = None,
) -> Acted:
    """It was not over. `Conflict` when it is open, or another one of the same fingerprint is.

    Its rule goes on with it: it resolves at the next point that is below the threshold.
    """
    workspace_id = may_change(identity)
    row = await _lock(connection, workspace_id, trigger_id, expected_version)
    if row["state"] != "resolved":
        raise Conflict("The trigger is open already.")
    _, open_now = await trigger_writes.known_triggers(
        connection, workspace_id, [], [row["fingerprint"]]
    )
    if open_now:
        raise Conflict("A newer trigger of the same rule and labels is open; act on that one.")
    columns = {
        "state": "firing",
        "resolved_at": None,
        "resolved_by": None,
        "resolution": None,
        "acknowledged_at": None,
        "acknowledged_by": None,
    }
    await trigger_store.resume_state(connection, workspace_id, trigger_id, now)
    return await _act(
        connection, identity, trigger_id, row, Kind.REOPENED, columns, note=note, now=now
    )


async def comment(
    connection: Connection,
    identity: Identity,
    trigger_id: UUID,
    *,
    note: str,
    now: datetime,
    expected_version: int | None = None,
) -> Acted:
    """A few words in its history."""
    workspace_id = may_change(identity)
    if not note.strip():
        raise InvalidInput("A comment needs words.", field="note")
    row = await _lock(connection, workspace_id, trigger_id, expected_version)
    return await _act(connection, identity, trigger_id, row, Kind.COMMENTED, {}, note=note, now=now)


async def assign(
    connection: Connection,
    identity: Identity,
    trigger_id: UUID,
    *,
    user_id: UUID | None,
    note: str | None = None,
    now: datetime,
    expected_version: int | None = None,
) -> Acted:
    """Give it to a member of the workspace, or to nobody."""
    workspace_id = may_change(identity)
    if user_id is not None and not await trigger_store.is_member(connection, workspace_id, user_id):
        raise InvalidInput("Only a member of the workspace can be assigned.", field="user_id")
    row = await _lock(connection, workspace_id, trigger_id, expected_version)
    columns = {"assigned_to": user_id}
    return await _act(
        connection, identity, trigger_id, row, Kind.ASSIGNED, columns, note=note, now=now
    )


async def give_feedback(
    connection: Connection,
    identity: Identity,
    trigger_id: UUID,
    *,
    feedback: str | None,
    note: str | None = None,
    now: datetime,
    expected_version: int | None = None,
) -> Acted:
    """Say whether it was worth it: "actionable", "false_positive", or None to take it back."""
    workspace_id = may_change(identity)
    if feedback is not None and feedback not in FEEDBACK:
        raise InvalidInput(f"Feedback is one of {', '.join(FEEDBACK)}.", field="feedback")
    row = await _lock(connection, workspace_id, trigger_id, expected_version)
    columns = {
        "feedback": feedback,
        "feedback_by": None if feedback is None else identity.user_id,
        "feedback_at": None if feedback is None else now,
    }
    return await _act(
        connection, identity, trigger_id, row, Kind.FEEDBACK, columns, note=note, now=now,
        reason=feedback or "withdrawn",
    )  # fmt: skip


def may_change(identity: Identity) -> UUID:
    """The workspace in which the identity may act on triggers. Raises `NotPermitted`."""
    if identity.workspace_id is None or identity.role not in (
        Role.EDITOR,
        Role.OWNER,
        Role.SYSTEM,
    ):
        raise NotPermitted("Acting on triggers needs the role editor or owner.")
    return identity.workspace_id


async def _lock(
    connection: Connection, workspace_id: UUID, trigger_id: UUID, expected_version: int | None
) -> Mapping[str, Any]:
    row = await trigger_store.lock_trigger(connection, workspace_id, trigger_id)
    if expected_version is not None and row["version"] != expected_version:
        raise PreconditionFailed("The trigger has changed since you read it; read it again.")
    return row


async def _unchanged(connection: Connection, workspace_id: UUID, trigger_id: UUID) -> Acted:
    return Acted(await trigger_store.get_trigger(connection, workspace_id, trigger_id), None)


async def _act(
    connection: Connection,
    identity: Identity,
    trigger_id: UUID,
    row: Mapping[str, Any],
    kind: Kind,
    columns: Mapping[str, Any],
    *,
    note: str | None,
    now: datetime,
    reason: str = Reason.BY_HAND.value,
) -> Acted:
    assert identity.workspace_id is not None
    workspace_id = identity.workspace_id
    if note is not None and len(note) > _LONGEST_NOTE:
        raise InvalidInput(f"A note has at most {_LONGEST_NOTE} characters.", field="note")
    await trigger_store.change_trigger(connection, workspace_id, trigger_id, columns)
    await trigger_store.append_transition(
        connection,
        workspace_id,
        trigger_id,
        kind=kind,
        from_state=row["state"],
        to_state=columns.get("state", row["state"]),
        reason=reason,
        note=(note or "").replace("\0", ""),
        author_id=identity.user_id,
        at=now,
        historical=row["historical"],
    )
    trigger = await trigger_store.get_trigger(connection, workspace_id, trigger_id)
    events = [(trigger.framework_id, trigger_json(trigger))]
    cursor = await trigger_writes.append_live_events(connection, workspace_id, events)
    return Acted(trigger, cursor)
