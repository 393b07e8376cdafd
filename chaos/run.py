"""One run: start, load, kill, wait until it is quiet, prove."""

from __future__ import annotations

import asyncio
import random
import secrets
import shutil
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp

from chaos import leaks, prove
from chaos.journal import Journal
from chaos.listeners import listening
from chaos.load import THRESHOLD, Keys, Load
from chaos.receiver import Receiver, receiving
from chaos.stand import VICTIMS, Stand
from convex.cli.probe import is_well
from convex.db import SYSTEM, Database, Identity, Role
from convex.db.roles import admin_url, role_url
from convex.notifications import channel_store, preference_store
from convex.notifications.channel_store import ChannelDraft
from convex.notifications.model import ChannelKind
from convex.secrets import load_secrets
from convex.settings import PoolSettings, Settings
from convex.workspaces import service

# A node takes half a minute to come back, in which nothing else can be killed.
_WEIGHTS = {kind: 1 if kind == "node" else 4 for kind in VICTIMS}
_READY_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, how much, and by which dice."""

    seconds: float
    clients: int
    seed: int
    pause: tuple[float, float]  # seconds between two kills, at least and at most
    victims: tuple[str, ...] = VICTIMS
    frameworks: int = 4
    steady: int = 25
    episodes_a_second: float = 2.0
    readers: int = 4


@dataclass(slots=True)
class Outcome:
    """`figures` for people and machines, `wrong`: what should have held and did not."""

    figures: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, name: str, found: tuple[dict[str, Any], list[str]]) -> None:
        """Take the result of a proof."""
        self.figures[name] = found[0]
        self.wrong += found[1]


async def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """The whole of it, in a home that is gone afterwards (kept when something was wrong)."""
    outcome = Outcome(
        {"plan": {"seconds": plan.seconds, "clients": plan.clients, "seed": plan.seed}}
    )
    with _home() as home:
        async with receiving() as receiver:
            variables = {
                "CONVEX_DELIVERY__ALLOWED_HOSTS": f'["127.0.0.1:{receiver.port}"]',
                "CONVEX_LOG_LEVEL": "WARNING",
            }
            stand = Stand(home, variables)
            say(f"Starting Convex in {home}")
            outcome.figures["start_seconds"] = round(await stand.start(), 1)
            try:
                await _run(plan, stand, receiver, outcome, say)
            except Exception:
                say(f"The logs are in {home / 'logs'}: {stand.last_words()}")
                raise
            finally:
                status = await stand.stop()
        if status != 0:
            outcome.wrong.append(f"convex up ended with {status}")
        if left := stand.left_over():
            outcome.wrong.append(f"{len(left)} processes are left over: {left}")
        outcome.wrong += _crashes(home)
        if outcome.wrong:
            kept = Path(tempfile.mkdtemp(prefix="convex-chaos-logs-"))
            shutil.copytree(home / "logs", kept, dirs_exist_ok=True)
            say(f"The logs are kept in {kept}")
    return outcome


async def _run(
    plan: Plan, stand: Stand, receiver: Receiver, outcome: Outcome, say: Callable[[str], None]
) -> None:
    settings = Settings(home=stand.home, api_port=stand.api_port)
    url = role_url(settings, "convex_worker")
    pool = PoolSettings(minimum=1, maximum=2)
    journal, rng = Journal(), random.Random(plan.seed)
    async with Database.open(url, pool, application="chaos") as database:
        workspace_id, keys = await _prepare(settings, database, receiver, plan.readers)
        frameworks = await _watch(stand.url, keys.write, plan.frameworks)
        load = Load(
            stand.url,
            keys,
            frameworks,
            journal,
            seed=plan.seed,
            steady=plan.steady,
            episodes_a_second=plan.episodes_a_second,
        )
        before = await leaks.look(stand, admin_url(settings))
        watch = leaks.Watch(stand)
        watching = asyncio.create_task(watch.run())
        ids = [str(one) for one in frameworks.values()]
        say(f"{plan.clients} subscribers connect")
        async with listening(stand.url, keys.read[0], ids, plan.clients, plan.seed) as listeners:
            say(f"Load and failures for {plan.seconds:.0f} s (seed {plan.seed})")
            loading = asyncio.create_task(load.run())
            outcome.figures["killed"] = await _kill(plan, stand, rng, loading, say)
            outcome.figures["ready_again_seconds"] = await _until_ready(stand)
            load.stop()
            await asyncio.wait_for(loading, 120)
            say("The load has ended; waiting until everything is planned and delivered")
            settled = await prove.until_settled(database, 180)
            outcome.figures["settled_seconds"] = settled
            if settled is None:
                outcome.wrong.append("notifications are still due three minutes after the end")
            expected = await prove.expected_events(database, ids)
            heard = await listeners.finish(expected, 60)
        watching.cancel()
        say("Proving")
        outcome.add("points", await prove.prove_points(database, journal))
        outcome.add("triggers", await prove.prove_triggers(database, journal))
        outcome.add("ledger", await prove.prove_ledger(database, receiver))
        outcome.add("events", await prove.prove_events(database, heard))
        outcome.wrong += await prove.prove_audit(database, workspace_id)
        outcome.wrong += list(dict.fromkeys(journal.wrong))[:20]
        outcome.figures["requests"] = _requests(journal)
        await _prove_quiet(stand, settings, before, watch, outcome)


async def _prove_quiet(
    stand: Stand, settings: Settings, before: leaks.Quiet, watch: leaks.Watch, outcome: Outcome
) -> None:
    """Leaks are what is still held after half a minute without anything to do."""
    after = await leaks.look(stand, admin_url(settings))
    for _ in range(60):
        if not leaks.compare(before, after):
            break
        await asyncio.sleep(0.5)
        after = await leaks.look(stand, admin_url(settings))
    outcome.figures["most_held"] = {
        kind: {"megabytes": round(most.megabytes), "files": most.files}
        for kind, most in watch.most.items()
    }
    outcome.figures["quiet_before"], outcome.figures["quiet_after"] = (
        before.figures(),
        after.figures(),
    )
    outcome.wrong += leaks.compare(before, after)


async def _kill(
    plan: Plan,
    stand: Stand,
    rng: random.Random,
    loading: asyncio.Task[None],
    say: Callable[[str], None],
) -> dict[str, int]:
    """Kill at random until the time is over; how many of each. Each kind comes up at least once.

    Ends early, with its error, when the load fails.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + plan.seconds
    killed: Counter[str] = Counter()
    waiting = rng.sample(plan.victims, len(plan.victims))
    weights = [_WEIGHTS[kind] for kind in plan.victims]
    while True:
        await asyncio.wait([loading], timeout=min(rng.uniform(*plan.pause), end - loop.time()))
        if loading.done():
            loading.result()
            raise RuntimeError("the load ended before its time")
        if loop.time() >= end:
            return dict(killed)
        kind = waiting.pop() if waiting else rng.choices(plan.victims, weights)[0]
        if not await stand.kill(kind, rng.choice):
            waiting.insert(0, kind)  # it is away already: its turn comes again
            continue
        killed[kind] += 1
        say(f"{end - loop.time():5.0f} s to go: killed {kind}")
        if kind == "node":  # whose time to come back is not taken from the others
            end += await _start_again(stand, say)


