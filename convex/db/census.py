"""A database in a few numbers: whether what came back is what was meant."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

_NUMBERS = """
SELECT (SELECT version_num FROM convex.alembic_version) AS schema,
    (SELECT count(*) FROM convex.workspaces) AS workspaces,
    (SELECT count(*) FROM convex.users) AS users,
    (SELECT count(*) FROM convex.points) AS points,
    (SELECT count(*) FROM convex.alert_triggers) AS triggers,
    (SELECT count(*) FROM convex.alert_notifications WHERE state = 'due') AS due,
    (SELECT max(created_at) FROM convex.trigger_transitions) AS newest_transition
"""

_ARCHIVER = """
SELECT current_setting('archive_mode') <> 'off' AS archives, last_failed_wal,
    last_failed_time IS NOT NULL AND last_failed_time > coalesce(last_archived_time, '-infinity')
    AS fails
FROM pg_stat_archiver
"""


def take_census(url: str) -> dict[str, Any]:
    """The numbers; `url` is the superuser's, whom row level security does not hold."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        found = connection.execute(_NUMBERS).fetchone()
    assert found is not None
    return dict(found)


def read_archiver(url: str) -> dict[str, Any]:
    """`archives`: the server archives its log; `fails`: the last segment could not be."""
    with psycopg.connect(url, row_factory=dict_row, connect_timeout=5) as connection:
        found = connection.execute(_ARCHIVER).fetchone()
    assert found is not None
    return dict(found)
