"""The errors of the domain: a small hierarchy, each with a stable code.

`api/` maps them to problem+json once, `convex/cli.py` to exit codes once. A message says what was
wrong, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class ConvexError(Exception):
    """Something that a caller can understand and act on."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, /, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, Any] = details


class InvalidInput(ConvexError):
    """A value that cannot be used; `details` names where."""

    code = "invalid_input"
    status = 422


class NotAuthenticated(ConvexError):
    """No identity, or one that is not valid any more."""

    code = "not_authenticated"
    status = 401


class NotPermitted(ConvexError):
    """The identity is known and may not do this."""

    code = "not_permitted"
    status = 403


class NotFound(ConvexError):
    """Nothing with that id in this workspace."""

    code = "not_found"
    status = 404


class Conflict(ConvexError):
    """The thing exists already, or is in a state that does not allow this."""

    code = "conflict"
    status = 409


class KeptAsCode(Conflict):
    """A rule that a file speaks for: it is changed there and applied, nowhere else."""

    code = "kept_as_code"


class PreconditionFailed(ConvexError):
    """The thing changed since the caller last read it (If-Match)."""

    code = "precondition_failed"
    status = 412


class TooManyRequests(ConvexError):
    """A limit was reached; `details["retry_after"]` is in seconds."""

    code = "too_many_requests"
    status = 429


class Unavailable(ConvexError):
    """Something that Convex depends on does not answer now."""

    code = "unavailable"
    status = 503
