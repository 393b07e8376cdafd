"""Bring the demo's workspace to what demo/workspace.yaml says; loading it again changes nothing.

People, the key, the source and the channels are the operator's and are made in the database, as
the commands of `convex` do; frameworks, metrics and rules go through the public API, as a member's
own files would.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from psycopg import sql
from psycopg.types.json import Jsonb

from convex.alerts.describe import parse_duration
from convex.cli.sign_in import read_sign_in, write_sign_in
from convex.db import SYSTEM, Connection, Database, Identity, Role
from convex.metrics.sources.store import save_source
from convex.secrets import decrypt, encrypt, load_secrets
from convex.settings import Settings
from convex.workspaces import service, store
from convex.workspaces.passwords import hash_password, verify_password
from convex.workspaces.tokens import digest
from demo.blueprint import FILE, Blueprint, Entry, read_blueprint
from demo.client import Api, ApiError
from demo.history import PATTERN, SOURCE
from demo.sinks import Sinks

_KEY_NAME = "demo"
_DURATIONS = ("window", "for", "keep_firing_for")


@dataclass(frozen=True, slots=True)
class Account:
    """The demo's tenant and who signs in to it."""

    workspace_id: UUID
    slug: str
    email: str
    password: str
    api_key: str
    source_id: UUID


@dataclass(slots=True)
class Loaded:
    """How many things there are, how many of them this run made or changed, and what it could not
    make: the API's reason by the rule's name."""

    frameworks: int = 0
    metrics: int = 0
    rules: int = 0
    channels: int = 0
    changes: int = 0
    refused: dict[str, str] = field(default_factory=dict)


def blueprint_of(sinks: Sinks, webhook_secret: str) -> Blueprint:
    """demo/workspace.yaml with its channels leading to these receivers."""
    values = {
        "webhook_url": sinks.webhook_url,
        "webhook_secret": webhook_secret,
        "slack_url": sinks.slack_url,
    }
    return read_blueprint(FILE.read_text(), values)


async def prepare_account(database: Database, settings: Settings, blueprint: Blueprint) -> Account:
    """The workspace with its user, key, source, channels and preferences.

    The sign-in is kept in the home; where that was lost, the user gets a new password and the
    workspace a new key.
    """
    kept = read_sign_in(settings.home)
    email, slug = blueprint.user["email"], blueprint.workspace["slug"]
    password = (kept["email"] == email and kept["password"]) or secrets.token_urlsafe(9)
    async with database.transaction(SYSTEM) as connection:
        user_id = await _user(connection, blueprint, password)
        workspace_id = await _workspace(connection, blueprint, user_id)
        api_key = kept["api_key"] or ""
        if not await _is_good(connection, api_key, workspace_id):
            _, api_key = await service.create_api_key(
                connection,
                workspace_id,
                name=_KEY_NAME,
                scopes=["read", "ingest", "write"],
                created_by=user_id,
            )
    async with database.transaction(Identity(workspace_id, Role.SYSTEM)) as connection:
        source = await save_source(
            connection, workspace_id, name=SOURCE, kind="file", config={"path": PATTERN}
        )
    write_sign_in(settings.home, email=email, password=password, workspace=slug, api_key=api_key)
    return Account(workspace_id, slug, email, password, api_key, source.id)


async def load_blueprint(
    database: Database, settings: Settings, account: Account, api: Api, blueprint: Blueprint
) -> Loaded:
    """Frameworks, metrics, channels, preferences and rules, made or changed where they differ."""
    loaded = Loaded()
    frameworks = await _by(api, "/frameworks", "slug")
    for entry in blueprint.frameworks:
        found = frameworks.get(entry["slug"])
        frameworks[entry["slug"]] = await _bring(api, loaded, "/frameworks", entry, found)
        loaded.frameworks += 1
    metrics = await _by(api, "/metrics", "framework_id", "name")
    for entry in blueprint.metrics:
        body = _in_framework(entry, frameworks)
        key = (body["framework_id"], body["name"])
        metrics[key] = await _bring(api, loaded, "/metrics", body, metrics.get(key))
        loaded.metrics += 1
    seal = load_secrets(settings).encryption_key
    async with database.transaction(Identity(account.workspace_id, Role.SYSTEM)) as connection:
        for entry in blueprint.channels:
            loaded.changes += await _channel(connection, account.workspace_id, entry, seal)
            loaded.channels += 1
        loaded.changes += await _defaults(connection, account.workspace_id, blueprint.preferences)
    rules = await _by(api, "/alert-rules", "name")
    for entry in blueprint.rules:
        body = _in_framework(entry, frameworks)
        body["metric_id"] = metrics[body["framework_id"], body.pop("metric")]["id"]
        try:
            await _bring(api, loaded, "/alert-rules", body, rules.get(body["name"]))
        except ApiError as error:
            if error.answered != 422:
                raise
            loaded.refused[body["name"]] = error.said
        else:
            loaded.rules += 1
    return loaded


