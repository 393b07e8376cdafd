"""Answers: JSON by orjson, strong ETags, conditional requests, pages."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from convex.db.pages import Page
from convex.errors import PreconditionFailed

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
T = TypeVar("T")


def encode(data: object) -> bytes:
    """JSON as the API writes it: instants in UTC with a Z."""
    try:
        return orjson.dumps(data, default=_plain, option=_OPTIONS)
    except TypeError:
        # Whole numbers of more than 64 bits, which PostgreSQL keeps and orjson cannot write: they
        # are in what clients have sent as they liked, such as a point that was not taken.
        return json.dumps(data, default=_plainer, ensure_ascii=False).encode()


def etag_of(body: bytes) -> str:
    """A strong validator of exactly these bytes."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def reply(
    request: Request,
    data: object,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`data` as JSON with its ETag; 304 when the client of a GET has it already."""
    return reply_encoded(request, encode(data), status=status, headers=headers)


def reply_encoded(
    request: Request, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """As `reply`, for JSON that is encoded already."""
    tag = etag_of(body)
    extra = {"ETag": tag, "Cache-Control": "private, no-cache", **(headers or {})}
    if is_known(request, tag):
        return Response(status_code=304, headers=extra)
    return Response(body, status, headers=extra, media_type="application/json")


def is_known(request: Request, tag: str) -> bool:
    """Whether the client of a GET says that it has what this ETag stands for."""
    return request.method in {"GET", "HEAD"} and _names(request.headers.get("if-none-match"), tag)


def reply_page(
    request: Request, page: Page[T], shape: Callable[[T], object], **more: object
) -> Response:
    """`{"items": […], "next_cursor": …}` and a Link to the next page."""
    headers = {}
    if page.next_cursor is not None:
        headers["Link"] = next_link(request, page.next_cursor)
    items = [shape(item) for item in page.items]
    return reply(
        request, {"items": items, "next_cursor": page.next_cursor, **more}, headers=headers
    )


def next_link(request: Request, cursor: str) -> str:
    """The Link header that leads to the page after `cursor`."""
    asked = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
    target = f"{request.url.path}?{urlencode([*asked, ('cursor', cursor)])}"
    return f'<{target}>; rel="next"'


def check_match(request: Request, *current: object) -> None:
    """Hold If-Match against what is there now, inside the transaction that will change it.

    `current` are the representations that the client may have been given (in full, in short).
    Raises `PreconditionFailed`.
    """
    wanted = request.headers.get("if-match")
    if wanted is not None and not any(
        _names(wanted, etag_of(encode(each)), weak=False) for each in current
    ):
        raise PreconditionFailed("It has changed since you read it; read it again and retry.")


def is_conditional(request: Request) -> bool:
    """Whether the client will only change what it has seen."""
    return "if-match" in request.headers


def no_content() -> Response:
    """204."""
    return Response(status_code=204)


def _names(header: str | None, tag: str, *, weak: bool = True) -> bool:
    if header is None:
        return False
    bare = tag.strip('"')
    for each in header.split(","):
        given = each.strip()
        if weak:
            given = given.removeprefix("W/")
        if given == "*" or given.strip('"').removesuffix("-gzip") == bare:
            return True
    return False


def _plainer(value: object) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return _plain(value)


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} is not JSON")
