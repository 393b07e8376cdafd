"""A workspace as files: all of it, nothing else, no secret; and in the form that was asked for."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pyarrow import parquet

from convex.db import Database
from convex.db.schema import metadata
from convex.errors import NotFound
from convex.settings import Settings
from convex.workspaces.export import HIDDEN, LEFT_OUT, export_workspace, hide_headers
from tests.conftest import Tenant
from tests.convex.db.rows import fill_workspace

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TENANT_TABLES = {t.name for t in metadata.tables.values() if "workspace_id" in t.columns}


async def furnish(settings: Settings, *tenants: Tenant) -> None:
    """A row in every table, and secrets where people keep them."""

    def fill() -> None:
        with psycopg.connect(settings.database_url) as admin:
            for one in tenants:
                fill_workspace(admin, one.workspace_id, one.user_id)
                admin.execute(
                    "UPDATE convex.channels SET secret = 'sealed-secret', config ="
                    ' \'{"url": "https://example.com", "headers": {"X-Key": "topsecret"}}\''
                    " WHERE workspace_id = %s",
                    (one.workspace_id,),
                )

    await asyncio.to_thread(fill)


def read_ndjson(path: Path) -> dict[str, list[dict[str, Any]]]:
    with zipfile.ZipFile(path) as archive:
        return {
            Path(name).stem: [json.loads(line) for line in archive.read(name).splitlines()]
            for name in archive.namelist()
            if name.endswith(".ndjson")
        }


def names_in(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


async def test_everything_of_the_workspace_is_in_it_and_nothing_of_another(
    settings: Settings, worker: Database, tenant: Tenant, other_tenant: Tenant, tmp_path: Path
) -> None:
    await furnish(settings, tenant, other_tenant)
    target = tmp_path / "a.zip"
    await export_workspace(worker, tenant.workspace_id, target, form="ndjson", now=NOW)
    found = read_ndjson(target)
    assert set(found) == TENANT_TABLES - set(LEFT_OUT) | {"workspaces"}
    for table, rows in found.items():
        assert rows, table
        key = "id" if table == "workspaces" else "workspace_id"
        assert {row[key] for row in rows} == {str(tenant.workspace_id)}, table
    everything = b"".join(zipfile.ZipFile(target).read(name) for name in made_files(target))
    for foreign in (str(other_tenant.workspace_id), other_tenant.email, str(other_tenant.user_id)):
        assert foreign.encode() not in everything
    assert found["members"][0]["email"] == tenant.email
    assert found["channels"][0]["config"]["headers"] == {"X-Key": "[left out]"}
    assert b"topsecret" not in everything
    assert b"sealed-secret" not in everything
    for rows in found.values():
        assert not HIDDEN & rows[0].keys()
    assert names_in(tmp_path) == ["a.zip"]  # no draft is left


def made_files(path: Path) -> list[str]:
    return zipfile.ZipFile(path).namelist()


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
async def test_the_manifest_and_the_checksums_are_true(
    settings: Settings, worker: Database, tenant: Tenant, tmp_path: Path, form: Any
) -> None:
    await furnish(settings, tenant)
    target = tmp_path / "a.zip"
    made = await export_workspace(worker, tenant.workspace_id, target, form=form, now=NOW)
    with zipfile.ZipFile(target) as archive:
        sums = dict(
            line.split("  ")[::-1] for line in archive.read("SHA256SUMS").decode().splitlines()
        )
        for name, expected in sums.items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == expected
        assert set(sums) == set(archive.namelist()) - {"SHA256SUMS"}
        manifest = json.loads(archive.read("manifest.json"))
        for part in manifest["tables"]:
            data = archive.read(part["file"])
            assert (len(data), sums[part["file"]]) == (part["bytes"], part["sha256"])
            lines = (
                len(data.splitlines())
                if form == "ndjson"
                else parquet.read_table(io.BytesIO(data)).num_rows
            )
            assert lines == part["rows"]
    assert manifest["workspace"]["slug"] == tenant.slug
    assert manifest["encoding"] == form
    assert {name.removeprefix("convex.") for name in manifest["left_out"]["tables"]} == set(
        LEFT_OUT
    )
    assert made.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    assert (made.bytes, made.rows) == (
        target.stat().st_size,
        sum(part["rows"] for part in manifest["tables"]),
    )


async def test_parquet_keeps_the_types(
    settings: Settings, worker: Database, tenant: Tenant, tmp_path: Path
) -> None:
    await furnish(settings, tenant)
    target = tmp_path / "a.zip"
    await export_workspace(worker, tenant.workspace_id, target, form="parquet", now=NOW)
    with zipfile.ZipFile(target) as archive:
        points = parquet.read_table(io.BytesIO(archive.read("convex/points.parquet")))
        rules = parquet.read_table(io.BytesIO(archive.read("convex/alert_rules.parquet")))
    kinds = {field.name: str(field.type) for field in points.schema}
    assert kinds["timestamp"] == "timestamp[us, tz=UTC]"
    assert (kinds["value"], kinds["series_id"]) == ("double", "int64")
    (point,) = points.to_pylist()
    assert point["value"] == 1.0
    (rule,) = rules.to_pylist()
    assert rule["tags"] == []
    assert json.loads(rule["label_matchers"]) == []


async def test_of_no_workspace_there_is_no_file(
    worker: Database, tenant: Tenant, tmp_path: Path
) -> None:
    with pytest.raises(NotFound):
        await export_workspace(worker, tenant.user_id, tmp_path / "a.zip", form="ndjson", now=NOW)
    assert names_in(tmp_path) == []


def test_headers_are_masked_wherever_they_are() -> None:
    assert hide_headers({"a": [{"headers": {"k": "v"}}], "headers": "x", "b": 1}) == {
        "a": [{"headers": {"k": "[left out]"}}],
        "headers": "[left out]",
        "b": 1,
    }