async def _user(connection: Connection, blueprint: Blueprint, password: str) -> UUID:
    user = blueprint.user
    account = await store.find_account(connection, user["email"])
    if account is None:
        made = await service.create_user(
            connection,
            email=user["email"],
            name=user["name"],
            password=password,
            timezone=blueprint.workspace["timezone"],
        )
        return made.id
    if not await verify_password(account.password_hash, password):
        await store.set_password(connection, account.user.id, await hash_password(password))
    return account.user.id


async def _workspace(connection: Connection, blueprint: Blueprint, user_id: UUID) -> UUID:
    wanted = blueprint.workspace
    for workspace in await store.list_workspaces(connection):
        if workspace.slug == wanted["slug"]:
            return workspace.id
    made = await service.create_workspace(
        connection, slug=wanted["slug"], name=wanted["name"], owner_id=user_id
    )
    await service.update_workspace(connection, made, timezone=wanted["timezone"])
    return made


async def _is_good(connection: Connection, key: str, workspace_id: UUID) -> bool:
    query = (
        "SELECT workspace_id FROM convex.find_api_key(%s)"
        " WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"
    )
    row = await (await connection.execute(query, (digest(key),))).fetchone()
    return row is not None and row["workspace_id"] == workspace_id


async def _by(api: Api, path: str, *names: str) -> dict[Any, dict[str, Any]]:
    """What a listing holds, by one field or by several."""
    found: dict[Any, dict[str, Any]] = {}
    cursor = ""
    while True:
        page = await api.request("GET", f"{path}?limit=200{cursor}")
        for item in page["items"]:
            key = tuple(item[name] for name in names)
            found[key if len(names) > 1 else key[0]] = item
        if not page["next_cursor"]:
            return found
        cursor = f"&cursor={page['next_cursor']}"


async def _bring(
    api: Api, loaded: Loaded, path: str, wanted: Entry, found: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Create it, or change what differs; as it is afterwards."""
    if found is None:
        loaded.changes += 1
        made: dict[str, Any] = await api.request("POST", path, json=wanted)
        return made
    changes = {name: value for name, value in wanted.items() if not _same(name, value, found[name])}
    if not changes:
        return dict(found)
    loaded.changes += 1
    changed: dict[str, Any] = await api.request("PATCH", f"{path}/{found['id']}", json=changes)
    return changed


def _same(name: str, wanted: Any, found: Any) -> bool:
    if name in _DURATIONS:
        return parse_duration(wanted, name) == parse_duration(found, name)
    return bool(wanted == found)


def _in_framework(entry: Entry, frameworks: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    body = {name: value for name, value in entry.items() if name != "framework"}
    return {**body, "framework_id": frameworks[entry["framework"]]["id"]}


async def _channel(connection: Connection, workspace_id: UUID, entry: Entry, seal: str) -> bool:
    """Whether it had to be made or changed. Secrets are compared open: sealed ones never match."""
    config, secret = entry.get("config", {}), entry.get("secret")
    row = await (
        await connection.execute(
            "SELECT kind, config, secret FROM convex.channels"
            " WHERE workspace_id = %s AND name = %s FOR UPDATE",
            (workspace_id, entry["name"]),
        )
    ).fetchone()
    if row is not None:
        known = orjson.loads(decrypt(row["secret"], seal)) if row["secret"] else None
        if (row["kind"], row["config"], known) == (entry["kind"], config, secret):
            return False
    sealed = encrypt(orjson.dumps(secret).decode(), seal) if secret else None
    await connection.execute(
        "INSERT INTO convex.channels (workspace_id, name, kind, config, secret)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (workspace_id, name) DO UPDATE SET"
        " kind = excluded.kind, config = excluded.config, secret = excluded.secret,"
        " enabled = true, disabled_reason = NULL, consecutive_failures = 0,"
        " circuit_open_until = NULL, version = channels.version + 1, updated_at = now()",
        (workspace_id, entry["name"], entry["kind"], Jsonb(config), sealed),
    )
    return True


async def _defaults(connection: Connection, workspace_id: UUID, wanted: Entry) -> bool:
    """Make these the workspace's default preferences; whether that changed anything."""
    columns = sql.SQL(", ").join(map(sql.Identifier, wanted))
    query = sql.SQL(
        "INSERT INTO convex.notification_preferences AS p (workspace_id, {columns})"
        " VALUES (%s, {marks}) ON CONFLICT (workspace_id, user_id) DO UPDATE"
        " SET ({columns}) = ROW ({new}), version = p.version + 1, updated_at = now()"
        " WHERE ROW ({old}) IS DISTINCT FROM ROW ({new})"
    ).format(
        columns=columns,
        marks=sql.SQL(", ").join(sql.Placeholder() * len(wanted)),
        new=sql.SQL(", ").join(sql.SQL("excluded.{}").format(sql.Identifier(n)) for n in wanted),
        old=sql.SQL(", ").join(sql.SQL("p.{}").format(sql.Identifier(name)) for name in wanted),
    )
    changed = await connection.execute(query, (workspace_id, *wanted.values()))
    return changed.rowcount > 0
