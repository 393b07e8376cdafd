"""The queries of docs/analyst-guide.md, run as it says on marts that dbt has built."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pandas as pd
import psycopg
import pytest
import sqlalchemy

from convex.analytics import build
from convex.db import Database
from convex.db.engine import connection_string
from convex.db.roles import admin_url
from convex.settings import Settings
from tests.convex.analytics.history import write_history

_TEXT = (Path(__file__).parents[2] / "docs" / "analyst-guide.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", _TEXT, re.MULTILINE | re.DOTALL)


# dbt's libraries warn of themselves.
@pytest.mark.filterwarnings("default::DeprecationWarning")
async def test_the_login_and_the_queries_of_the_guide_work(
    fresh_settings: Settings, fresh_worker: Database
) -> None:
    await write_history(fresh_worker)
    built = await asyncio.to_thread(build.build_marts, fresh_settings)
    assert built.succeeded, built.messages
    admin = admin_url(fresh_settings)
    (made,) = blocks("admin")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(made.encode())
    try:
        url = connection_string(admin, user="analyst", password="choose one")
        engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        frames = [pd.read_sql(sqlalchemy.text(query), engine) for query in blocks("sql")]
        engine.dispose()
        assert len(frames) >= 5
        rules, pages, weeks, _, hours = frames
        assert rules["triggers"].sum() > 0 or hours["triggers"].sum() > 0
        assert not weeks.empty
        assert list(pages.columns) == ["member", "severity", "pages", "while_asleep"]
        with psycopg.connect(url) as connection:
            for refused in (
                "SELECT 1 FROM convex.users",
                "DELETE FROM analytics.dim_frameworks",
            ):
                with pytest.raises(psycopg.Error):
                    connection.execute(refused.encode())
                connection.rollback()
    finally:  # roles belong to the whole server
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("DROP OWNED BY analyst")
            connection.execute("DROP ROLE analyst")
