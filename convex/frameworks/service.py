"""What may be done with frameworks. The caller owns the transaction; its identity decides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from psycopg.errors import UniqueViolation

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import Conflict, InvalidInput, NotFound, PreconditionFailed
from convex.frameworks import store
from convex.frameworks.model import Framework, FrameworkOverview, Kind

_SLUG = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")


async def create_framework(
    connection: Connection,
    workspace_id: UUID,
    *,
    slug: str,
    name: str,
    kind: Kind = Kind.CUSTOM,
    description: str = "",
    tags: Sequence[str] = (),
) -> Framework:
    """Watch something new. Raises `InvalidInput` for a bad slug, `Conflict` for one in use."""
    if not _SLUG.fullmatch(slug):
        raise InvalidInput(
            f"{slug!r} cannot be the slug of a framework: begin with a small letter or digit, then"
            " up to 99 small letters, digits, dots, dashes or underscores.",
            parameter="slug",
        )
    try:
        async with connection.transaction():
            return await store.insert_framework(
                connection,
                workspace_id,
                slug=slug,
                name=name,
                kind=kind,
                description=description,
                tags=tags,
            )
    except UniqueViolation:
        raise Conflict(f"There is a framework {slug!r} already; choose another slug.") from None


async def get_framework(
    connection: Connection, workspace_id: UUID, key: UUID | str
) -> FrameworkOverview:
    """By id or slug. Raises `NotFound`."""
    found = await store.find_framework(connection, workspace_id, key)
    if found is None:
        raise NotFound(f"There is no framework {key} in this workspace.")
    return found


async def list_frameworks(
    connection: Connection, workspace_id: UUID, *, cursor: str | None = None, limit: int = 50
) -> Page[FrameworkOverview]:
    """A page of all frameworks, by slug."""
    after = decode_cursor(cursor, str)
    found = await store.select_frameworks(
        connection, workspace_id, None if after is None else str(after[0]), limit + 1
    )
    items = found[:limit]
    more = len(found) > limit
    return Page(items, encode_cursor(items[-1].framework.slug) if more else None)


async def update_framework(
    connection: Connection,
    framework_id: UUID,
    *,
    name: str | None = None,
    kind: Kind | None = None,
    description: str | None = None,
    tags: Sequence[str] | None = None,
    expected_version: int | None = None,
) -> Framework:
    """Change what is given. Raises `NotFound`, or `PreconditionFailed` at another version."""
    await _expect(connection, framework_id, expected_version)
    changed = await store.change_framework(
        connection, framework_id, name=name, kind=kind, description=description, tags=tags
    )
    if changed is None:
        raise NotFound(f"There is no framework {framework_id} in this workspace.")
    return changed


async def delete_framework(
    connection: Connection,
    workspace_id: UUID,
    framework_id: UUID,
    *,
    expected_version: int | None = None,
) -> None:
    """Remove it with its metrics, points, rules and triggers. Raises as `update_framework`."""
    await _expect(connection, framework_id, expected_version)
    if not await store.remove_framework(connection, workspace_id, framework_id):
        raise NotFound(f"There is no framework {framework_id} in this workspace.")


async def _expect(connection: Connection, framework_id: UUID, version: int | None) -> None:
    if version is None:
        return
    current = await store.lock_version(connection, framework_id)
    if current is None:
        raise NotFound(f"There is no framework {framework_id} in this workspace.")
    if current != version:
        raise PreconditionFailed(
            f"The framework was changed meanwhile (version {current}, not {version});"
            " read it again and repeat the change."
        )
