"""Where `convex rules` works: in this machine's database, or at a Convex elsewhere by its API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from convex.errors import ConvexError, InvalidInput, NotFound

if TYPE_CHECKING:
    from convex.db import Connection, Identity

Texts = Sequence[tuple[str, str]]
_PATIENCE = 60.0  # seconds


class Target(Protocol):
    """What can be done at either place; plans in their JSON form."""

    async def plan(self, files: Texts, orphans: str) -> dict[str, Any]:
        """What would change."""

    async def apply(self, files: Texts, orphans: str, expect: str | None) -> dict[str, Any]:
        """Change it."""

    async def export(self, framework: str | None, provenance: str | None) -> str:
        """The rules as a file."""


def target_of(workspace: str | None, url: str | None, key: str | None) -> Target:
    """By HTTP where there is an address. Raises `InvalidInput` without a key for it."""
    if url is None:
        return _Local(workspace)
    if not key:
        raise InvalidInput("An address needs an API key: set CONVEX_API_KEY or give --api-key.")
    return _Remote(url.rstrip("/"), key)


class _Local:
    def __init__(self, workspace: str | None) -> None:
        self._workspace = workspace

    async def plan(self, files: Texts, orphans: str) -> dict[str, Any]:
        from convex.alerts.code.plan import Orphans
        from convex.alerts.code.service import plan_files

        async with self._connected(write=False) as (connection, identity):
            assert identity.workspace_id is not None
            plan = await plan_files(
                connection, identity.workspace_id, files, orphans=Orphans(orphans)
            )
        return plan.as_json()

    async def apply(self, files: Texts, orphans: str, expect: str | None) -> dict[str, Any]:
        from convex.alerts.code.plan import Orphans, Plan
        from convex.alerts.code.service import apply_files
        from convex.cache import Area, Cache, CacheServer
        from convex.db.roles import role_url
        from convex.embedded.valkey import redis_url
        from convex.live import Announcer
        from convex.settings import load_settings

        settings = load_settings()
        now = datetime.now(UTC)
        try:
            async with self._connected(write=True) as (connection, identity):
                applied = await apply_files(
                    connection,
                    identity,
                    files,
                    now=now,
                    orphans=Orphans(orphans),
                    fingerprint=expect,
                )
        except InvalidInput as error:
            if problems := error.details.get("problems"):
                return Plan([], list(problems)).as_json()
            raise
        assert identity.workspace_id is not None
        async with CacheServer.open(redis_url(settings)) as server:
            await Cache(server).forget(identity.workspace_id, Area.RULES)
        if applied.cursor is not None:
            wakes = Announcer.open(role_url(settings, "convex_worker"), redis_url(settings))
            async with wakes as announcer:
                announcer.announce(identity.workspace_id, applied.cursor)
        return applied.plan.as_json()

    async def export(self, framework: str | None, provenance: str | None) -> str:
        from convex.alerts.code.service import export_rules
        from convex.frameworks import service

        async with self._connected(write=False) as (connection, identity):
            assert identity.workspace_id is not None
            framework_id = None
            if framework is not None:
                found = await service.get_framework(connection, identity.workspace_id, framework)
                framework_id = found.framework.id
            return await export_rules(
                connection,
                identity.workspace_id,
                framework_id=framework_id,
                provenance=provenance,
            )

    @asynccontextmanager
    async def _connected(self, *, write: bool) -> AsyncIterator[tuple[Connection, Identity]]:
        from convex.cli.session import choose_workspace, worker_database
        from convex.db import Identity, Role
        from convex.settings import load_settings

        async with worker_database(load_settings()) as database:
            workspace = await choose_workspace(database, self._workspace)
            identity = Identity(workspace.id, Role.SYSTEM)
            opened = database.transaction(identity) if write else database.read(identity)
            async with opened as connection:
                yield connection, identity


class _Remote:
    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._key = key

    async def plan(self, files: Texts, orphans: str) -> dict[str, Any]:
        return await self._post("plan", {"files": _bodies(files), "orphans": orphans})

    async def apply(self, files: Texts, orphans: str, expect: str | None) -> dict[str, Any]:
        body = {"files": _bodies(files), "orphans": orphans, "fingerprint": expect}
        return await self._post("apply", body)

    async def export(self, framework: str | None, provenance: str | None) -> str:
        given = {"framework": framework, "provenance": provenance}
        asked = {name: value for name, value in given.items() if value is not None}
        return str(await self._ask("GET", "export", params=asked))

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = await self._ask("POST", path, json=body)
        return answer

    async def _ask(self, method: str, path: str, **more: Any) -> Any:
        import httpx

        headers = {"Authorization": f"Bearer {self._key}"}
        address = f"{self._url}/api/v1/alert-rules/{path}"
        try:
            async with httpx.AsyncClient(timeout=_PATIENCE, headers=headers) as client:
                answer = await client.request(method, address, **more)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotFound(
                f"{self._url} does not answer: {error or type(error).__name__}."
            ) from None
        kind = answer.headers.get("content-type", "")
        if "json" not in kind:
            if answer.is_success:
                return answer.text
            raise NotFound(f"{address} answered {answer.status_code}; is that a Convex?")
        said = answer.json()
        if answer.is_success:
            return said
        problems = [
            {"file": one["loc"][0], "line": one["loc"][1], "path": one["loc"][2]}
            | {"message": one["msg"]}
            for one in said.get("errors") or []
            if len(one["loc"]) == 3 and isinstance(one["loc"][1], int)
        ]
        if problems:
            return {"problems": problems, "steps": [], "counts": {}, "fingerprint": ""}
        raise ConvexError(said.get("detail") or f"{address} answered {answer.status_code}.")


def _bodies(files: Texts) -> list[dict[str, str]]:
    return [{"name": name, "text": text} for name, text in files]
