"""Pull a source's new points and evaluate them, batch by batch.

Each batch is one transaction: its points, what evaluating them changes, and the source's cursor. A
run that ends anywhere is gone on from there, so its task may be retried.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.tasks import Task, exponential_backoff

from convex.alerts.ingest import IngestResult, ingest_points
from convex.db import SYSTEM, Database, Identity, Role
from convex.db.roles import role_url
from convex.embedded.valkey import redis_url
from convex.errors import Conflict, ConvexError, InvalidInput
from convex.live import Announcer
from convex.metrics.partitions import ensure_partitions
from convex.metrics.sources import FOLDER, FileConfig, Source
from convex.metrics.sources.files import read_batches
from convex.metrics.sources.store import get_source, record_run, save_cursor
from convex.settings import Settings
from flows.runtime import flow_settings, worker_database


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


@flow(name="pull-metrics", flow_run_name="pull-metrics-{source_id}")
async def pull_metrics(source_id: UUID) -> dict[str, int]:
    """Take up everything that the source has beyond its cursor; return the counts of points."""
    return asdict(await take_up(source_id))


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
        except ConvexError as failure:
            error = failure.message
            raise
        except Exception as failure:
            error = f"{type(failure).__name__}: {failure}"
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
    batches = read_batches(
        FileConfig.parse(source.config),
        source.cursor,
        settings.home / FOLDER,
        source=f"pull:{source.name}",
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
                await save_cursor(connection, source.id, batch.cursor, points=taken)
            announcer.announce(source.workspace_id, ingested.cursor)
            cursor = batch.cursor
            result.add(ingested)
            if batch.progress - shown >= 0.02:
                shown = batch.progress
                await aupdate_progress_artifact(artifact, shown * 100)
    await aupdate_progress_artifact(artifact, 100.0)
    return result
