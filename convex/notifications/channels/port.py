"""The interface between the outbox and the channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from convex.notifications.channels.message import Message


class Outcome(StrEnum):
    """What came of one attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a channel leads: its configuration, and its secrets, opened (never shown or logged)."""

    config: Mapping[str, Any]
    secret: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of an attempt. `retry_after` in seconds, when the other side asked for it.

    `gone`: the destination says that it is no more (410), so the channel is to be disabled.
    `blames_channel`: the failure says something about the destination, not about this message.
    """

    outcome: Outcome
    status: int | None = None
    error: str | None = None
    retry_after: float | None = None
    gone: bool = False
    blames_channel: bool = True


class Sender(Protocol):
    """Hands messages over on one kind of channel. Never raises for what the other side does."""

    async def send(self, message: Message, destination: Destination) -> Receipt:
        """One attempt."""
        ...


DELIVERED = Receipt(Outcome.DELIVERED)


def failed(error: str, *, status: int | None = None, blames_channel: bool = True) -> Receipt:
    """An attempt that no repetition would help."""
    return Receipt(Outcome.FAILED, status, error, blames_channel=blames_channel)


def retry(error: str, *, status: int | None = None, retry_after: float | None = None) -> Receipt:
    """An attempt that may succeed later."""
    return Receipt(Outcome.RETRY, status, error, retry_after)
