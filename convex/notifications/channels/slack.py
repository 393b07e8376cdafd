"""Slack by an incoming webhook, as Block Kit within its limits.

`secret`: {"url": "https://hooks.slack.com/…"} (the URL is the credential). `config` may hold
{"mention": "<!here>"}, said with critical firings only. An incoming webhook cannot edit what it
posted, so a resolve is a message of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from convex.notifications.channels.http import Poster
from convex.notifications.channels.message import Message, shorten
from convex.notifications.channels.port import Destination, Receipt, failed
from convex.notifications.model import CRITICAL, Kind

_HEADER, _SECTION, _FIELD, _FIELDS, _TEXT = 150, 3000, 2000, 10, 4000
_SIGNS = {"critical": "🔴", "warning": "🟠", "info": "🔵"}


class SlackSender:
    """Posts to Slack."""

    def __init__(self, poster: Poster) -> None:
        self._poster = poster

    async def send(self, message: Message, destination: Destination) -> Receipt:
        """One attempt."""
        url = str(destination.secret.get("url", ""))
        if not url:
            return failed("The channel has no incoming webhook URL.")
        body = orjson.dumps(blocks(message, str(destination.config.get("mention", ""))))
        return await self._poster.post(url, body, {"Content-Type": "application/json"})


def blocks(message: Message, mention: str = "") -> dict[str, Any]:
    """The message as Slack takes it; `text` is what notifications and screen readers show."""
    done = message.kind is Kind.RESOLVED
    sign = "✅" if done else _SIGNS[message.severity]
    urgent = message.severity == CRITICAL and message.kind in (Kind.FIRING, Kind.ESCALATION)
    content: list[dict[str, Any]] = [
        {
            "type": "header",
            "text": {
                "type": "plain_text",
                "text": shorten(f"{sign} {message.title}", _HEADER),
                "emoji": True,
            },
        }
    ]
    text = "\n".join(escape(line) for line in message.lines)
    if urgent and mention:
        text = f"{mention} {text}"
    if text:
        content.append({"type": "section", "text": _markdown(_cut(text, _SECTION))})
    fields = [
        _markdown(_cut(f"*{escape(name)}*\n{escape(value)}", _FIELD))
        for name, value in message.facts[:_FIELDS]
    ]
    if fields:
        content.append({"type": "section", "fields": fields})
    links = [f"<{_link(message.url)}|Open in Convex>"]
    if message.runbook_url:
        links.append(f"<{_link(message.runbook_url)}|Runbook>")
    content.append({"type": "context", "elements": [_markdown(_cut(" · ".join(links), _FIELD))]})
    return {"text": shorten(escape(message.title), _TEXT), "blocks": content}


def escape(text: str) -> str:
    """The three characters that Slack reads as control."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def check(config: Mapping[str, Any], secret: Mapping[str, Any]) -> str:
    """What is wrong with the settings of a Slack channel, or nothing."""
    url = str(secret.get("url", ""))
    if not url.startswith(("https://", "http://")):
        return "Slack needs the URL of an incoming webhook as its secret."
    return "" if isinstance(config.get("mention", ""), str) else "mention is a text."


def _markdown(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def _cut(text: str, most: int) -> str:
    """Shorten without leaving half an entity at the end."""
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    start = kept.rfind("&", max(0, len(kept) - 5))
    if start >= 0 and ";" not in kept[start:]:
        kept = kept[:start]
    return kept + "…"


def _link(url: str) -> str:
    return url.replace("|", "%7C").replace(">", "%3E").replace("<", "%3C")
