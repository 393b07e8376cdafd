"""Backups of an embedded PostgreSQL: taken while it runs, checked, brought back to a moment.

A backup is a folder: `manifest.json` (what is in it and what is not, a SHA-256 of every file),
`postgres/` (pg_basebackup's archives of the whole cluster: Convex's database, Prefect's, the roles)
and `home/` (the secrets, unless they were left out, and the first sign-in). It holds no password of
the superuser: a restored cluster gets a new one. Knows nothing of schemas and tenants.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from convex.embedded.archive import Archive
from convex.embedded.cluster import SUPERUSER, programs
from convex.embedded.postgres import (
    EmbeddedPostgres,
    adopt_cluster,
    data_folder,
    is_run_by,
    read_url,
)
from convex.embedded.process import Account, private_folder, unprivileged, write_private
from convex.errors import Conflict, InvalidInput, NotFound, Unavailable

FORMAT = 1
SECRETS = "secrets.json"
KEPT = (SECRETS, "sign-in.json")  # of the home; the rest of it is made again
_MANIFEST, _SUM = "manifest.json", "manifest.sha256"
_BLOCK = 1 << 20
_RECOVERY_SECONDS = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says about itself; `files`: bytes and SHA-256 by path."""

    format: int
    convex: str
    schema: str
    postgres: str
    started_at: str
    finished_at: str
    first_wal: str
    holds: Sequence[str]
    leaves_out: Sequence[str]
    variables: Sequence[str]  # settings that were given by the environment: names, never values
    key_mark: str  # tells whether an encryption key is the right one, and nothing about it
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def has_secrets(self) -> bool:
        """Whether the secrets are in the backup."""
        return f"home/{SECRETS}" in self.files

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(int(file["bytes"]) for file in self.files.values())


def mark_of(key: str) -> str:
    """Stands for an encryption key in a manifest."""
    return hashlib.sha256(b"convex backup " + key.encode()).hexdigest()[:16]


@asynccontextmanager
async def reached(home: Path) -> AsyncIterator[str]:
    """The superuser's URL of the home's server, started for the block if nobody runs it."""
    read_url(home)  # says in words that there is none
    if is_run_by(home) is not None:
        yield read_url(home)
        return
    server = EmbeddedPostgres(home)
    url = await server.start()
    try:
        yield url
    finally:
        await server.stop()


