"""Bring the demo's workspace to what demo/workspace.yaml says; loading it again changes nothing.

People, the key, the source and the channels are the operator's and are made in the database, as
the commands of `convex` do; frameworks, metrics and rules go through the public API, some of the
rules as a file of them.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from convex.alerts.code.write import write_entries
from convex.alerts.describe import parse_duration
from convex.cli.sign_in import read_sign_in, write_sign_in
from convex.db import SYSTEM, Connection, Database, Identity, Role
from convex.metrics.sources.store import save_source
from convex.notifications import channel_store, preference_store
from convex.notifications.channel_store import ChannelDraft
from convex.notifications.model import ChannelKind
from convex.secrets import load_secrets
from convex.settings import Settings
from convex.workspaces import service, store
from convex.workspaces.passwords import hash_password, verify_password
from convex.workspaces.tokens import digest
from demo.blueprint import FILE, Blueprint, Entry, read_blueprint
from demo.client import Api, ApiError
from demo.history import PATTERN, SOURCE
from demo.sinks import Sinks
from demo.state import DemoState

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


def blueprint_of(sinks: Sinks, webhook_secret: str, file: Path = FILE) -> Blueprint:
    """demo/workspace.yaml (or another such file) with its channels leading to these receivers."""
    values = {
        "webhook_url": sinks.webhook_url,
        "webhook_secret": webhook_secret,
        "slack_url": sinks.slack_url,
    }
    return read_blueprint(file.read_text(), values)


async def prepare_account(
    database: Database,
    settings: Settings,
    blueprint: Blueprint,
    source: str = SOURCE,
    pattern: str = PATTERN,
) -> Account:
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
        made = await save_source(
            connection, workspace_id, name=source, kind="file", config={"path": pattern}
        )
    write_sign_in(settings.home, email=email, password=password, workspace=slug, api_key=api_key)
    return Account(workspace_id, slug, email, password, api_key, made.id)


async def load_blueprint(
    database: Database,
    settings: Settings,
    account: Account,
    state: DemoState,
    api: Api,
    blueprint: Blueprint,
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
    loaded.channels = len(blueprint.channels)
    loaded.changes += await _load_channels(database, settings, account, state, blueprint)
    await _load_rules(api, loaded, blueprint, frameworks, metrics)
    return loaded


async def _load_rules(
    api: Api,
    loaded: Loaded,
    blueprint: Blueprint,
    frameworks: Mapping[Any, Mapping[str, Any]],
    metrics: Mapping[Any, Mapping[str, Any]],
) -> None:
    """Those of a file are applied as one; the others are made one by one."""
    kept = [_without(entry, "as_code") for entry in blueprint.rules if entry.get("as_code")]
    file = {"name": FILE.name, "text": write_entries(kept)}
    applied = await api.request("POST", "/alert-rules/apply", json={"files": [file]})
    loaded.rules += len(kept)
    loaded.changes += applied["counts"]["create"] + applied["counts"]["update"]
    rules = await _by(api, "/alert-rules", "name")
    for entry in blueprint.rules:
        if entry.get("as_code"):
            continue
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


def _without(entry: Entry, name: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != name}


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
    return {**_without(entry, "framework"), "framework_id": frameworks[entry["framework"]]["id"]}


async def _load_channels(
    database: Database, settings: Settings, account: Account, state: DemoState, wanted: Blueprint
) -> int:
    """Make or change the channels and the workspace's preferences; how many that were.

    A stored secret cannot be read again, so the state keeps a digest of what was given last.
    """
    now, seal, changes = datetime.now(UTC), load_secrets(settings).encryption_key, 0
    identity = Identity(account.workspace_id, Role.SYSTEM)
    async with database.transaction(identity) as connection:
        known = {one.name: one for one in await channel_store.list_channels(connection, identity)}
        for entry in wanted.channels:
            name, config, secret = entry["name"], entry.get("config", {}), entry.get("secret")
            digest_of = hashlib.sha256(json.dumps(secret).encode()).hexdigest()
            given = state.channel_secrets.get(name) == digest_of
            found = known.get(name)
            if found is None:
                draft = ChannelDraft(name, ChannelKind(entry["kind"]), config, secret)
                await channel_store.create_channel(connection, identity, draft, seal)
            elif not (given and found.enabled and found.config == config):
                change = {"config": config, "secret": secret, "enabled": True}
                await channel_store.update_channel(
                    connection, identity, found.id, change, seal, now=now
                )
            else:
                continue
            changes += 1
            state.channel_secrets[name] = digest_of
        kept = await preference_store.get_defaults(connection, identity)
        if preference_store.merge(kept.columns, wanted.preferences) != kept.columns:
            await preference_store.save_preferences(
                connection, identity, wanted.preferences, now=now, for_workspace=True
            )
            changes += 1
    state.save(settings.home)
    return changes
