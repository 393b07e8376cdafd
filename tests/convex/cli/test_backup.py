"""The restore drill: backed up while it is written to, brought back elsewhere, and to a moment."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from convex.db.census import read_archiver
from convex.db.migrate import migrate
from convex.db.roles import admin_url, prefect_url, role_url
from convex.embedded.archive import Archive
from convex.embedded.postgres import EmbeddedPostgres
from convex.secrets import decrypt, encrypt, load_secrets
from convex.settings import Settings
from tests.convex.cli.conftest import Ended, run_convex
from tests.convex.db.rows import fill_workspace


@dataclass(frozen=True, slots=True)
class Drill:
    """A home that was backed up while it was written to, and what happened in it afterwards."""

    folder: Path
    settings: Settings
    backup: dict[str, Any]
    before: int  # the rows that were committed when the backup began
    moment: datetime  # after it, and after the rows until `kept` were committed
    kept: int

    @property
    def source(self) -> Path:
        return self.folder / "backup"

    @property
    def archive(self) -> Path:
        return self.folder / "archive"


def convex(home: Path, *arguments: str) -> Ended:
    return run_convex(*arguments, variables={"CONVEX_HOME": str(home)})


def ask(url: str, question: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question).fetchone()
    return row and row[0]


@contextmanager
def written_to(url: str) -> Iterator[list[int]]:
    """Rows 1, 2, 3 … one transaction each; yields those that are committed."""
    committed: list[int] = []
    ending = threading.Event()

    def write() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not ending.is_set():
                connection.execute("INSERT INTO drill VALUES (%s)", (len(committed) + 1,))
                committed.append(len(committed) + 1)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield committed
    finally:
        ending.set()
        thread.join()


@pytest_asyncio.fixture(scope="module")
async def drill() -> AsyncIterator[Drill]:
    """All that the tests look at is prepared once."""
    folder = await asyncio.to_thread(_folder)
    home = folder / "home"
    server = EmbeddedPostgres(home, archive=Archive(folder / "archive"))
    try:
        await server.start()
        yield await asyncio.to_thread(_drill, folder, Settings(home=home))
    finally:
        await server.remove()
        shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="convex-drill-"))
    folder.chmod(0o755)
    (folder / "home").mkdir()
    return folder


def _drill(folder: Path, settings: Settings) -> Drill:
    migrate(settings)
    url, key = admin_url(settings), load_secrets(settings).encryption_key
    with psycopg.connect(role_url(settings, "convex_worker"), autocommit=True) as worker:
        worker.execute("SELECT set_config('convex.role', 'system', false)")
        made = worker.execute(
            "WITH u AS (SELECT convex.create_user('d@example.com', 'D', 'x') AS id)"
            " SELECT convex.create_workspace('drill', 'Drill', id), id FROM u"
        ).fetchone()
        assert made is not None
    with psycopg.connect(url, autocommit=True) as admin:
        fill_workspace(admin, made[0], made[1])
        admin.execute("UPDATE convex.channels SET secret = %s", (encrypt("sesame", key),))
        admin.execute("CREATE TABLE drill (n bigint PRIMARY KEY)")
        with written_to(url) as committed:
            while len(committed) < 20:
                pass
            before = len(committed)
            ended = convex(settings.home, "backup", str(folder / "backup"), "--json")
        assert ended.status == 0, ended.err
        kept = len(committed)
        moment = datetime.now(UTC)
        # A transaction that commits later: recovery ends before the first that is past the moment.
        while datetime.now(UTC).timestamp() < moment.timestamp() + 0.05:
            pass
        admin.execute("DELETE FROM drill")
        admin.execute("DELETE FROM convex.workspaces")
        segment = admin.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
        assert segment is not None
        while not (folder / "archive" / segment[0]).exists():
            admin.execute("SELECT pg_sleep(0.05)")
    return Drill(folder, settings, ended.json, before, moment, kept)


@contextmanager
def brought_back(drill: Drill, name: str, *arguments: str) -> Iterator[tuple[Settings, Any]]:
    """A home restored from the backup; its server's data goes at the end of the block."""
    home = drill.folder / name
    home.mkdir()
    ended = convex(home, "restore", str(drill.source), *arguments, "--json")
    try:
        assert ended.status == 0, ended.err
        yield Settings(home=home), ended.json
    finally:
        asyncio.run(EmbeddedPostgres(home).remove())


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    server = EmbeddedPostgres(settings.home)
    asyncio.run(server.start())
    try:
        yield
    finally:
        asyncio.run(server.stop())


