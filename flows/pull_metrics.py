"""Pull a source's new points and evaluate them, batch by batch.

Each batch is one transaction: its points, what evaluating them changes, and the source's cursor. A
run that ends anywhere is gone on from there, so its task may be retried.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from uuid import UUID

from prefect import task
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.tasks import Task, exponential_backoff

from convex.alerts.external import Report, report
from convex.alerts.external import Source as Origin
from convex.alerts.ingest import IngestResult, ingest_points
from convex.db import SYSTEM, Database, Identity, Role
from convex.db.roles import role_url
from convex.embedded.valkey import redis_url
from convex.errors import Conflict, ConvexError, InvalidInput
from convex.live import Announcer
from convex.metrics.partitions import ensure_partitions
from convex.metrics.policy import read_policy
from convex.metrics.sources import FOLDER, Source
from convex.metrics.sources.http import Permit
from convex.metrics.sources.reader import read_source
from convex.metrics.sources.store import (
    finish_requests,
    get_secret,
    get_source,
    record_run,
    save_cursor,
)
from convex.notifications.channels.guard import Guard, Refused
from convex.secrets import decrypt, load_secrets
from convex.settings import Settings
from flows.runtime import announcer, flow_settings, job, worker_database


@dataclass(slots=True)
class PullResult:
    """What a run took up, in points, and the triggers that it opened or changed."""

    accepted: int = 0
    corrected: int = 0
    unchanged: int = 0
    rejected: int = 0
    triggers: int = 0
    batches: int = 0

    def add(self, result: IngestResult) -> None:
        """Count one batch."""
        self.accepted += result.accepted
        self.corrected += result.corrected
        self.unchanged += result.unchanged
        self.rejected += result.rejected
        self.triggers += len(result.trigger_ids)
        self.batches += 1


@job(name="pull-metrics", flow_run_name="pull-metrics-{source_id}")
async def pull_metrics(source_id: UUID) -> dict[str, int]:
    """Take up everything that the source has beyond its cursor; return the counts of points.

    A source that still fails after the retries is an alert in its workspace, and that alert ends
    with the next run that succeeds.
    """
    try:
        result = await take_up(source_id)
    except Conflict:
        raise  # another run is at it
    except Exception as failure:
        await tell_state(source_id, _in_words(failure))
        raise
    await tell_state(source_id, None)
    return asdict(result)


async def tell_state(source_id: UUID, error: str | None) -> None:
    """Report whether the source can be read, and end what was asked of it."""
    now = datetime.now(UTC)
    async with worker_database() as database, announcer() as wakes:
        async with database.read(SYSTEM) as connection:
            source = await get_source(connection, source_id)
        said = Report(
            source=Origin.SOURCE,
            name=f"Source {source.name} fails",
            labels={"source": source.name, "kind": source.kind},
            key=str(source.id),
            firing=error is not None,
            reason=error or "It can be read again.",
            context={"source_id": str(source.id)},
        )
        async with database.transaction(Identity(source.workspace_id, Role.SYSTEM)) as connection:
            await finish_requests(connection, source.id, error)
            reported = await report(connection, source.workspace_id, [said], now=now)
        if reported.cursor is not None:
            wakes.announce(source.workspace_id, reported.cursor)


def _in_words(failure: Exception) -> str:
    if isinstance(failure, ConvexError):
        return failure.message
    return f"{type(failure).__name__}: {failure}"


async def _may_pass(_task: Task[..., object], _run: TaskRun, state: State[object]) -> bool:
    """A source that is wrong stays wrong; everything else may pass."""
    try:
        await state.aresult()
    except InvalidInput:
        return False
    except Exception:
        return True
    return False


@task(
    name="take-up-source",
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    retry_jitter_factor=0.2,
    retry_condition_fn=_may_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def take_up(source_id: UUID) -> PullResult:
    """Ingest the source from its cursor on, batch by batch, and note how the run ended."""
    settings = flow_settings()
    async with worker_database(settings) as database:
        async with database.read(SYSTEM) as connection:
            source = await get_source(connection, source_id)
        identity = Identity(source.workspace_id, Role.SYSTEM)
        error: str | None = None
        try:
            result = await _ingest_source(database, source, settings)
        except Exception as failure:
            error = _in_words(failure)
            raise
        finally:
            async with database.transaction(identity) as connection:
                await record_run(connection, source.id, error)
    get_run_logger().info(
        "%s: %d points accepted, %d rejected in %d batches",
        source.name,
        result.accepted,
        result.rejected,
        result.batches,
    )
    return result


async def _ingest_source(database: Database, source: Source, settings: Settings) -> PullResult:
    identity = Identity(source.workspace_id, Role.SYSTEM)
    async with database.read(identity) as connection:
        sealed = await get_secret(connection, source.id)
        policy = await read_policy(connection, source.workspace_id)
    opened = "{}" if sealed is None else decrypt(sealed, load_secrets(settings).encryption_key)
    batches = read_source(
        source,
        json.loads(opened),
        folder=settings.home / FOLDER,
        permit=_permit(Guard(settings.delivery.allowed_hosts)),
        rules=policy.rules(),
        now=datetime.now(UTC),
    )
    wakes = Announcer.open(role_url(settings, "convex_worker"), redis_url(settings))
    result, cursor, shown = PullResult(), source.cursor, 0.0
    artifact = await acreate_progress_artifact(0.0, description=f"Points of {source.name}")
    async with wakes as announcer:
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            async with database.transaction(SYSTEM) as connection:
                await ensure_partitions(connection, batch.points)
            async with database.transaction(identity) as connection:
                locked = await get_source(connection, source.id, lock=True)
                if locked.cursor != cursor:
                    raise Conflict(f"Another run is pulling {source.name!r}; this one stands back.")
                ingested = await ingest_points(
                    connection, source.workspace_id, batch.points, now=datetime.now(UTC)
                )
                taken = ingested.accepted + ingested.corrected
                await save_cursor(
                    connection, source.id, batch.cursor, points=taken, progress=batch.progress
                )
            announcer.announce(source.workspace_id, ingested.cursor)
            cursor = batch.cursor
            result.add(ingested)
            if batch.progress - shown >= 0.02:
                shown = batch.progress
                await aupdate_progress_artifact(artifact, shown * 100)
    await aupdate_progress_artifact(artifact, 100.0)
    return result


def _permit(guard: Guard) -> Permit:
    """What sources may call is what notifications may: no private address unless allowed."""

    def permit(host: str, port: int, addresses: list[str]) -> None:
        if guard.allows(host, port):
            return
        try:
            for address in addresses:
                guard.check_address(ip_address(address.partition("%")[0]))
        except Refused as refused:
            raise InvalidInput(f"{host} is not called: {refused}") from None

    return permit
