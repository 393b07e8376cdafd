"""Every error as a problem document (RFC 9457) with a stable `code`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
import psycopg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from convex.errors import ConvexError, NotAuthenticated, TooManyRequests, Unavailable
from convex.telemetry import get_log

MEDIA_TYPE = "application/problem+json"
_LONGEST_DETAIL = 2000
_CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "not_permitted",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    412: "precondition_failed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_input",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
}
_log = get_log(__name__)


class BadRequest(ConvexError):
    """The request itself cannot be read."""

    code = "bad_request"
    status = 400


class TooLarge(ConvexError):
    """More bytes than the server takes."""

    code = "too_large"
    status = 413


class UnsupportedMediaType(ConvexError):
    """A content type or encoding that the route does not read."""

    code = "unsupported_media_type"
    status = 415


def problem(
    status: int,
    detail: str,
    *,
    code: str | None = None,
    instance: str = "",
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The document as an answer."""
    named = code or _CODES.get(status, "error")
    document: dict[str, Any] = {
        "type": f"urn:convex:problem:{named}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail[:_LONGEST_DETAIL],
        "code": named,
        "instance": instance,
    }
    if errors:
        document["errors"] = list(errors)
    extra = dict(headers or {})
    if status == 401:
        extra.setdefault("WWW-Authenticate", 'Bearer realm="convex"')
    return Response(
        orjson.dumps(document, default=str), status, headers=extra, media_type=MEDIA_TYPE
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Map every error that can leave a route."""

    async def from_domain(request: Request, error: Exception) -> Response:
        assert isinstance(error, ConvexError)
        return of_error(error, request.url.path)

    async def from_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(sorted(allowed_methods(app, request.scope)))
        detail = error.detail
        if error.status_code == 404 and detail == "Not Found":
            detail = "There is nothing at this address."
        return problem(error.status_code, detail, instance=request.url.path, headers=headers)

    async def from_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _of_validation(error, request.url.path)

    async def from_database(request: Request, error: Exception) -> Response:
        return of_error(_of_database(error), request.url.path)

    app.add_exception_handler(ConvexError, from_domain)
    app.add_exception_handler(HTTPException, from_http)
    app.add_exception_handler(RequestValidationError, from_validation)
    app.add_exception_handler(psycopg.Error, from_database)
    app.add_exception_handler(PoolTimeout, from_database)


def of_error(error: ConvexError, instance: str) -> Response:
    """A domain error as an answer."""
    headers: dict[str, str] = {}
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.details.get("retry_after", 1))
    elif isinstance(error, Unavailable):
        headers["Retry-After"] = "1"
    elif isinstance(error, NotAuthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="convex", error="invalid_token"'
    where = error.details.get("field") or error.details.get("parameter")
    errors = error.details.get("errors") or (
        [{"loc": [str(where)], "msg": error.message}] if where else []
    )
    return problem(
        error.status,
        error.message,
        code=error.code,
        instance=instance,
        errors=errors,
        headers=headers,
    )


def allowed_methods(app: FastAPI, scope: Scope) -> set[str]:
    """What may be done at the path of `scope`, over all its routes."""
    methods: set[str] = set()
    for route in app.routes:
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return methods


def _of_validation(error: RequestValidationError, instance: str) -> Response:
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        where = found[0].get("ctx", {}).get("error", "it cannot be read")
        return problem(
            400, f"The body is not JSON: {where}.", code="malformed_json", instance=instance
        )
    errors = [{"loc": list(each["loc"]), "msg": each["msg"]} for each in found[:50]]
    first = errors[0] if errors else {"loc": [], "msg": "invalid"}
    place = ".".join(str(part) for part in first["loc"])
    return problem(422, f"{place}: {first['msg']}", instance=instance, errors=errors)


def _of_database(error: Exception) -> ConvexError:
    """What PostgreSQL refused, in the caller's words; what it cannot do now, as 503."""
    from convex.errors import Conflict, InvalidInput, NotPermitted

    match error:
        case psycopg.errors.InsufficientPrivilege():
            return NotPermitted("Your role in this workspace does not allow this.")
        case psycopg.errors.UniqueViolation():
            return Conflict("Something with that name exists already.")
        case psycopg.errors.ForeignKeyViolation():
            return Conflict("Something that this refers to is not there, or still refers to it.")
        case psycopg.errors.DataError() | psycopg.errors.IntegrityError() | psycopg.DataError():
            _log.warning("the database refused a value", error=str(error)[:500])
            return InvalidInput("A value is outside of what can be stored.")
        case psycopg.errors.SerializationFailure() | psycopg.errors.DeadlockDetected():
            return Unavailable("Two requests met at the same rows; send this one again.")
        case psycopg.OperationalError() | PoolTimeout():
            _log.error("the database does not answer", error=str(error)[:500])
            return Unavailable("The database does not answer now; try again in a moment.")
        case _:
            _log.error("a statement failed", error=str(error)[:500], exc_info=error)
            return _Internal("Something went wrong here; the log has it under the request's id.")


class _Internal(ConvexError):
    code = "internal_error"
