"""A webhook that was sent verifies with the official libraries, in Python and in JavaScript."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from convex.notifications.channels.guard import Guard
from convex.notifications.channels.http import Poster
from convex.notifications.channels.port import Destination
from convex.notifications.channels.webhook import WebhookSender, new_key
from tests.convex.notifications.receivers import Got, open_http
from tests.convex.notifications.test_channels import message

WEB = Path(__file__).parents[3] / "web"
# Reads [{secret, headers, body}, …], prints for each what verified or why not.
VERIFY = """
const { Webhook } = require("standardwebhooks");
const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
const answers = asked.map(({ secret, headers, body }) => {
  try {
    return new Webhook(secret).verify(body, headers);
  } catch (error) {
    return { refused: error.message };
  }
});
console.log(JSON.stringify(answers));
"""


async def sent(mode: str, keys: list[str]) -> Got:
    """What arrives at a receiver."""
    async with open_http() as http, Poster.open(Guard([http.address]), 5) as poster:
        destination = Destination({"url": http.url(), "mode": mode}, {"secrets": keys})
        await WebhookSender(poster).send(message(), destination)
    return http.got[0]


def in_python(secret: str, headers: dict[str, str], body: str) -> Any:
    """Verified by the Python library."""
    try:
        return Webhook(secret).verify(body, headers)
    except WebhookVerificationError as error:
        return {"refused": str(error)}


async def in_javascript(asked: list[dict[str, Any]]) -> list[Any]:
    """Verified by the JavaScript library, on Node."""
    beside = Path(sys.executable).with_name("node")
    node = str(beside) if beside.exists() else shutil.which("node")
    if node is None or not (WEB / "node_modules" / "standardwebhooks").exists():
        pytest.skip("`npm ci` in web/ has not been run (`make test` does it)")
    child = await asyncio.create_subprocess_exec(
        *(node, "-e", VERIFY),
        cwd=WEB,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await child.communicate(orjson.dumps(asked))
    assert child.returncode == 0
    found: list[Any] = orjson.loads(output)
    return found


@pytest.mark.parametrize("library", ["python", "javascript"])
async def test_every_active_secret_verifies_and_nothing_else_does(library: str) -> None:
    old, new, other = new_key(), new_key(), new_key()
    asked: list[dict[str, Any]] = []
    for mode in ("standard", "cloudevents", "alertmanager"):
        got = await sent(mode, [new, old])
        body = got.body.decode()
        asked += [{"secret": key, "headers": got.headers, "body": body} for key in (old, new)]
        forged = {**got.headers, "webhook-id": "msg_other"}
        late = {**got.headers, "webhook-timestamp": "1700000000"}
        asked += [
            {"secret": other, "headers": got.headers, "body": body},
            {"secret": new, "headers": got.headers, "body": body.replace("{", "{ ", 1)},
            {"secret": new, "headers": forged, "body": body},
            {"secret": new, "headers": late, "body": body},
        ]
    if library == "python":
        answers = [in_python(**one) for one in asked]
    else:
        answers = await in_javascript(asked)
    for number, (one, answer) in enumerate(zip(asked, answers, strict=True)):
        if number % 6 < 2:
            assert answer == orjson.loads(one["body"])
        else:
            assert set(answer) == {"refused"}
