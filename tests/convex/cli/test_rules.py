"""`convex rules` on this machine's database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg

from convex.cache import Area, Cache, CacheServer
from convex.settings import Settings
from tests.convex.cli.conftest import Convex

RULES = """\
rules:
  - name: errors
    framework: shop
    metric: errors
    threshold_value: 2
"""


def test_files_are_planned_applied_exported_and_checked(convex: Convex, tmp_path: Path) -> None:
    convex("user", "create", "ada@example.com")
    points = tmp_path / "points.csv"
    points.write_text(
        f"timestamp,value\n{(datetime.now(UTC) - timedelta(hours=1)).isoformat()},1\n"
    )
    convex("ingest", str(points), "--framework", "shop", "--metric", "errors")
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "shop.yaml").write_text(RULES)
    planned = convex("rules", "plan", str(folder))
    assert planned.status == 0, planned.err
    assert "+ errors" in planned.out
    assert convex("rules", "plan", str(folder), "--check").status == 1
    applied = convex("rules", "apply", str(folder))
    assert "1 created" in applied.out
    assert convex("rules", "plan", str(folder), "--check").status == 0
    out = tmp_path / "out.yaml"
    convex("rules", "export", "--out", str(out))
    again = convex("rules", "plan", str(out), "--json").json
    assert again["counts"] == {
        "create": 0,
        "update": 0,
        "delete": 0,
        "release": 0,
        "unchanged": 1,
        "orphaned": 0,
    }
    (folder / "shop.yaml").write_text(RULES.replace("metric: errors", "metric: eror"))
    wrong = convex("rules", "apply", str(folder))
    assert wrong.status == 1
    assert "shop.yaml:4: rules[0].metric" in wrong.err
    assert convex("rules", "plan", str(tmp_path / "none")).status == 2


def test_what_the_page_keeps_of_rules_is_forgotten_when_files_are_applied(
    convex: Convex, fresh_settings: Settings, tmp_path: Path
) -> None:
    convex("user", "create", "ada@example.com")
    (tmp_path / "points.csv").write_text(
        f"timestamp,value\n{(datetime.now(UTC) - timedelta(hours=1)).isoformat()},1\n"
    )
    convex("ingest", str(tmp_path / "points.csv"), "--framework", "shop", "--metric", "errors")
    (tmp_path / "rules.yaml").write_text(RULES)
    with psycopg.connect(fresh_settings.database_url) as admin:
        found = admin.execute("SELECT id FROM convex.workspaces").fetchone()
    assert found is not None
    workspace_id: UUID = found[0]

    async def kept(area: Area) -> bytes | None:
        async with CacheServer.open(fresh_settings.redis_url) as server:
            return await Cache(server).peek("rules", workspace_id, "all", area=area)

    async def keep(area: Area) -> None:
        async with CacheServer.open(fresh_settings.redis_url) as server:
            await Cache(server).put("rules", workspace_id, "all", b"of before", area=area)

    for area in (Area.RULES, Area.PATTERNS):
        asyncio.run(keep(area))
        assert asyncio.run(kept(area)) == b"of before"
        assert convex("rules", "apply", str(tmp_path / "rules.yaml")).status == 0
        assert asyncio.run(kept(area)) == (None if area is Area.RULES else b"of before")
