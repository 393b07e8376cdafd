"""The channels of a workspace: kept, tested, and how well they work. Secrets go in, never out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from psycopg.errors import UniqueViolation
from psycopg.rows import DictRow

from convex.db import Connection, Identity
from convex.errors import Conflict, InvalidInput, NotFound, PreconditionFailed
from convex.notifications.channels.registry import CHECKS
from convex.notifications.channels.webhook import new_key
from convex.notifications.model import ChannelKind, Kind, Reason, State
from convex.notifications.snapshot import instant
from convex.secrets import decrypt, encrypt

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_COLUMNS = (
    "id, workspace_id, name, kind, config, secret IS NOT NULL AS has_secret, enabled,"
    " disabled_reason, consecutive_failures, circuit_open_until, last_delivered_at,"
    " last_failed_at, last_error, version, created_at, updated_at"
)


@dataclass(frozen=True, slots=True)
class ChannelRecord:
    """A channel as members see it."""

    id: UUID
    workspace_id: UUID
    name: str
    kind: ChannelKind
    config: Mapping[str, Any]
    has_secret: bool
    enabled: bool
    disabled_reason: str | None
    consecutive_failures: int
    circuit_open_until: datetime | None
    last_delivered_at: datetime | None
    last_failed_at: datetime | None
    last_error: str | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ChannelDraft:
    """What a member says about a channel.

    `secret` is an object, or a text that stands for its usual field: the signing secret (webhook),
    the routing key (PagerDuty) or the URL (Slack, Apprise). None leaves what is there.
    """

    name: str
    kind: ChannelKind
    config: Mapping[str, Any] = field(default_factory=dict)
    secret: Mapping[str, Any] | str | None = field(default=None, repr=False)
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Created:
    """A new channel; `revealed` is a secret that was made for it, shown this once."""

    channel: ChannelRecord
    revealed: str | None = field(default=None, repr=False)


def describe(channel: ChannelRecord) -> dict[str, Any]:
    """A channel as the API shows it: whether it has a secret, never which."""
    return {
        "id": str(channel.id),
        "name": channel.name,
        "kind": channel.kind.value,
        "config": dict(channel.config),
        "has_secret": channel.has_secret,
        "enabled": channel.enabled,
        "disabled_reason": channel.disabled_reason,
        "circuit_open_until": instant(channel.circuit_open_until),
        "last_delivered_at": instant(channel.last_delivered_at),
        "last_failed_at": instant(channel.last_failed_at),
        "last_error": channel.last_error,
        "version": channel.version,
        "created_at": instant(channel.created_at),
        "updated_at": instant(channel.updated_at),
    }


async def list_channels(connection: Connection, identity: Identity) -> list[ChannelRecord]:
    """All channels of the acting workspace, by name."""
    cursor = await connection.execute(
        f"SELECT {_COLUMNS} FROM convex.channels WHERE workspace_id = %s ORDER BY name",
        (identity.workspace_id,),
    )
    return [_record(row) for row in await cursor.fetchall()]


async def get_channel(
    connection: Connection, identity: Identity, channel_id: UUID
) -> ChannelRecord:
    """One channel. Raises `NotFound`."""
    cursor = await connection.execute(
        f"SELECT {_COLUMNS} FROM convex.channels WHERE workspace_id = %s AND id = %s",
        (identity.workspace_id, channel_id),
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound("There is no channel with that id.", id=str(channel_id))
    return _record(row)


async def create_channel(
    connection: Connection, identity: Identity, draft: ChannelDraft, encryption_key: str
) -> Created:
    """Make a channel. A webhook without a secret gets one. Raises `InvalidInput`, `Conflict`."""
    secret = read_secret(draft)
    revealed = None
    if (
        draft.kind is ChannelKind.WEBHOOK
        and draft.config.get("mode", "standard") in ("standard", "cloudevents")
        and not secret.get("secrets")
    ):
        revealed = new_key()
        secret = {**secret, "secrets": [revealed]}
    _check(draft.name, draft.kind, draft.config, secret)
    try:
        async with connection.transaction():
            cursor = await connection.execute(
                "INSERT INTO convex.channels (workspace_id, name, kind, config, secret, enabled)"
                f" VALUES (%s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}",
                (
                    identity.workspace_id,
                    draft.name,
                    draft.kind.value,
                    _dump(draft.config),
                    _seal(secret, encryption_key),
                    draft.enabled,
                ),
            )
            row = await cursor.fetchone()
    except UniqueViolation:
        raise Conflict(f"There is a channel {draft.name!r} already.", field="name") from None
    assert row is not None
    return Created(_record(row), revealed)


async def update_channel(
    connection: Connection,
    identity: Identity,
    channel_id: UUID,
    changes: Mapping[str, Any],
    encryption_key: str,
    *,
    now: datetime,
    expected_version: int | None = None,
) -> ChannelRecord:
    """Change name, config, secret or enabled; switching on forgets why it was off.

    Raises `NotFound`, `InvalidInput`, `Conflict`, `PreconditionFailed`.
    """
    cursor = await connection.execute(
        f"SELECT {_COLUMNS}, secret FROM convex.channels WHERE workspace_id = %s AND id = %s"
        " FOR UPDATE",
        (identity.workspace_id, channel_id),
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound("There is no channel with that id.", id=str(channel_id))
    channel = _record(row)
    if expected_version is not None and channel.version != expected_version:
        raise PreconditionFailed("The channel was changed meanwhile; read it again.")
    if changes.get("kind", channel.kind.value) != channel.kind.value:
        raise InvalidInput("The kind of a channel cannot be changed; make another.", field="kind")
    name = changes.get("name", channel.name)
    config = changes.get("config", channel.config)
    enabled = bool(changes.get("enabled", channel.enabled))
    sealed = row["secret"]
    secret: Mapping[str, Any] = {}
    if sealed is not None:
        secret = orjson.loads(decrypt(bytes(sealed), encryption_key))
    if changes.get("secret") is not None:
        secret = read_secret(ChannelDraft(name, channel.kind, config, changes["secret"]))
        sealed = _seal(secret, encryption_key)
    _check(name, channel.kind, config, secret)
    try:
        async with connection.transaction():
            cursor = await connection.execute(
                "UPDATE convex.channels SET name = %(name)s, config = %(config)s,"
                " secret = %(secret)s, enabled = %(enabled)s,"
                " disabled_reason = CASE WHEN %(enabled)s THEN NULL ELSE disabled_reason END,"
                " consecutive_failures = CASE WHEN %(afresh)s THEN 0"
                " ELSE consecutive_failures END,"
                " circuit_open_until = CASE WHEN %(afresh)s THEN NULL"
                " ELSE circuit_open_until END,"
                " version = version + 1, updated_at = %(now)s"
                f" WHERE id = %(id)s RETURNING {_COLUMNS}",
                {
                    "name": name,
                    "config": _dump(config),
                    "secret": sealed,
                    "enabled": enabled,
                    "afresh": enabled and bool(changes.keys() & {"config", "secret", "enabled"}),
                    "now": now,
                    "id": channel_id,
                },
            )
            changed = await cursor.fetchone()
    except UniqueViolation:
        raise Conflict(f"There is a channel {name!r} already.", field="name") from None
    assert changed is not None
    return _record(changed)


async def delete_channel(connection: Connection, identity: Identity, channel_id: UUID) -> None:
    """Remove a channel; what it was to send fails and says so. Raises `NotFound`."""
    cursor = await connection.execute(
        "DELETE FROM convex.channels WHERE workspace_id = %s AND id = %s",
        (identity.workspace_id, channel_id),
    )
    if cursor.rowcount == 0:
        raise NotFound("There is no channel with that id.", id=str(channel_id))


async def send_test(
    connection: Connection, identity: Identity, channel_id: UUID, now: datetime
) -> UUID:
    """Put a test notification into the outbox; its id, by which the ledger tells what came of it.

    A personal channel tests the way to the acting member. Raises `NotFound`, `Conflict`.
    """
    channel = await get_channel(connection, identity, channel_id)
    if not channel.enabled:
        raise Conflict(f"{channel.name} is switched off: {channel.disabled_reason or 'by hand'}.")
    personal = channel.kind is ChannelKind.IN_APP or (
        channel.kind is ChannelKind.EMAIL and not channel.config.get("to")
    )
    if personal and identity.user_id is None:
        raise InvalidInput("A test of this channel goes to whoever asks; a key has no inbox.")
    payload = {
        "title": "This is a test",
        "lines": [f"The channel {channel.name} works: Convex can reach you here."],
    }
    notification_id = uuid4()
    await connection.execute(
        "INSERT INTO convex.alert_notifications (id, workspace_id, kind, recipient_id, channel_id,"
        " channel_kind, state, reason, explanation, severity, idempotency_key, payload, due_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'A test that a member asked for.', 'info', %s,"
        " %s, %s)",
        (
            notification_id,
            identity.workspace_id,
            Kind.TEST.value,
            identity.user_id if personal else None,
            channel.id,
            channel.kind.value,
            State.DUE.value,
            Reason.TEST.value,
            f"test:{notification_id}",
            _dump(payload),
            now,
        ),
    )
    return notification_id


def read_secret(draft: ChannelDraft) -> Mapping[str, Any]:
    """A secret as an object, from the object or the text that stands for it."""
    if draft.secret is None or draft.secret == "":
        return {}
    if not isinstance(draft.secret, str):
        return dict(draft.secret)
    if draft.kind in (ChannelKind.SLACK, ChannelKind.APPRISE):
        return {"url": draft.secret}
    if draft.kind is ChannelKind.WEBHOOK:
        if draft.config.get("mode") == "pagerduty":
            return {"routing_key": draft.secret}
        return {"secrets": [draft.secret]}
    raise InvalidInput(f"A channel of kind {draft.kind.value} has no secret.", field="secret")


def _check(
    name: str, kind: ChannelKind, config: Mapping[str, Any], secret: Mapping[str, Any]
) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            "A channel's name has small letters, digits, dots, dashes, underscores: 1 to 63.",
            field="name",
        )
    if name in {one.value for one in ChannelKind} and name != kind.value:
        raise InvalidInput(f"{name!r} is a kind of channel; choose another name.", field="name")
    places = (ChannelKind.SLACK, ChannelKind.WEBHOOK, ChannelKind.APPRISE)
    if config.get("heartbeat", False) not in (True, False) or (
        config.get("heartbeat") and kind not in places
    ):
        raise InvalidInput(
            "heartbeat is true or false, and only for channels of kind slack, webhook or apprise.",
            field="config",
        )
    other = {key: value for key, value in config.items() if key not in ("failover", "heartbeat")}
    if fault := CHECKS[kind](other, secret):
        raise InvalidInput(fault, field="config")


def _seal(secret: Mapping[str, Any], key: str) -> bytes | None:
    return encrypt(_dump(secret), key) if secret else None


def _dump(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode()


def _record(row: DictRow) -> ChannelRecord:
    return ChannelRecord(
        id=row["id"],
        workspace_id=row["workspace_id"],
        name=row["name"],
        kind=ChannelKind(row["kind"]),
        config=row["config"],
        has_secret=row["has_secret"],
        enabled=row["enabled"],
        disabled_reason=row["disabled_reason"],
        consecutive_failures=row["consecutive_failures"],
        circuit_open_until=row["circuit_open_until"],
        last_delivered_at=row["last_delivered_at"],
        last_failed_at=row["last_failed_at"],
        last_error=row["last_error"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