async def _start_again(stand: Stand, say: Callable[[str], None]) -> float:
    """As a service manager does: once more when it does not come up; the seconds that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        await stand.start()
    except RuntimeError as error:
        say(f"once more: {error}")
        await stand.stop()
        await stand.start()
    return loop.time() - began


async def _until_ready(stand: Stand) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not (
        await is_well("127.0.0.1", stand.api_port, "/readyz")
        and all(stand.living(kind) for kind in VICTIMS)
    ):
        if loop.time() > began + _READY_SECONDS:
            away = [kind for kind in VICTIMS if not stand.living(kind)]
            raise RuntimeError(f"not ready {_READY_SECONDS:.0f} s after the last kill: {away}")
        await asyncio.sleep(0.1)
    return round(loop.time() - began, 1)


async def _prepare(
    settings: Settings, database: Database, receiver: Receiver, readers: int
) -> tuple[UUID, Keys]:
    """A workspace with one member who is told everything at once, in the inbox and by webhook."""
    async with database.transaction(SYSTEM) as connection:
        user = await service.create_user(
            connection, email="chaos@example.com", name="Chaos", password=secrets.token_hex(8)
        )
        workspace_id = await service.create_workspace(
            connection, slug="chaos", name="Chaos", owner_id=user.id
        )
    identity = Identity(workspace_id, Role.SYSTEM)
    async with database.transaction(identity) as connection:
        made = []
        for number, scopes in enumerate([["read", "ingest", "write"], *[["read"]] * readers]):
            _, key = await service.create_api_key(
                connection, workspace_id, name=f"chaos-{number}", scopes=scopes
            )
            made.append(key)
        draft = ChannelDraft("hook", ChannelKind.WEBHOOK, {"url": receiver.url})
        seal = load_secrets(settings).encryption_key
        await channel_store.create_channel(connection, identity, draft, seal)
        await preference_store.save_preferences(
            connection,
            identity,
            {"group_by": "none", "channels": ["in_app", "hook"]},
            now=datetime.now(UTC),
            for_workspace=True,
        )
    return workspace_id, Keys(made[0], tuple(made[1:]))


async def _watch(url: str, key: str, count: int) -> dict[str, UUID]:
    """Frameworks with a rule each; their ids by slug."""
    headers = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def post(path: str, body: dict[str, Any]) -> Any:
            async with session.post(f"{url}/api/v1{path}", json=body) as answer:
                answer.raise_for_status()
                return await answer.json()

        found = {}
        for number in range(count):
            slug = f"f{number}"
            framework = await post("/frameworks", {"slug": slug, "name": slug.upper()})
            metric = await post("/metrics", {"framework_id": framework["id"], "name": "load"})
            rule = {
                "name": f"Too much in {slug}",
                "framework_id": framework["id"],
                "metric_id": metric["id"],
                "type": "threshold",
                "condition": "above",
                "threshold_value": THRESHOLD,
                "severity": "critical",
            }
            await post("/alert-rules", rule)
            found[slug] = UUID(framework["id"])
    return found


def _requests(journal: Journal) -> dict[str, Any]:
    taken = sorted(journal.seconds)
    return {
        "answers": dict(journal.answers),
        "without_an_answer": dict(journal.lost),
        "batch_ms": {
            "p50": round(statistics.median(taken) * 1000) if taken else None,
            "p99": round(taken[int(len(taken) * 0.99)] * 1000) if taken else None,
        },
    }


def _crashes(home: Path) -> list[str]:
    """Tracebacks in the API's log that nobody turned into an answer."""
    log = home / "logs" / "api.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [line for line in text.splitlines() if "Task exception was never retrieved" in line]
    return [f"the API's log: {lines[0][:300]} ({len(lines)} times)"] if lines else []


@contextmanager
def _home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="convex-chaos-"))
    home.chmod(0o755)  # the user of the servers passes through it
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
