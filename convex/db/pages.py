"""Pages of a listing: an opaque cursor holds the sort key of the last row that was given out."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

import orjson

from convex.errors import InvalidInput

T_co = TypeVar("T_co", covariant=True)

Key = str | int | float | None


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """Some rows, and where to go on; `next_cursor` is None after the last."""

    items: list[T_co]
    next_cursor: str | None = None


def encode_cursor(*key: Key | datetime | UUID) -> str:
    """The sort key of a row as an opaque word; instants keep their microseconds."""
    plain = [str(part) if isinstance(part, UUID) else part for part in key]
    return urlsafe_b64encode(orjson.dumps(plain)).rstrip(b"=").decode()


def decode_cursor(cursor: str | None, *kinds: type) -> tuple[Key, ...] | None:
    """The inverse of `encode_cursor`; None for no cursor.

    `kinds` are the types that each part must have: `str`, `int`, `float`, and `datetime` or `UUID`
    for strings of that form (they stay strings: PostgreSQL reads them). Raises `InvalidInput`.
    """
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        key = orjson.loads(urlsafe_b64decode(padded))
        if not isinstance(key, list) or len(key) != len(kinds):
            raise ValueError
        for part, kind in zip(key, kinds, strict=True):
            if kind is datetime:
                datetime.fromisoformat(part)
            elif kind is UUID:
                UUID(part)
            elif not isinstance(part, kind) or isinstance(part, bool):
                raise ValueError
            if isinstance(part, int) and not -(2**63) <= part < 2**63:
                raise ValueError
            if isinstance(part, str) and "\0" in part:
                raise ValueError
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput(
            "The cursor is not one that this listing gave out; leave it away to start afresh.",
            parameter="cursor",
        ) from None
    return tuple(key)
