"""The demo's workspace through the real API: made once, found again, changed where it differs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import aiohttp
import pytest_asyncio

from convex.cli.sign_in import read_sign_in
from convex.db import Database
from convex.settings import Settings
from demo.blueprint import Blueprint
from demo.client import Api
from demo.sinks import Sink, Sinks
from demo.state import DemoState
from demo.summary import newest_points, summarise
from demo.timeline import DemoPoint
from demo.workspace import Account, Loaded, blueprint_of, load_blueprint, prepare_account
from tests.api.conftest import serve

SINKS = Sinks(Sink(port=1), Sink(port=2), Sink(port=2))


@dataclass
class Room:
    """One home with its API."""

    settings: Settings
    worker: Database
    api: Api
    state: DemoState

    async def load(self, blueprint: Blueprint) -> tuple[Account, Loaded]:
        account = await prepare_account(self.worker, self.settings, blueprint)
        member = await self.api.sign_in(account.email, account.password, account.slug)
        loaded = await load_blueprint(
            self.worker, self.settings, account, self.state, member, blueprint
        )
        return account, loaded


@pytest_asyncio.fixture
async def room(fresh_settings: Settings, fresh_worker: Database) -> AsyncIterator[Room]:
    async with serve(fresh_settings) as running, aiohttp.ClientSession() as session:
        state = DemoState.load(fresh_settings.home)
        yield Room(fresh_settings, fresh_worker, Api(session, running.url), state)


async def test_loading_the_workspace_again_changes_nothing(room: Room) -> None:
    blueprint = blueprint_of(SINKS, room.state.webhook_secret)
    account, loaded = await room.load(blueprint)
    made = loaded.frameworks + loaded.metrics + loaded.rules + loaded.channels
    assert (loaded.frameworks, loaded.metrics, loaded.channels) == (3, 24, 4)
    assert loaded.rules + len(loaded.refused) == len(blueprint.rules)
    assert loaded.changes == made + 1  # and the preferences
    again, nothing = await room.load(blueprint)
    assert again == account
    assert nothing.changes == 0
    kept = read_sign_in(room.settings.home)
    assert (kept["email"], kept["password"]) == (account.email, account.password)


async def test_what_differs_is_changed_and_nothing_else(room: Room) -> None:
    blueprint = blueprint_of(SINKS, room.state.webhook_secret)
    await room.load(blueprint)
    moved = blueprint_of(Sinks(Sink(port=1), Sink(port=3), Sink(port=3)), "whsec_" + "A" * 32)
    stricter = {**moved.rules[0], "threshold_value": 0.3, "for": "120m"}
    _, loaded = await room.load(replace(moved, rules=[stricter, *moved.rules[1:]]))
    assert loaded.changes == 3  # one rule, the webhook and the Slack channel


async def test_a_lost_sign_in_is_made_anew(room: Room) -> None:
    blueprint = blueprint_of(SINKS, room.state.webhook_secret)
    before, _ = await room.load(blueprint)
    (room.settings.home / "sign-in.json").unlink()
    after, _ = await room.load(blueprint)
    assert after.workspace_id == before.workspace_id
    assert after.password != before.password
    assert after.api_key != before.api_key


async def test_points_pushed_with_its_key_are_counted_and_heard_live(room: Room) -> None:
    account, _ = await room.load(blueprint_of(SINKS, room.state.webhook_secret))
    member = await room.api.sign_in(account.email, account.password, account.slug)
    now = datetime.now(UTC).replace(microsecond=0)
    point = DemoPoint(now, "ewr", "on_time_rate", 0.1)
    async with member.listen(None) as listener:
        answer = await room.api.bearer(account.api_key).push([point])
        assert (answer["accepted"], len(answer["triggers"])) == (1, 1)
        assert await listener.reached(listener.start + 1, within=10)
        assert [alert["id"] for alert in listener.alerts] == answer["triggers"]
    async with member.listen(listener.start) as resumed:
        assert await resumed.reached(listener.cursor, within=10)
        assert resumed.total == listener.total
    assert await newest_points(room.worker, account.workspace_id) == {("ewr", "on_time_rate"): now}
    summary = await summarise(room.worker, account.workspace_id)
    assert (summary.points, summary.series, summary.triggers["threshold"]) == (1, 1, 1)
    said = summary.as_json(live_events=listener.total, seconds={"start": 1.23})
    assert (said["live_events"], said["seconds"]) == (1, {"start": 1.2})
