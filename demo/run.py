"""The run behind `make demo`: everything up, a year of real data, its last day live.

`convex demo` calls `run`. What is on the home already is gone on from: points that are there are
not loaded again, and the live stream is resumed.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import Signals
from typing import Any

import aiohttp

from convex.cli.processes import prefect_api_url
from convex.cli.session import worker_database
from convex.cli.stack import Stack
from convex.db import SYSTEM, Database
from convex.embedded.process import exclusive, write_private
from convex.errors import Unavailable
from convex.metrics.sources.store import get_source
from convex.settings import Settings, load_settings
from demo.client import Api, Listener
from demo.dataset import DATASETS, FLIGHTS, Dataset
from demo.history import still_missing, write_history
from demo.prefect_runs import run_deployment
from demo.replay import replay
from demo.sinks import HOST, Sinks, open_sinks
from demo.stages import Stages
from demo.state import DemoState
from demo.summary import count_pending, newest_points, summarise
from demo.timeline import HOUR, Timeline, build_timeline
from demo.workspace import Account, blueprint_of, load_blueprint, prepare_account

_RESUME = timedelta(hours=23)  # the stream keeps a day
_OUTBOX_SECONDS = 90.0  # what was told within the minute before is told again only after it
_FLOW_SECONDS = 180.0
_TRAINING = 900.0  # two minutes on a quiet machine
_INTERRUPTED = 130


def run(*, once: bool = False, data: str = FLIGHTS.name) -> int:
    """Run the demo with one of the data sets; the exit code.

    With `once` the last line of standard output is its summary.
    Without, it goes on until somebody ends it, which is no failure.
    """
    try:
        asyncio.run(_main(once, DATASETS[data]))
    except asyncio.CancelledError:
        return _INTERRUPTED if once else 0
    return 0


async def _main(once: bool, data: Dataset) -> None:
    stages = Stages()
    stop = _Stop()
    for signal in (Signals.SIGINT, Signals.SIGTERM, Signals.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signal, stop.ask)
    home = load_settings().home
    home.mkdir(parents=True, exist_ok=True)
    message = f"Convex is running on {home} already; stop it with `convex down`."
    with exclusive(home / "up.lock", message), _findable(home):
        state = DemoState.load(home)
        ports = {"email_port": state.email_port, "http_port": state.http_port}
        async with open_sinks(state.webhook_secret, **ports) as sinks:
            state.email_port, state.http_port = sinks.email.port, sinks.webhook.port
            state.save(home)
            settings = _reach(sinks)
            summary: dict[str, Any] | None = None
            async with (
                _running(settings, stages),
                aiohttp.ClientSession() as session,
                worker_database(settings) as database,
            ):
                demo = Demo(settings, state, sinks, stages, session, database, data)
                summary = await demo.show(stay=not once)
    if summary is not None:
        print(json.dumps(summary), flush=True)


class _Stop:
    """Ends the run when asked; asked again, at once: its processes end with their parent."""

    def __init__(self) -> None:
        self._main = asyncio.current_task()
        self._asked = False

    def ask(self) -> None:
        """Cancel the task that made this."""
        if self._asked:
            os._exit(_INTERRUPTED)
        self._asked = True
        assert self._main is not None
        self._main.cancel()


@contextmanager
def _findable(home: Path) -> Iterator[None]:
    """Let `convex down` find this run as it finds `convex up`."""
    write_private(home / "up.json", json.dumps({"state": "demo", "pid": os.getpid()}))
    try:
        yield
    finally:
        (home / "up.json").unlink(missing_ok=True)


@asynccontextmanager
async def _running(settings: Settings, stages: Stages) -> AsyncIterator[None]:
    stack = Stack(settings, stages.say)
    try:
        with stages.stage("start", "Starting Convex"):
            await stack.start()
        yield
    finally:
        await stack.stop()


def _reach(sinks: Sinks) -> Settings:
    """The settings of every process of this run: deliveries go to the demo's own receivers."""
    os.environ |= {
        "CONVEX_SMTP__HOST": HOST,
        "CONVEX_SMTP__PORT": str(sinks.email.port),
        "CONVEX_SMTP__USERNAME": "",
        "CONVEX_SMTP__PASSWORD": "",
        "CONVEX_SMTP__STARTTLS": "false",
        "CONVEX_DELIVERY__ALLOWED_HOSTS": json.dumps(sinks.addresses),
    }
    return load_settings()


