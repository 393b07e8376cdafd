"""Which tables hold a workspace's rows, as the database's catalogue says it.

Read from the catalogue and not listed here, so that a table that somebody adds is exported, and
emptied when its workspace goes, from its first day on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from convex.db import Connection

_TABLES = """
SELECT c.relname AS name, c.relkind = 'p' AS partitioned,
    array_agg(a.attname::text ORDER BY a.attnum) AS columns,
    ARRAY(
        SELECT DISTINCT p.relname::text FROM pg_catalog.pg_constraint AS k
        INNER JOIN pg_catalog.pg_class AS p ON p.oid = k.confrelid
        WHERE k.conrelid = c.oid AND k.contype = 'f' AND p.oid <> c.oid
            AND p.relnamespace = c.relnamespace
    ) AS parents
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.oid, c.relname, c.relkind, c.relnamespace
HAVING bool_or(a.attname = 'workspace_id')
ORDER BY c.relname
"""


@dataclass(frozen=True, slots=True)
class Holding:
    """A table with the rows of workspaces."""

    name: str
    columns: tuple[str, ...]
    partitioned: bool
    parents: frozenset[str] = field(default_factory=frozenset)


async def list_holdings(connection: Connection, schema: str = "convex") -> list[Holding]:
    """Every table with a workspace's rows; what others refer to comes before them."""
    rows = await (await connection.execute(_TABLES, (schema,))).fetchall()
    found = {
        row["name"]: Holding(
            row["name"], tuple(row["columns"]), row["partitioned"], frozenset(row["parents"])
        )
        for row in rows
    }
    order = TopologicalSorter(
        {name: sorted(one.parents & found.keys()) for name, one in found.items()}
    )
    return [found[name] for name in order.static_order()]
