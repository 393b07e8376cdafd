"""Listings that are kept until what they show is changed, and who says that it was.

Every changing request goes through `forget_changed` once it is committed: what its route is about
decides which areas of the workspace's cache are forgotten. Flows say it themselves. What changes
otherwise (a command, another tool) is seen when the area's longest time is over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import TypeVar

from fastapi import Request, Response

from api.authentication import Caller
from api.replies import encode, next_link, reply_encoded
from api.resources import resources_of
from convex.cache import Area
from convex.db import Connection
from convex.db.pages import Page

T = TypeVar("T")

# By the tag of a route: a metric's target decides health, and a framework takes its rules along.
_CHANGED_BY: dict[str, tuple[Area, ...]] = {
    "rules": (Area.RULES,),
    "metrics": (Area.HEALTH, Area.RULES),
    "frameworks": (Area.HEALTH, Area.RULES),
    "workspace": (Area.RULES,),
}


async def forget_changed(request: Request, caller: Caller) -> None:
    """After the commit of a changing request."""
    tags = getattr(request.scope.get("route"), "tags", ())
    areas = {area for tag in tags for area in _CHANGED_BY.get(str(tag), ())}
    if areas:
        await resources_of(request).cache.forget(caller.workspace_id, *sorted(areas))


async def reply_kept_page(
    request: Request,
    caller: Caller,
    name: str,
    area: Area,
    find: Callable[[Connection], Awaitable[Page[T]]],
    shape: Callable[[T], object],
) -> Response:
    """As `reply_page`, from the cache. Only for what every reader of the workspace sees alike."""
    resources = resources_of(request)

    async def load() -> bytes:
        async with resources.database.read(caller.identity) as connection:
            page = await find(connection)
        items = [shape(item) for item in page.items]
        body = encode({"items": items, "next_cursor": page.next_cursor})
        return (page.next_cursor or "").encode() + b"\n" + body

    asked = repr(sorted(request.query_params.multi_items())).encode()
    key = blake2b(asked, digest_size=16).hexdigest()
    kept = await resources.cache.get(name, caller.workspace_id, key, load, area=area)
    cursor, _, body = kept.partition(b"\n")
    headers = {"Link": next_link(request, cursor.decode())} if cursor else None
    return reply_encoded(request, body, headers=headers)