class Demo:
    """One run on a Convex that is up."""

    def __init__(
        self,
        settings: Settings,
        state: DemoState,
        sinks: Sinks,
        stages: Stages,
        session: aiohttp.ClientSession,
        database: Database,
        data: Dataset = FLIGHTS,
    ) -> None:
        self._data = data
        self._settings = settings
        self._state = state
        self._sinks = sinks
        self._stages = stages
        self._session = session
        self._database = database

    async def show(self, *, stay: bool) -> dict[str, Any] | None:
        """All stages in order; then the summary, or with `stay` go on until cancelled."""
        stages = self._stages
        with stages.stage("workspace", "Making the workspace"):
            account = await self._load()
        now = datetime.now(UTC)
        with stages.stage("history", self._data.says):
            timeline = await asyncio.to_thread(self._data.timeline, now)
            await self._load_history(account, timeline, now)
        if stay:
            self._introduce(account)
        api, member = self._api, self._member
        async with self._listen(member) as listener:
            with stages.stage("live", "Replaying the last day live"):
                await self._replay(api, account, timeline, pace=1.0 if stay else 0.25)
                await self._acknowledge(member)
            with stages.stage("marts", "Building the marts"):
                await self._run("build-marts/daily")
            with stages.stage("quality", "Checking the data's quality"):
                await self._run("check-quality/check-quality")
            with stages.stage("patterns", "Looking for patterns"):
                workspace = {"workspace_id": str(account.workspace_id)}
                await self._run("detect-patterns/detect-patterns", workspace)
            with stages.stage("predictions", "Training on the year, predicting what comes"):
                await self._run("forecast-alerts/forecast-alerts", workspace, within=_TRAINING)
            with stages.stage("insights", "Writing insights and recommendations"):
                await self._run("build-marts/daily")  # once more: now there are predictions
                await self._run("write-insights/write-insights")
            with stages.stage("delivery", "Waiting until everybody is told"):
                await self._settle(account, soon=_OUTBOX_SECONDS, within=_OUTBOX_SECONDS)
                await self._hear(listener, member)
            live_events = listener.total
        summary = await summarise(self._database, account.workspace_id)
        self._report(summary.triggers, live_events)
        if stay:
            self._introduce(account)
            await self._feed(api, account)
        return summary.as_json(live_events=live_events, seconds=stages.finish())

    async def _load(self) -> Account:
        blueprint = blueprint_of(self._sinks, self._state.webhook_secret, self._data.blueprint)
        account = await prepare_account(
            self._database, self._settings, blueprint, self._data.source, self._data.pattern
        )
        self._api = Api(self._session, self._settings.base_url, account.api_key)
        self._member = await self._api.sign_in(account.email, account.password, account.slug)
        loaded = await load_blueprint(
            self._database, self._settings, account, self._state, self._member, blueprint
        )
        for metric in (await self._member.request("GET", "/metrics?limit=200"))["items"]:
            if (bounds := self._data.ranges.get(metric["name"])) is not None:
                body = {"low": bounds[0], "high": bounds[1]}
                await self._member.request("PUT", f"/quality/ranges/{metric['id']}", json=body)
        self._stages.say(
            f"{loaded.frameworks} frameworks, {loaded.metrics} metrics, {loaded.rules} rules,"
            f" {loaded.channels} channels; {loaded.changes} made or changed"
        )
        if loaded.refused:
            reason = next(iter(loaded.refused.values()))
            self._stages.say(f"{len(loaded.refused)} rules left out for now: {reason}")
        return account

    async def _load_history(self, account: Account, timeline: Timeline, now: datetime) -> None:
        newest = await newest_points(self._database, account.workspace_id)
        points = still_missing(timeline.history, newest)
        home = self._settings.home
        if points or not newest:
            await asyncio.to_thread(write_history, home, points, now, self._data.pattern)
        before = await self._pulled(account)
        with self._stages.bar(f"{len(points):,} points", len(points)) as advance:

            async def watch() -> None:
                advance(await self._pulled(account) - before)

            parameters = {"source_id": str(account.source_id)}
            await self._run("pull-metrics/any", parameters, watch=watch)

    async def _pulled(self, account: Account) -> int:
        async with self._database.read(SYSTEM) as connection:
            return (await get_source(connection, account.source_id)).points_total

    async def _run(
        self,
        deployment: str,
        parameters: Any = None,
        *,
        watch: Any = None,
        within: float = _FLOW_SECONDS,
    ) -> None:
        await run_deployment(
            self._session,
            prefect_api_url(self._settings),
            deployment,
            parameters,
            within=within,
            watch=watch,
        )

    @asynccontextmanager
    async def _listen(self, member: Api) -> AsyncIterator[Listener]:
        """Listen from where the newest live day began, as a client does after a lost connection."""
        state, since = self._state, None
        now = datetime.now(UTC)
        if state.live_since and now - datetime.fromisoformat(state.live_since) < _RESUME:
            since = state.live_cursor
        async with member.listen(since) as listener:
            if since is None:
                state.live_cursor, state.live_since = listener.start, now.isoformat()
                state.save(self._settings.home)
            yield listener

    async def _replay(self, api: Api, account: Account, timeline: Timeline, *, pace: float) -> None:
        newest = await newest_points(self._database, account.workspace_id)
        hours = [
            (hour, missing)
            for hour, points in timeline.live_hours()
            if (missing := still_missing(points, newest))
        ]
        if not hours:
            self._stages.say("Nothing is new since the last run; its events are heard again")
            return
        with self._stages.bar("hours", len(hours)) as advance:
            done = await replay(
                api,
                hours,
                pace=pace,
                settled=lambda: self._settle(account, soon=1, within=5),
                shown=advance,
            )
        self._stages.say(f"{done.accepted} points, {len(done.triggers)} triggers opened or changed")

    async def _acknowledge(self, member: Api) -> None:
        """What somebody on duty does: take the newest alert that nobody has taken yet."""
        found = await member.request("GET", "/alert-triggers?state=firing&historical=false&limit=1")
        for trigger in found["items"]:
            note = {"note": "Looking into it."}
            path = f"/alert-triggers/{trigger['id']}/acknowledge"
            await member.request("POST", path, json=note)
            self._stages.say(f"Acknowledged: {trigger['rule_name']}")

    async def _settle(self, account: Account, *, soon: float, within: float) -> bool:
        """Wait until nothing is left to plan, or to send in the next `soon` seconds.

        False when that has not happened `within` the seconds.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while await count_pending(self._database, account.workspace_id, soon=soon):
            if loop.time() > deadline:
                return False
            await asyncio.sleep(0.05)
        return True

    async def _hear(self, listener: Listener, member: Api) -> None:
        """Wait for the last event of this run, told by a second look at the stream's cursor."""
        async with member.listen(None) as newest:
            if not await listener.reached(newest.start, within=10):
                raise Unavailable(
                    f"The live stream stopped at {listener.cursor}; it is at {newest.start}."
                )

    def _report(self, triggers: dict[str, int], live_events: int) -> None:
        self._stages.say(", ".join(f"{count} {kind}" for kind, count in triggers.items() if count))
        self._stages.say(f"{live_events} events heard live")
        for kind in ("email", "webhook", "slack"):
            sink = getattr(self._sinks, kind)
            self._stages.say(f"{kind}: {len(sink.accepted)} received, {len(sink.refused)} refused")

    def _introduce(self, account: Account) -> None:
        settings, console = self._settings, self._stages.console
        prefect = prefect_api_url(settings).removesuffix("/api")
        console.print(f"\n[bold]Convex[/bold]   {settings.base_url}")
        console.print(f"[bold]Sign in[/bold]  {account.email}  {account.password}")
        console.print(f"[bold]Prefect[/bold]  {prefect}")
        console.print(f"[bold]dbt[/bold]      {settings.base_url}/docs/dbt/")
        console.print(f"[bold]Quality[/bold]  {settings.base_url}/docs/quality/")
        console.print("[dim]Ctrl-C stops everything.[/dim]\n")

    async def _feed(self, api: Api, account: Account) -> None:
        """Push each hour of the demo's data once it is over, until cancelled."""
        year = [] if self._data.feed is None else list(self._data.feed())
        while True:
            now = datetime.now(UTC)
            await asyncio.sleep((HOUR - (now - now.replace(minute=0, second=0))).total_seconds())
            newest = await newest_points(self._database, account.workspace_id)
            for _, points in build_timeline(year, datetime.now(UTC)).live_hours():
                if missing := still_missing(points, newest):
                    await api.push(missing)
