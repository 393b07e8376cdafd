"""All senders of a process, opened together and sharing one HTTP session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from convex.notifications.channels import apprise, email, slack, webhook
from convex.notifications.channels.guard import Guard
from convex.notifications.channels.http import Poster
from convex.notifications.channels.port import Sender
from convex.notifications.model import ChannelKind
from convex.settings import Settings

Senders = Mapping[ChannelKind, Sender]

# What is wrong with the settings of a channel, by kind; an empty text when nothing is.
CHECKS: Mapping[ChannelKind, Callable[[Mapping[str, Any], Mapping[str, Any]], str]] = {
    ChannelKind.IN_APP: lambda config, secret: (
        "The inbox has no settings." if config or secret else ""
    ),
    ChannelKind.EMAIL: email.check,
    ChannelKind.SLACK: slack.check,
    ChannelKind.WEBHOOK: webhook.check,
    ChannelKind.APPRISE: apprise.check,
}


@asynccontextmanager
async def open_senders(settings: Settings) -> AsyncIterator[Senders]:
    """A sender for each kind that leaves the database; in_app does not."""
    guard = Guard(settings.delivery.allowed_hosts)
    timeout = settings.delivery.timeout.total_seconds()
    async with (
        Poster.open(guard, timeout) as poster,
        email.EmailSender.open(settings.smtp, timeout) as mail,
    ):
        yield {
            ChannelKind.EMAIL: mail,
            ChannelKind.SLACK: slack.SlackSender(poster),
            ChannelKind.WEBHOOK: webhook.WebhookSender(poster),
            ChannelKind.APPRISE: apprise.AppriseSender(guard, timeout),
        }
