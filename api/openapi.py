"""The OpenAPI 3.1 document: what FastAPI derives, and the problems that every route may answer."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.examples import add_examples
from api.problems import MEDIA_TYPE
from api.schemas.shared import Problem
from convex import __version__

_DESCRIPTION = """\
Convex watches what you measure, says what is wrong, tells the right person once, and shows
afterwards whether the alert was worth it.

**Authentication.** `Authorization: Bearer` with an access token of `/api/v1/auth/sign-in` (one
hour; renewed by `/api/v1/auth/refresh`) or with an API key (`cvx_…`; scopes read, ingest, write).
Both see one workspace only; the id of anything in another answers 404.

**Errors** are problem documents (RFC 9457, `application/problem+json`) with a stable `code`.

**Listings** have `limit` and `cursor`; `next_cursor`, and a `Link` header, lead to the next page.

**Sending again.** A POST may carry an `Idempotency-Key`: within 24 hours the same request with the
same key gets the same answer and changes nothing; while the first is at work it gets 409, and with
another body 422.

**Changing safely.** Answers have a strong `ETag`: `If-None-Match` saves a download (304),
`If-Match` on a change refuses (412) when somebody was faster.

**Limits.** 1,000 requests an hour for each member or key outside ingestion; the RateLimit headers
count down. Times are ISO 8601 in UTC. Requests and answers may be gzipped.