def test_it_says_what_is_in_it_and_what_is_not(drill: Drill) -> None:
    assert drill.backup["has_secrets"]
    assert any("sign in as anybody" in one for one in drill.backup["holds"])
    assert any("settings" in one for one in drill.backup["leaves_out"])
    assert (drill.source / "manifest.json").stat().st_mode & 0o077 == 0
    assert drill.source.stat().st_mode & 0o077 == 0
    manifest = json.loads((drill.source / "manifest.json").read_text())
    password = json.loads((drill.settings.home / "postgres.json").read_text())["password"]
    assert "CONVEX_HOME" in manifest["variables"]
    found = read_archiver(admin_url(drill.settings))
    assert (found["archives"], found["fails"]) == (True, False)
    assert password not in "".join(path.read_text() for path in drill.source.rglob("*.json"))
    again = convex(drill.settings.home, "backup", str(drill.source))
    assert again.status == 1
    assert "is there already" in again.err


def test_everything_committed_before_it_began_comes_back_in_another_home(drill: Drill) -> None:
    with brought_back(drill, "elsewhere") as (settings, said), running(settings):
        rows = ask(admin_url(settings), "SELECT count(*) FROM drill")
        assert drill.before <= rows <= drill.kept
        assert ask(admin_url(settings), "SELECT max(n) FROM drill") == rows, "without holes"
        assert said["workspaces"] == 1
        assert said["points"] == 1
        for login in ("convex_api", "convex_worker", "convex_dbt"):
            assert ask(role_url(settings, login), "SELECT current_user") == login
        prefect = prefect_url(settings).replace("postgresql+asyncpg", "postgresql")
        assert ask(prefect, "SELECT current_user") == "convex_prefect"
        sealed = ask(admin_url(settings), "SELECT secret FROM convex.channels")
        assert decrypt(sealed, load_secrets(settings).encryption_key) == "sesame"
        assert convex(settings.home, "audit", "verify").status == 0
        assert migrate(settings) == []
        old = json.loads((drill.settings.home / "postgres.json").read_text())["password"]
        port = admin_url(settings).rpartition(":")[2]
        with pytest.raises(psycopg.OperationalError, match="password"):
            ask(f"postgresql://postgres:{old}@127.0.0.1:{port}", "SELECT 1")

        refused = convex(settings.home, "restore", str(drill.source))
        assert refused.status == 1
        assert "run by process" in refused.err or "is not empty" in refused.err


def test_what_was_deleted_is_back_at_the_moment_before(drill: Drill) -> None:
    moment = drill.moment.strftime("%Y-%m-%dT%H:%M:%S.%f")
    more = ("--archive", str(drill.archive), "--until", moment)
    with brought_back(drill, "moment", *more) as (settings, said):
        assert said["workspaces"] == 1
        with running(settings):
            assert ask(admin_url(settings), "SELECT count(*) FROM drill") == drill.kept
            assert not ask(admin_url(settings), "SELECT pg_is_in_recovery()")
        refused = convex(settings.home, "restore", str(drill.source))
        assert refused.status == 1
        assert "--replace" in refused.err
        end = convex(
            settings.home,
            *("restore", str(drill.source), "--replace", "--archive", str(drill.archive), "--json"),
        )
        assert end.status == 0, end.err
        assert end.json["workspaces"] == 0, "to the end of the log: deleted again"
        aside = Path(end.json["aside"])
        assert (aside / "secrets.json").exists()


def test_a_backup_is_refused_that_is_not_what_it_was(drill: Drill, tmp_path: Path) -> None:
    copy = tmp_path / "damaged"
    shutil.copytree(drill.source, copy)
    assert convex(tmp_path / "home", "restore", str(copy), "--check").status == 0
    file = copy / "postgres" / "base.tar.gz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    refused = convex(tmp_path / "home", "restore", str(copy))
    assert refused.status == 1
    assert "damaged, such as postgres/base.tar.gz" in refused.err
    assert not (tmp_path / "home" / "postgres.json").exists()
    assert "no backup" in convex(tmp_path / "home", "restore", str(tmp_path)).err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--until", "2020-01-01T00:00:00"), "give --archive"),
        (("--secrets", "{other}"), "not the one"),
        (("--archive", "{archive}", "--until", "2020-01-01T00:00:00"), "take an older one"),
    ],
    ids=["without_a_log", "another_key", "before_the_backup"],
)
def test_what_cannot_be_done_is_said_before_anything_is(
    drill: Drill, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    other = tmp_path / "other.json"
    secrets = json.loads((drill.source / "home" / "secrets.json").read_text())
    other.write_text(json.dumps({**secrets, "encryption_key": "another"}))
    given = [one.format(other=other, archive=drill.archive) for one in arguments]
    ended = convex(tmp_path / "home", "restore", str(drill.source), *given)
    assert ended.status == 1
    assert said in ended.err
    assert not (tmp_path / "home" / "postgres.json").exists()
