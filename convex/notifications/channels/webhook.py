"""Webhooks, signed as Standard Webhooks says; the body in one of four forms.

`config`: {"url", "mode"?: "standard" | "cloudevents" | "alertmanager" | "pagerduty",
"headers"?: {name: value}}. `secret`: {"secrets": ["whsec_…", …]} signs with each of them, so that a
receiver can go from one to the next; {"routing_key": …} for PagerDuty; {"url"} when the URL itself
is one. The body does not change between attempts; webhook-timestamp does.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from convex.notifications.channels.forms import alertmanager, cloudevent, pagerduty, standard
from convex.notifications.channels.http import Poster
from convex.notifications.channels.message import Message
from convex.notifications.channels.port import DELIVERED, Destination, Outcome, Receipt, failed
from convex.telemetry.traces import current_trace

PREFIX = "whsec_"
PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
MODES = ("standard", "cloudevents", "alertmanager", "pagerduty")


class WebhookSender:
    """Sends webhooks."""

    def __init__(self, poster: Poster, clock: Callable[[], float] = time.time) -> None:
        self._poster = poster
        self._clock = clock

    async def send(self, message: Message, destination: Destination) -> Receipt:
        """One attempt; in PagerDuty's form one event after the other."""
        mode = destination.config.get("mode", "standard")
        url = str(destination.secret.get("url") or destination.config.get("url") or "")
        if mode == "pagerduty":
            key = str(destination.secret.get("routing_key", ""))
            receipt = DELIVERED
            for event in pagerduty(message, key):
                body, content_type = _dump(event), "application/json"
                receipt = await self._post(url or PAGERDUTY_URL, body, content_type, message, {})
                if receipt.outcome is not Outcome.DELIVERED:
                    return receipt
            return receipt
        if not url:
            return failed("The channel has no URL.")
        content_type = "application/json"
        if mode == "cloudevents":
            content_type = "application/cloudevents+json"
            body = _dump(cloudevent(message))
        elif mode == "alertmanager":
            body = _dump(alertmanager(message))
        else:
            body = _dump(standard(message))
        headers = {
            str(name): str(value) for name, value in destination.config.get("headers", {}).items()
        }
        keys = destination.secret.get("secrets", ())
        return await self._post(url, body, content_type, message, headers, keys)

    async def _post(
        self,
        url: str,
        body: bytes,
        content_type: str,
        message: Message,
        headers: Mapping[str, str],
        keys: Sequence[str] = (),
    ) -> Receipt:
        trace = current_trace()
        signed = {
            **headers,
            **({"traceparent": trace} if trace else {}),
            "Content-Type": content_type,
            **sign(keys, webhook_id(message), int(self._clock()), body),
        }
        return await self._poster.post(url, body, signed)


def _dump(body: Mapping[str, Any]) -> bytes:
    """Sorted, since a payload that has been in the database comes back in another order."""
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def webhook_id(message: Message) -> str:
    """The same for every attempt at a notification."""
    return f"msg_{message.id.hex}"


def sign(keys: Sequence[str], identifier: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks, one signature for each key."""
    content = f"{identifier}.{timestamp}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(hmac.digest(read_key(key), content, hashlib.sha256)).decode()
        for key in keys
    ]
    headers = {"webhook-id": identifier, "webhook-timestamp": str(timestamp)}
    if signatures:
        headers["webhook-signature"] = " ".join(signatures)
    return headers


def new_key() -> str:
    """A fresh signing secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def read_key(key: str) -> bytes:
    """The bytes of a secret `whsec_<base64>`. Raises `ValueError` when it is not one."""
    try:
        decoded = base64.b64decode(key.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("A signing secret is whsec_ and base64.") from None
    if not decoded:
        raise ValueError("A signing secret must not be empty.")
    return decoded


def check(config: Mapping[str, Any], secret: Mapping[str, Any]) -> str:
    """What is wrong with the settings of a webhook channel, or nothing."""
    mode = config.get("mode", "standard")
    if mode not in MODES:
        return f"mode is one of {', '.join(MODES)}, not {mode!r}."
    if mode == "pagerduty":
        return "" if secret.get("routing_key") else "PagerDuty needs a routing key as its secret."
    url = str(secret.get("url") or config.get("url") or "")
    if not url:
        return "A webhook needs a url."
    if not url.lower().startswith(("https://", "http://")):
        return "The url of a webhook begins with https:// or http://."
    if not isinstance(config.get("headers", {}), dict):
        return "headers is an object of names and values."
    for key in secret.get("secrets", ()):
        try:
            if len(read_key(str(key))) < 16:
                return "A signing secret has at least 16 bytes."
        except ValueError as error:
            return str(error)
    return ""
