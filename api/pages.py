"""Everything that is a file: the web page, its assets, the API reference, dbt and quality docs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from api.documents import admit_reader
from convex.settings import Settings

_STATIC = Path(__file__).parent / "static"
_VENDOR = Path(__file__).parent / "vendor"

PAGE_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self';"
    " form-action 'self'; frame-ancestors 'self'"
)
# Documents made by dbt, Great Expectations and Redoc style (and the first two script) inline.
_REFERENCE_POLICY = (
    "default-src 'self'; script-src 'self'; worker-src 'self' blob:; style-src 'self'"
    " 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; object-src 'none';"
    " frame-ancestors 'self'"
)
_DOCUMENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self'"
    " 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self' data: blob:;"
    " worker-src 'self' blob:; object-src 'none'; frame-ancestors 'self'"
)
_REFERENCE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Convex API</title>
<link rel="stylesheet" href="/docs/api/vendor/reference.css">
</head>
<body>
<redoc spec-url="/openapi.json" disable-search="false" hide-download-button="false"></redoc>
<script src="/docs/api/vendor/redoc.standalone.js"></script>
</body>
</html>
"""


class _Files(StaticFiles):
    """Files with a policy and a lifetime; a folder that is not there yet has no files."""

    def __init__(self, folder: Path, *, policy: str, caching: str, html: bool = False) -> None:
        super().__init__(directory=folder, html=html, check_dir=False)
        self._policy = policy
        self._caching = caching

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 404:  # its own page for "not found" is not ours
            raise HTTPException(404)
        response.headers["Content-Security-Policy"] = self._policy
        response.headers["Cache-Control"] = self._caching
        return response

    async def check_config(self) -> None:
        """The folder may come into being later: dbt and the quality flow write it."""


class _Guarded(_Files):
    """Files about a workspace's data, for its members only."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        await admit_reader(Request(scope), path)
        return await super().get_response(path, scope)


def install_pages(app: FastAPI, settings: Settings) -> None:
    """Add the routes, and give every path that no route has to the page."""
    documents = settings.home / "docs"
    app.router.routes += [
        Route("/docs", _to_reference, include_in_schema=False),
        Route("/docs/api", _reference, include_in_schema=False),
        Route("/docs/prefect", _to_prefect(settings), include_in_schema=False),
        Mount(
            "/docs/api/vendor",
            _Files(_VENDOR, policy=_REFERENCE_POLICY, caching="public, max-age=86400"),
        ),
        *(
            route
            for name, files in (("dbt", _Files), ("quality", _Guarded))
            for route in (
                Route(f"/docs/{name}", _with_slash, include_in_schema=False),
                Mount(
                    f"/docs/{name}",
                    files(documents / name, policy=_DOCUMENT_POLICY, caching="no-cache", html=True),
                ),
            )
        ),
        Mount(
            "/assets",
            _Files(
                _STATIC / "assets",
                policy=PAGE_POLICY,
                caching="public, max-age=31536000, immutable",
            ),
        ),
    ]
    app.router.default = _otherwise


async def _otherwise(scope: Scope, receive: Receive, send: Send) -> None:
    """What no route has matched."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000, "reason": "nothing here"})
        return
    if scope["method"] not in {"GET", "HEAD"}:
        raise HTTPException(404)
    await _page(scope["path"].lstrip("/"))(scope, receive, send)


def _page(path: str) -> Response:
    """A file beside the page, or the page itself, which routes by its own paths."""
    if path.split("/", 1)[0] in {"api", "docs", "feeds", "metrics", "openapi.json"}:
        raise HTTPException(404)
    file = (_STATIC / path).resolve()
    if path and file.is_file() and file.is_relative_to(_STATIC):
        return _file(file)
    if "." in path.rsplit("/", 1)[-1] or not (_STATIC / "index.html").is_file():
        raise HTTPException(404)
    return _file(_STATIC / "index.html")


def _file(path: Path) -> Response:
    headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
    return FileResponse(path, headers=headers)


async def _reference(_: Request) -> Response:
    return HTMLResponse(_REFERENCE, headers={"Content-Security-Policy": _REFERENCE_POLICY})


async def _to_reference(_: Request) -> Response:
    return RedirectResponse("/docs/api", status_code=307)


def _to_prefect(settings: Settings) -> Callable[[Request], Awaitable[Response]]:
    """The page does not know the port; Prefect's own UI answers there on the same host."""

    async def redirect(request: Request) -> Response:
        host = request.url.hostname or settings.host
        return RedirectResponse(f"{request.url.scheme}://{host}:{settings.prefect_port}/")

    return redirect


async def _with_slash(request: Request) -> Response:
    return RedirectResponse(f"{request.url.path}/", status_code=307)