**Live.** The WebSocket at `/api/v1/live` speaks JSON text frames: send
`{"type":"auth","token":…}` within 10 s, then `{"type":"subscribe","framework_id":…|null,
"since":cursor|null}`. Events come as `{"type":"alert","cursor":n,"data":{…},"timestamp":…}`;
after a reconnect, `since` with the last cursor gives everything that was missed, once. `ping` is
answered by `pong`; send something at least once a minute.
"""
_TEXTS = {
    "400": "The request cannot be read.",
    "401": "There is no valid token or key.",
    "403": "The role or scopes do not allow this.",
    "404": "There is nothing with that id in this workspace.",
    "409": "It is in a state that does not allow this, or exists already.",
    "412": "It has changed since it was read (If-Match).",
    "413": "The body is too large.",
    "415": "The content type is not read here.",
    "422": "A value cannot be used; `errors` says where.",
    "429": "A limit was reached; Retry-After says when to try again.",
    "503": "Something that Convex depends on does not answer now.",
}
_PARAMETERS = {
    "days": "How many days back.",
    "framework": "Id or slug of the framework.",
    "number": "Number of the version.",
    "period": "Length of one period.",
    "token": "What the link carries.",
}
_ALWAYS = ("400", "422", "429", "503")
_WITH_BODY = ("413", "415")
_SECURED = ("401", "403")
_CHANGING = ("409", "412")


def install_openapi(app: FastAPI) -> None:
    """Make `app.openapi` build the document once, on demand."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _build(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _build(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="Convex",
        version=__version__,
        openapi_version="3.1.0",
        summary="Alerts that were worth it.",
        description=_DESCRIPTION,
        routes=app.routes,
        license_info={
            "name": "Apache 2.0",
            "url": "https://www.apache.org/licenses/LICENSE-2.0",
        },
        servers=[{"url": "/", "description": "This server"}],
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    components = document.setdefault("components", {}).setdefault("schemas", {})
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components.update(schema.pop("$defs", {}))
    components["Problem"] = schema
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    document["components"]["responses"] = {
        f"Problem{status}": {
            "description": text,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, text in _TEXTS.items()
    }
    names = _short_names(app)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            operation["operationId"] = names[operation["operationId"]]
            for body in operation.get("requestBody", {}).get("content", {}).values():
                components.update(body["schema"].pop("$defs", {}))  # its references point there
                if "properties" in body["schema"]:
                    name = body["schema"]["title"]
                    components[name] = body["schema"]
                    body["schema"] = {"$ref": f"#/components/schemas/{name}"}
            _add_problems(path, method, operation)
            operation.setdefault("security", [])  # said, where nobody has to sign in
            for parameter in operation.get("parameters", ()):
                _describe(parameter)
    _complete(components)
    add_examples(document)
    return document


def _short_names(app: FastAPI) -> dict[str, str]:
    """What generated clients call each operation: its function, with its resource where several
    functions are called so.
    """
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    taken = Counter(route.name for route in routes)
    names: dict[str, str] = {}
    for route in routes:
        name = route.name
        if taken[name] > 1:
            words = [part.replace("-", "_") for part in route.path.split("/") if "{" not in part]
            where = [word for word in words if word not in {"", "api", "v1", name}]
            name = "_".join([name, *where])
        names[route.unique_id] = name
    return names


def _describe(parameter: dict[str, Any]) -> None:
    """In words, where the route says none: whose id it is, or what is asked for."""
    name = parameter["name"].replace("_", " ")
    which = f"The id of the {name.removesuffix(' id')}." if name.endswith(" id") else ""
    if parameter["in"] != "path":
        which = which and f"Only of this {name.removesuffix(' id')}."
    parameter.setdefault("description", which or _PARAMETERS.get(name, f"Only this {name}."))


def _complete(schema: Any) -> None:
    """What readers of the document stumble over: tuples without `items`, parts of an example."""
    if isinstance(schema, dict):
        if schema.get("type") == "array" and "items" not in schema:
            parts = schema.get("prefixItems", [{}])
            schema["items"] = parts[0] if all(part == parts[0] for part in parts) else {}
        if "examples" in schema and isinstance(schema.get("required"), list):
            needed = set(schema["required"])
            whole = [each for each in schema["examples"] if needed <= set(each)]
            if whole:
                schema["examples"] = whole
            else:
                del schema["examples"]
        for each in schema.values():
            _complete(each)
    elif isinstance(schema, list):
        for each in schema:
            _complete(each)


def _add_problems(path: str, method: str, operation: dict[str, Any]) -> None:
    statuses = [*_ALWAYS]
    if operation.get("security"):
        statuses += _SECURED
    elif "/auth/" in path:
        statuses.append("401")
    filters = {each.get("name") for each in operation.get("parameters", ())}
    if "{" in path or "framework" in filters or path.endswith("/bulk"):
        statuses.append("404")
    if method != "get":
        statuses += _CHANGING
    if "requestBody" in operation:
        statuses += _WITH_BODY
    responses = operation["responses"]
    responses.pop("422", None)
    for status in statuses:
        responses.setdefault(status, {"$ref": f"#/components/responses/Problem{status}"})
    operation["responses"] = dict(sorted(responses.items()))
    if method == "post" and operation.get("security"):
        operation.setdefault("parameters", []).append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "A name for this request, so that it may be sent again.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }
        )


_TAGS = {
    "identity": "Sign-in, tokens, oneself.",
    "workspace": "The workspace, its members, API keys, the audit trail.",
    "frameworks": "What is watched.",
    "metrics": "Metrics, series and their points.",
    "points": "Measured values in; what was rejected, and why.",
    "sources": "Where points are pulled from, and how that goes.",
    "rules": "When to alert.",
    "triggers": "What has fired, and what was done about it.",
    "alertmanager": "For programs that speak to an Alertmanager: Prometheus, amtool.",
    "silences": "What is muted for a while.",
    "channels": "Where notifications go.",
    "notifications": "Preferences, the inbox, and the ledger of who was told what, and why.",
    "analytics": "Whether the alerts were worth it.",
    "patterns": "What recurs in when alerts fire, and why that is believed.",
    "predictions": "What is likely to fire next, and how good such sayings were.",
    "quality": "Whether the data can be trusted.",
    "insights": "What the figures mean, in words that the figures back.",
    "recommendations": "What could be done, and what came of it.",
    "system": "Convex itself.",
}
