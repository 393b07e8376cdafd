"""The in-app inbox."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from api.schemas.shared import PageOf, Shape


class InboxEntry(Shape):
    """Something that the caller was told in the page."""

    id: UUID
    trigger_id: UUID | None
    kind: str
    title: str
    body: str
    severity: str
    created_at: datetime
    read_at: datetime | None


class Inbox(PageOf[InboxEntry]):
    """A page of the inbox, and how many entries of all are unread."""

    unread: int


class MarkedRead(Shape):
    """How many were unread before."""

    marked: int
