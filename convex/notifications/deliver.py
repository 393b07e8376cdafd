"""One attempt at one notification: build the message, open the secrets, hand it over, judge."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote, urlsplit
from uuid import UUID

import orjson

from convex.errors import ConvexError
from convex.notifications.channels.message import Message, build
from convex.notifications.channels.port import Destination, Outcome, Receipt, failed, retry
from convex.notifications.channels.registry import Senders
from convex.notifications.outbox import Attempt, Claim
from convex.notifications.retry import pause
from convex.notifications.templates import apply
from convex.notifications.unsubscribe import unsubscribe_url
from convex.secrets import decrypt
from convex.settings import SecretSettings, Settings
from convex.telemetry import get_log
from convex.telemetry.metrics import notification_latency, notifications
from convex.telemetry.traces import resume, span

_log = get_log(__name__)
_SHORTEST_SECRET = 6  # letters; shorter ones are words that a message may have anyway
_GRACE = 5.0  # seconds beyond the senders' own timeouts, should one not keep to its own


def redact(text: str, secret: Mapping[str, Any]) -> str:
    """The text without anything of the secret: a destination may say back what it was sent.

    Of a URL its path and query count as secret too, which is where services put their tokens.
    """
    values = [one for value in secret.values() for one in (value if _is_list(value) else [value])]
    hidden: set[str] = set()
    for value in map(str, values):
        hidden |= {value, quote(value, safe="")}
        if "://" in value:
            parts = urlsplit(value)
            hidden |= {parts.path, parts.query, *parts.path.split("/"), parts.password or ""}
    for one in sorted(hidden, key=len, reverse=True):
        if len(one) >= _SHORTEST_SECRET:
            text = text.replace(one, "…")
    return text


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


class Courier:
    """Delivers claimed notifications; holds opened secrets in memory for as long as it lives."""

    def __init__(
        self,
        settings: Settings,
        secrets: SecretSettings,
        senders: Senders,
        rng: random.Random | None = None,
    ) -> None:
        self._settings = settings
        self._secrets = secrets
        self._senders = senders
        self._rng = rng or random.Random()
        self._opened: dict[UUID, tuple[int, Mapping[str, Any]]] = {}

    async def deliver(self, claim: Claim) -> Attempt:
        """Attempt it once; never raises but for cancellation.

        What it does belongs to the trace of the request that caused it.
        """
        if not claim.traceparent:
            return await self._deliver(claim)
        with (
            resume(claim.traceparent),
            span(
                f"deliver by {claim.channel_kind.value}",
                kind="producer",
                convex__notification_id=str(claim.id),
                convex__kind=claim.kind.value,
                convex__attempt=claim.attempt,
            ) as recorded,
        ):
            attempt = await self._deliver(claim)
            recorded.tell(convex__outcome=attempt.outcome.value)
            if attempt.outcome is not Outcome.DELIVERED:
                recorded.fail(attempt.outcome.value)
            return attempt

    async def _deliver(self, claim: Claim) -> Attempt:
        started_at = datetime.now(UTC)
        try:
            receipt = await self._send(claim)
        except ConvexError as error:
            receipt = failed(error.message)
        except Exception as error:  # a fault of ours must not stop the others
            _log.exception("notification not handed over", notification_id=str(claim.id))
            receipt = retry(f"Internal error: {type(error).__name__}.")
        attempt = self._judge(claim, receipt, started_at, datetime.now(UTC))
        notifications.labels(claim.channel_kind.value, attempt.outcome.value).inc()
        if attempt.outcome is Outcome.DELIVERED and claim.attempt == 1:
            waited = (attempt.started_at - max(claim.due_at, claim.created_at)).total_seconds()
            notification_latency.observe(max(waited, 0.0))
        return attempt

    async def _send(self, claim: Claim) -> Receipt:
        sender = self._senders.get(claim.channel_kind)
        if sender is None:
            return failed(f"Nothing here sends by {claim.channel_kind.value}.")
        shared = claim.recipient_id is None
        if shared and claim.channel_id is None:
            return failed("The channel was removed.", blames_channel=False)
        destination = Destination(claim.config, self._open(claim))
        seconds = self._settings.delivery.timeout.total_seconds() + _GRACE
        try:
            async with asyncio.timeout(seconds):
                receipt = await sender.send(self.message(claim), destination)
        except TimeoutError:
            return retry("No answer in time.")
        if receipt.error and destination.secret:
            return replace(receipt, error=redact(receipt.error, destination.secret))
        return receipt

    def message(self, claim: Claim) -> Message:
        """What is said, the rule's templates applied."""
        link = ""
        if claim.recipient_id is not None:
            link = unsubscribe_url(
                self._settings.base_url,
                self._secrets.signing_key,
                claim.workspace_id,
                claim.recipient_id,
            )
        message = build(
            identity=claim.id,
            workspace_id=claim.workspace_id,
            kind=claim.kind,
            severity=claim.severity,
            payload=claim.payload,
            carried=claim.carried,
            created_at=claim.created_at,
            base_url=self._settings.base_url,
            step=claim.step,
            group_key=claim.group_key,
            recipient=claim.email,
            recipient_name=claim.recipient_name,
            unsubscribe_url=link,
        )
        return apply(message, claim.channel_kind) if message.templates else message

    def _open(self, claim: Claim) -> Mapping[str, Any]:
        if claim.channel_id is None or claim.sealed is None:
            return {}
        known = self._opened.get(claim.channel_id)
        if known is None or known[0] != claim.channel_version:
            text = decrypt(claim.sealed, self._secrets.encryption_key)
            known = (claim.channel_version, cast("Mapping[str, Any]", orjson.loads(text)))
            self._opened[claim.channel_id] = known
        return known[1]

    def _judge(
        self, claim: Claim, receipt: Receipt, started_at: datetime, finished_at: datetime
    ) -> Attempt:
        outcome, again_at = receipt.outcome, None
        if outcome is Outcome.RETRY:
            if claim.attempt >= self._settings.delivery.attempts:
                outcome = Outcome.FAILED
            else:
                again_at = finished_at + pause(claim.attempt, receipt.retry_after, self._rng)
        return Attempt(
            claim=claim,
            outcome=outcome,
            started_at=started_at,
            finished_at=finished_at,
            status=receipt.status,
            # PostgreSQL keeps no NUL, and a destination may say what it likes
            error=receipt.error and receipt.error.replace("\0", ""),
            again_at=again_at,
            gone=receipt.gone,
            blames_channel=receipt.blames_channel,
            exhausted=receipt.outcome is Outcome.RETRY and outcome is Outcome.FAILED,
        )
