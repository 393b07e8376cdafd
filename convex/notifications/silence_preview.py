"""What a silence would mute, before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from convex.db import Connection
from convex.notifications import store
from convex.notifications.model import Matcher
from convex.notifications.muting import matches


async def matching_triggers(
    connection: Connection, workspace_id: UUID, matchers: Sequence[Matcher]
) -> list[UUID]:
    """The open triggers that these matchers fit, by the very function that planning uses."""
    open_triggers = await store.load_open_triggers(connection, [workspace_id])
    return [one.id for one in open_triggers.get(workspace_id, []) if matches(matchers, one)]
