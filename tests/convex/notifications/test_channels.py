"""What each channel says, in its own form, to a real local server where there is one."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from convex.notifications.channels import forms, slack
from convex.notifications.channels.apprise import AppriseSender
from convex.notifications.channels.email import POLICY, EmailSender, compose
from convex.notifications.channels.guard import Guard
from convex.notifications.channels.http import Poster
from convex.notifications.channels.message import Message, Part, build
from convex.notifications.channels.port import Destination, Outcome
from convex.notifications.channels.webhook import WebhookSender, new_key, sign
from convex.notifications.model import Kind
from convex.notifications.snapshot import describe
from convex.settings import SmtpSettings
from demo.sinks import block_fault
from tests.convex.notifications.facts import transition, trigger
from tests.convex.notifications.receivers import open_http, open_mail

ID = UUID(int=5)
MADE = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HARD = "<b>&amp; „Ü“ | > *x* `y`\r\nBcc: all@example.org"


def payload(**changes: Any) -> dict[str, Any]:
    about = trigger(runbook_url="https://runbooks.example/ewr", labels={"carrier": "UA"}, **changes)
    return describe(transition(1, about))


def message(
    kind: Kind = Kind.FIRING,
    severity: str = "critical",
    carried: int = 0,
    **changes: Any,
) -> Message:
    said = payload(severity=severity, **changes)
    return build(
        identity=ID,
        workspace_id=UUID(int=1),
        kind=kind,
        severity=severity,
        payload=said,
        carried=[Part(kind, severity, said)] * carried,
        created_at=MADE,
        base_url="https://convex.example",
        group_key="rule:1",
        recipient="ann@example.org",
        recipient_name="Ann „Ops“",
        unsubscribe_url="https://convex.example/api/v1/unsubscribe/" + "x" * 200,
    )


def test_a_message_says_what_where_how_bad_and_why() -> None:
    said = message()
    assert said.title == "Critical · Firing: Many cancellations · Newark"
    assert said.lines[0] == "0.5 is above 0.2"
    assert ("Value", "0.5") in said.facts
    assert said.url == f"https://convex.example/triggers/{trigger().id}"
    assert message(carried=2).title == "Critical · Firing: 3 × Many cancellations · Newark"


def test_a_mail_has_text_html_thread_and_the_headers_of_an_automatic_one() -> None:
    mail = compose(message(), ["ann@example.org"], "Convex Ops <convex@convex.example>")
    raw = mail.as_bytes(policy=POLICY)
    read = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert read["Message-ID"] == f"<{ID}@convex.example>"
    assert read["References"] == read["In-Reply-To"]
    assert str(trigger().id) in read["References"]
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"List-Unsubscribe: <{message().unsubscribe_url}>\r\n".encode() in raw
    assert "alerts." in read["List-Id"]
    plain, html = read.get_body(("plain",)), read.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "Threshold  0.2" in plain.get_content()
    assert "Runbook: https://runbooks.example/ewr" in plain.get_content()
    assert "<h1" in html.get_content()


def test_nothing_that_a_member_wrote_breaks_a_mail_or_its_html() -> None:
    said = message(rule_name=HARD, reason=HARD, framework_name=HARD)
    raw = compose(said, ["ann@example.org"], "c@convex.example").as_bytes(policy=POLICY)
    read = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert read["Bcc"] is None
    assert "\n" not in read["Subject"]
    html = read.get_body(("html",))
    assert html is not None
    assert "<b>" not in html.get_content()
    assert "&lt;b&gt;&amp;amp;" in html.get_content()


async def test_mails_share_connections_and_replies_decide() -> None:
    async with open_mail() as mail:
        settings = SmtpSettings(host="127.0.0.1", port=mail.port, starttls=False)
        async with EmailSender.open(settings, 5) as sender:
            nowhere = Destination({}, {})
            for _ in range(3):
                receipt = await sender.send(message(), nowhere)
                assert receipt.outcome is Outcome.DELIVERED
            assert mail.connections == 1
            mail.reply = "451 4.3.0 Later"
            again = await sender.send(message(), nowhere)
            mail.reply = "550 5.1.1 Unknown"
            never = await sender.send(message(), nowhere)
            mail.reply = "250 Ok"
            assert (await sender.send(message(), nowhere)).outcome is Outcome.DELIVERED
        assert (again.outcome, again.status) == (Outcome.RETRY, 451)
        assert (never.outcome, never.status) == (Outcome.FAILED, 550)
        port = mail.port
    gone = SmtpSettings(host="127.0.0.1", port=port, starttls=False)
    async with EmailSender.open(gone, 5) as sender:
        assert (await sender.send(message(), Destination({}, {}))).outcome is Outcome.RETRY
    async with EmailSender.open(SmtpSettings(), 5) as sender:
        assert (await sender.send(message(), Destination({}, {}))).outcome is Outcome.FAILED


@given(name=st.text(max_size=4000), reason=st.text(max_size=8000), carried=st.integers(0, 120))
def test_slack_gets_no_more_than_it_takes(name: str, reason: str, carried: int) -> None:
    said = message(rule_name=name, reason=reason, carried=carried)
    body = slack.blocks(said, mention="<!here>")
    assert not block_fault(body)
    for block in body["blocks"]:
        for field in block.get("fields", ()):
            assert len(field["text"]) <= 2000


def test_slack_reads_nothing_as_control_that_a_member_wrote() -> None:
    body = orjson.dumps(slack.blocks(message(rule_name="<!channel> & co", reason=HARD))).decode()
    assert "<!channel>" not in slack.blocks(message(rule_name="<!channel>"))["text"]
    assert "&lt;b&gt;&amp;amp;" in body
    assert "<!here>" in orjson.dumps(slack.blocks(message(), "<!here>")).decode()
    resolved = message(Kind.RESOLVED, state="resolved", resolution="recovered", resolved_at=MADE)
    assert "<!here>" not in orjson.dumps(slack.blocks(resolved, "<!here>")).decode()
    assert slack.blocks(resolved)["blocks"][0]["text"]["text"].startswith("✅ Resolved")


async def test_a_webhook_verifies_with_every_active_secret() -> None:
    old, new = new_key(), new_key()
    async with open_http() as http, Poster.open(Guard([http.address]), 5) as poster:
        destination = Destination({"url": http.url()}, {"secrets": [new, old]})
        receipt = await WebhookSender(poster).send(message(), destination)
    assert receipt.outcome is Outcome.DELIVERED
    got = http.got[0]
    for key in (old, new):
        assert Webhook(key).verify(got.body, got.headers)["type"] == "alert.firing"
    assert got.headers["webhook-id"] == f"msg_{ID.hex}"
    assert got.json["timestamp"] == "2026-03-10T12:00:00Z"


def test_signatures_are_those_of_the_official_library() -> None:
    key, body, at = new_key(), b'{"a":1}', datetime(2026, 1, 1, tzinfo=UTC)
    ours = sign([key], "msg_1", int(at.timestamp()), body)
    assert ours["webhook-signature"] == Webhook(key).sign("msg_1", at, body.decode())


async def test_the_other_forms_of_a_webhook() -> None:
    async with open_http() as http, Poster.open(Guard([http.address]), 5) as poster:
        sender = WebhookSender(poster)
        for mode in ("cloudevents", "alertmanager", "pagerduty"):
            config = {"url": http.url(f"/{mode}"), "mode": mode}
            secret = {"routing_key": "key"} if mode == "pagerduty" else {}
            said = message(carried=1)
            assert (await sender.send(said, Destination(config, secret))).outcome == "delivered"
    event, alerts, first, second = (one.json for one in http.got)
    assert http.got[0].headers["content-type"] == "application/cloudevents+json"
    assert (event["specversion"], event["type"]) == ("1.0", "convex.alert.firing")
    assert (alerts["version"], alerts["status"], len(alerts["alerts"])) == ("4", "firing", 2)
    assert alerts["commonLabels"]["alertname"] == "Many cancellations"
    assert first["event_action"] == second["event_action"] == "trigger"
    assert first["payload"]["severity"] == "critical"
    assert first["dedup_key"] == str(trigger().id)


def test_ends_in_the_other_forms() -> None:
    said = message(Kind.RESOLVED, state="resolved", resolved_at=MADE, resolution="recovered")
    assert next(forms.pagerduty(said, "key"))["event_action"] == "resolve"
    body = forms.alertmanager(said)
    assert (body["status"], body["alerts"][0]["endsAt"]) == ("resolved", "2026-03-10T12:00:00Z")
    acknowledged = message(Kind.ACKNOWLEDGED)
    assert next(forms.pagerduty(acknowledged, "key"))["event_action"] == "acknowledge"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # in a plugin
async def test_apprise_reaches_what_it_knows_and_not_the_machine_itself() -> None:
    async with open_http() as http:
        sender = AppriseSender(Guard([http.address]), 10)
        url = f"json://127.0.0.1:{http.port}/notify"
        receipt = await sender.send(message(), Destination({}, {"url": url}))
        assert receipt.outcome is Outcome.DELIVERED
        assert http.got[0].json["title"] == message().title
        closed = AppriseSender(Guard(), 10)
        refused = await closed.send(message(), Destination({}, {"url": url}))
        assert "Not called" in (refused.error or "")
    local = await sender.send(message(), Destination({}, {"url": "syslog://"}))
    assert local.outcome is Outcome.FAILED


@pytest.mark.parametrize("what", ["slow", "garbage", "close"])
async def test_a_receiver_that_does_not_answer_well_is_tried_again(what: str) -> None:
    async def badly(request: web.Request) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        if what == "garbage":
            transport.write(b"\x00\x01 not HTTP at all\r\n\r\n")
        if what == "slow":
            response = web.StreamResponse()
            await response.prepare(request)
            return await _never(response)
        transport.close()
        return web.Response()

    async def _never(response: web.StreamResponse) -> web.StreamResponse:
        import asyncio

        await asyncio.sleep(3)
        return response

    async with open_http(badly) as http, Poster.open(Guard([http.address]), 0.5) as poster:
        receipt = await poster.post(http.url(), b"{}", {})
    if what == "slow":
        assert receipt.outcome is Outcome.DELIVERED, "its 200 was seen; the body is not awaited"
    else:
        assert receipt.outcome is Outcome.RETRY
