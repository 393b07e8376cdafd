"""The demo's receivers accept what keeps to the protocol, refuse the rest, and count both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import aiohttp
import aiosmtplib
import pytest
from standardwebhooks import Webhook

from demo.sinks import HOST, Sinks, block_fault, open_sinks

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"


@pytest.fixture
async def sinks() -> AsyncIterator[Sinks]:
    async with open_sinks(SECRET) as opened:
        yield opened


def message(**headers: str) -> EmailMessage:
    mail = EmailMessage()
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("EWR cancels more than a fifth of its flights.")
    return mail


def signed(secret: str, identifier: str, body: str) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(identifier, now, body),
    }


async def post(url: str, body: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body.encode(), headers=headers) as response,
    ):
        return response.status, await response.text()


async def test_a_notification_mail_is_taken_once_and_its_repeat_is_counted_apart(
    sinks: Sinks,
) -> None:
    mail = message(
        From="convex@localhost",
        To="demo@convex.example",
        Subject="Cancellations – EWR",
        Message_ID="<one@convex>",
        Auto_Submitted="auto-generated",
    )
    for _ in range(2):
        await aiosmtplib.send(mail, hostname=HOST, port=sinks.email.port, start_tls=False)
    assert list(sinks.email.accepted.values()) == ["Cancellations – EWR"]
    assert sinks.email.repeated == 1


async def test_a_mail_that_hides_that_it_is_automatic_is_refused(sinks: Sinks) -> None:
    mail = message(From="a@localhost", To="b@localhost", Subject="Hi", Message_ID="<x@convex>")
    with pytest.raises(aiosmtplib.SMTPDataError, match="Auto-Submitted"):
        await aiosmtplib.send(mail, hostname=HOST, port=sinks.email.port, start_tls=False)
    assert sinks.email.refused == ["no Auto-Submitted"]
    assert not sinks.email.accepted


async def test_a_webhook_with_a_right_signature_is_taken_and_a_wrong_one_is_not(
    sinks: Sinks,
) -> None:
    body = '{"type":"alert.firing"}'
    other = "whsec_" + "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"
    status, _ = await post(sinks.webhook_url, body, signed(SECRET, "msg_1", body))
    assert status == 204
    status, _ = await post(sinks.webhook_url, body, signed(other, "msg_2", body))
    assert status == 401
    assert sinks.webhook.accepted == {"msg_1": "alert.firing"}
    assert len(sinks.webhook.refused) == 1


async def test_slack_answers_as_slack_does(sinks: Sinks) -> None:
    assert await post(sinks.slack_url, '{"text":"EWR"}') == (200, "ok")
    assert await post(sinks.slack_url, '{"text":""}') == (400, "no_text")
    assert await post(sinks.slack_url, "{") == (400, "invalid_payload")
    assert list(sinks.slack.accepted.values()) == ["EWR"]
    assert sinks.slack.refused == ["no_text", "invalid_payload"]


async def test_a_wanted_port_that_is_taken_gives_way_to_a_free_one(sinks: Sinks) -> None:
    taken = {"email_port": sinks.email.port, "http_port": sinks.webhook.port}
    async with open_sinks(SECRET, **taken) as others:
        assert others.email.port != sinks.email.port
        assert others.addresses != sinks.addresses


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        ({"text": "x", "blocks": [{"type": "divider"}]}, ""),
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 150}}]}, ""),
        (
            {"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]},
            "invalid_blocks",
        ),
        (
            {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]},
            "invalid_blocks",
        ),
        ({"blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}]}]}, ""),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"blocks": ["divider"]}, "invalid_blocks"),
        ([], "invalid_payload"),
    ],
)
def test_block_kit_has_its_limits(payload: Any, fault: str) -> None:
    assert block_fault(payload) == fault