async def copy_cluster(url: str, target: Path) -> str:
    """pg_basebackup of the server behind `url` into `target`; the log segment where it begins.

    Consistent as of its end, whatever is written meanwhile: the log of that while is in it.
    """
    parts = urlsplit(url)
    child = await asyncio.create_subprocess_exec(
        str(programs() / "pg_basebackup"),
        *("--host", parts.hostname or "", "--port", str(parts.port), "--username", SUPERUSER),
        *("--pgdata", str(target), "--format", "tar", "--compress", "client-gzip:1"),
        *("--wal-method", "stream", "--checkpoint", "fast", "--manifest-checksums", "SHA256"),
        *("--no-password", "--label", "convex"),
        env={"PGPASSWORD": parts.password or "", "PATH": os.environ.get("PATH", os.defpath)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await child.communicate()
    except BaseException:
        if child.returncode is None:
            child.terminate()
            await child.wait()
        raise
    if child.returncode != 0:
        raise Unavailable(f"pg_basebackup failed: {' '.join(said.decode().split())[-400:]}")
    return await asyncio.to_thread(_first_wal, target)


def _first_wal(target: Path) -> str:
    with tarfile.open(target / "base.tar.gz") as archive:
        label = archive.extractfile("backup_label")
        assert label is not None
        first = label.readline().decode()
    return first.rpartition("file ")[2].strip().rstrip(")")


def copy_home(home: Path, target: Path, *, secrets: bool) -> None:
    """What of the home cannot be made again."""
    target.mkdir(mode=0o700)
    for name in KEPT:
        if (home / name).exists() and (secrets or name != SECRETS):
            write_private(target / name, (home / name).read_text())


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Sum up all files of the backup and write its manifest; what was written."""
    files = {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": _sum(path)}
        for path in _files(folder)
    }
    whole = Manifest(**{**_fields(manifest), "files": files})
    text = json.dumps(asdict(whole), indent=1)
    write_private(folder / _MANIFEST, text)
    write_private(folder / _SUM, hashlib.sha256(text.encode()).hexdigest() + "\n")
    return whole


def read_manifest(folder: Path) -> Manifest:
    """Read it and check every file against it.

    Raises `NotFound` where there is no backup, `InvalidInput` for one that is not what it was.
    """
    try:
        text = (folder / _MANIFEST).read_text()
        given = (folder / _SUM).read_text().strip()
    except FileNotFoundError:
        raise NotFound(f"{folder} holds no backup: there is no {_MANIFEST}.") from None
    if hashlib.sha256(text.encode()).hexdigest() != given:
        raise InvalidInput(f"{folder / _MANIFEST} is not what was written; take another backup.")
    values = json.loads(text)
    if values["format"] != FORMAT:
        raise InvalidInput(f"{folder} has the format {values['format']}, known is {FORMAT}.")
    manifest = Manifest(**values)
    wrong = [name for name, file in manifest.files.items() if not _is_as_said(folder / name, file)]
    if wrong:
        raise InvalidInput(
            f"{len(wrong)} files of {folder} are missing or damaged, such as {wrong[0]}; take"
            " another backup."
        )
    return manifest


def _is_as_said(path: Path, said: Mapping[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == said["bytes"] and _sum(path) == said["sha256"]


def _fields(manifest: Manifest) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in Manifest.__dataclass_fields__}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in (_MANIFEST, _SUM):
            yield path


def _sum(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def holdings(home: Path) -> list[Path]:
    """What a restore into this home would meet: its data, its secrets, its memory of them."""
    found = [home / name for name in ("postgres.json", *KEPT)]
    found.append(data_folder(home, unprivileged()) / "data")
    with suppress(FileNotFoundError):
        found.append(Path(json.loads((home / "postgres.json").read_text())["data"]))
    return [path for path in dict.fromkeys(found) if path.exists()]


def put_aside(home: Path, now: datetime) -> Path:
    """Move what a home holds out of the way; nothing is deleted. Where it went."""
    aside = home / f"before-restore-{now:%Y%m%dT%H%M%S}"
    aside.mkdir(mode=0o700)
    for path in holdings(home):
        if path.name == "data":
            path.rename(path.with_name(f"data.{aside.name}"))
        else:
            path.rename(aside / path.name)
    return aside


async def restore_cluster(
    backup: Path, home: Path, *, archive: Archive | None = None, until: datetime | None = None
) -> EmbeddedPostgres:
    """Bring the cluster of a backup into a home that holds none, and start it.

    With an `archive` it goes on to its end, or to `until` (aware), as far as transactions had
    committed by then. Returns the running server. Raises `Conflict`, and `Unavailable` with what
    PostgreSQL said when it cannot get there; the home is then as it was.
    """
    if (runner := is_run_by(home)) is not None:
        raise Conflict(f"PostgreSQL of {home} is run by process {runner}; stop it first.")
    account = unprivileged()
    data = private_folder(data_folder(home, account), account) / "data"
    settings: dict[str, str] = {}
    if archive is not None:
        settings = archive.recovery_settings()
        settings |= {"recovery_target_timeline": "latest", "recovery_target_action": "promote"}
        settings["hot_standby"] = "off"  # it is ready when it is there, not on the way
    if until is not None:
        settings["recovery_target_time"] = until.isoformat()
    try:
        await asyncio.to_thread(_unpack, backup / "postgres", data, account)
        if settings:
            (data / "recovery.signal").touch()
            _give(data / "recovery.signal", account)
        password = adopt_cluster(home, data)
        await _change_password(home, data, settings, account, password)
        server = EmbeddedPostgres(home)
        await server.start()
    except BaseException:
        shutil.rmtree(data, ignore_errors=True)
        (home / "postgres.json").unlink(missing_ok=True)
        raise
    return server


def _unpack(source: Path, data: Path, account: Account | None) -> None:
    data.mkdir(mode=0o700)
    for name, target in (("base.tar.gz", data), ("pg_wal.tar.gz", data / "pg_wal")):
        with tarfile.open(source / name) as archive:
            archive.extractall(target, filter="data")
    for path in (data, *data.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
        _give(path, account)


def _give(path: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid)


async def _change_password(
    home: Path, data: Path, settings: Mapping[str, str], account: Account | None, password: str
) -> None:
    """Start once, to recover, in a way that only this machine's root or user can connect."""
    trusting = data / "restore_hba.conf"
    trusting.write_text("local all all trust\n")
    _give(trusting, account)
    server = EmbeddedPostgres(
        home, more={**settings, "hba_file": str(trusting)}, patience=_RECOVERY_SECONDS
    )
    try:
        await server.start()
        port = urlsplit(server.url).port
        async with await psycopg.AsyncConnection.connect(
            host=str(server.sockets), port=port, user=SUPERUSER, dbname="postgres", autocommit=True
        ) as connection:
            await connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(SUPERUSER), sql.Literal(password)
                )
            )
    finally:
        await server.stop()
        trusting.unlink(missing_ok=True)
