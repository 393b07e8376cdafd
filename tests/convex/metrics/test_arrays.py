"""numpy arrays through PostgreSQL's binary arrays and back."""

from __future__ import annotations

from uuid import UUID, uuid4

import numpy as np
import pytest

from convex.db import SYSTEM, Database
from convex.metrics.arrays import Bigints, Doubles, Instants, Uuids, array_cursor
from convex.metrics.store import NEVER


@pytest.mark.parametrize("size", [0, 1, 1000])
async def test_arrays_come_back_as_they_went(worker: Database, size: int) -> None:
    numbers = np.random.default_rng(size)
    ids = numbers.integers(-(2**63), 2**63 - 1, size, np.int64)
    values = numbers.standard_normal(size)
    instants = numbers.integers(-(10**15), 4 * 10**15, size, np.int64)
    keys = [uuid4() for _ in range(size)]
    async with worker.read(SYSTEM) as connection:
        cursor = array_cursor(connection)
        await cursor.execute(
            "SELECT %s, %s, %s, %s",
            (Bigints(ids), Doubles(values), Instants(instants), Uuids(keys)),
        )
        row = await cursor.fetchone()
    assert row is not None
    assert row[0].tolist() == ids.tolist()
    assert row[1].tolist() == values.tolist()
    assert row[2].tolist() == instants.tolist()
    assert row[3] == keys
    assert all(isinstance(key, UUID) for key in row[3])


async def test_never_is_minus_infinity(worker: Database) -> None:
    async with worker.read(SYSTEM) as connection:
        cursor = array_cursor(connection)
        await cursor.execute(
            "SELECT (%s::timestamptz[])[1] = '-infinity', '-infinity'::timestamptz",
            (Instants(np.array([NEVER], np.int64)),),
        )
        assert await cursor.fetchone() == (True, NEVER)
