"""Preferences: one's own, else the workspace's, else the built-in; checked before they are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from psycopg.errors import InsufficientPrivilege

from convex.db import Database, Role
from convex.errors import InvalidInput, NotFound, PreconditionFailed
from convex.notifications import preference_store as store
from convex.notifications.preferences import Preferences
from convex.notifications.unsubscribe import read_token, unsubscribe_url
from tests.conftest import Tenant
from tests.convex.notifications import rows


async def test_ones_own_win_over_the_workspaces_and_those_over_the_built_in(
    api: Database, tenant: Tenant
) -> None:
    me, now = tenant.identity(), rows.now()
    async with api.transaction(me) as connection:
        built_in = await store.get_preferences(connection, me)
        assert (built_in.source, built_in.preferences) == ("built_in", Preferences())
        await store.save_preferences(
            connection, me, {"min_severity": "warning"}, now=now, for_workspace=True
        )
        shared = await store.get_preferences(connection, me)
        assert (shared.source, shared.preferences.min_severity) == ("workspace", "warning")
        own = await store.save_preferences(
            connection,
            me,
            {
                "quiet_hours_enabled": True,
                "quiet_hours_start": "23:30",
                "timezone": "Europe/Berlin",
                "group_wait": "1m",
                "escalation_steps": [{"after_minutes": 10, "channels": ["email"]}],
            },
            now=now,
        )
        assert (own.source, own.version) == ("own", 1)
        with pytest.raises(PreconditionFailed):
            await store.save_preferences(
                connection, me, {"predictions": True}, now=now, expected_version=7
            )
        again = await store.save_preferences(
            connection, me, {"predictions": True}, now=now, expected_version=1
        )
    assert again.version == 2
    assert again.preferences.grouping.wait == timedelta(minutes=1)
    assert again.preferences.min_severity == "warning", "a first save starts from what counted"
    assert again.preferences.escalation_steps[0].after == timedelta(minutes=10)
    shown = store.describe(again)
    assert (shown["quiet_hours_start"], shown["quiet_hours_end"]) == ("23:30", "06:00")


async def test_only_owners_write_the_workspaces(api: Database, tenant: Tenant) -> None:
    editor = tenant.identity(Role.EDITOR)
    with pytest.raises(InsufficientPrivilege):
        async with api.transaction(editor) as connection:
            await store.save_preferences(
                connection, editor, {"predictions": True}, now=rows.now(), for_workspace=True
            )


STEP = {"after_minutes": 10, "channels": ["email"]}


@pytest.mark.parametrize(
    "changes",
    [
        {"min_severity": "loud"},
        {"group_by": "colour"},
        {"timezone": "Mars/Olympus"},
        {"deduplication_minutes": 0},
        {"deduplication_minutes": 61},
        {"escalation_after_minutes": 121},
        {"max_per_hour": 0},
        {"max_per_hour": True},
        {"quiet_hours_start": "25:00"},
        {"quiet_hours_start": "06:00"},
        {"channels": "email"},
        {"group_wait": "soon"},
        {"group_wait": "-5s"},
        {"predictions": 1},
        {"escalation_steps": [STEP] * 6},
        {"escalation_steps": [STEP, STEP]},
        {"escalation_steps": [{"after_minutes": 10}]},
        {"escalation_steps": [{"after_minutes": 500, "channels": ["email"]}]},
        {"escalation_steps": ["email"]},
        {"colour": "blue"},
    ],
)
def test_what_cannot_be_is_refused_in_words(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        store.merge(store.BUILT_IN, changes)


async def test_one_click_takes_mail_out_and_nothing_else(api: Database, tenant: Tenant) -> None:
    link = unsubscribe_url("https://x.org", "key", tenant.workspace_id, tenant.user_id)
    token = link.rpartition("/")[2]
    assert read_token(token, "key") == (tenant.workspace_id, tenant.user_id)
    for wrong in (token[:-2] + "AA", "", "ä", token + "AAAA"):
        with pytest.raises(NotFound):
            read_token(wrong, "key")
    with pytest.raises(NotFound):
        read_token(token, "other key")
    me = tenant.identity(Role.VIEWER)
    async with api.transaction(me) as connection:
        await store.stop_mail(connection, me, rows.now())
        kept = await store.get_preferences(connection, me)
    assert list(kept.preferences.channels) == ["in_app"]
