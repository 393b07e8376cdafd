"""A further round of attempts at notifications that have failed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from convex.db import SYSTEM, Database
from convex.notifications import outbox
from convex.notifications.deliver import Courier
from convex.notifications.session import lease_session
from convex.settings import DeliverySettings


async def redeliver(
    database: Database,
    courier: Courier,
    ids: Sequence[UUID],
    settings: DeliverySettings,
    *,
    database_url: str,
) -> Counter[str]:
    """Attempt each failed one of `ids` once; the counts by outcome, delivered or failed.

    `database_url` is for the session that shows that this process lives. What is not failed any
    more, or tells of a trigger that is over, is left alone. If this process dies, the alert flow
    goes on with what it held.
    """
    outcomes: Counter[str] = Counter()
    lease = uuid4()
    async with lease_session(database_url, lease, stands=False):
        for start in range(0, len(ids), settings.claim_size):
            some = ids[start : start + settings.claim_size]
            async with database.transaction(SYSTEM) as connection:
                until = datetime.now(UTC) + settings.lease
                claims = await outbox.reclaim(connection, some, lease=lease, until=until)
            attempts = await asyncio.gather(*(courier.deliver(claim) for claim in claims))
            async with database.transaction(SYSTEM) as connection:
                now = datetime.now(UTC)
                await outbox.record_and_claim(
                    connection, attempts, lease=lease, until=now, limit=0, now=now
                )
            outcomes.update(attempt.outcome.value for attempt in attempts)
    return outcomes
