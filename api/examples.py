"""An example of each request and main answer, for the OpenAPI document.

Made from the schemas, so that they change with them: what a schema says itself (an example, a
constant, a choice) goes first, then what a field of that name looks like in Convex, then anything
that the schema allows. A test holds every one of them against its schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Schema = Mapping[str, Any]
_DEEPEST = 7
_ABSENT = object()

# What a field of this name holds; the first that the schema allows is taken.
_FIELDS: dict[str, tuple[Any, ...]] = {
    "access_token": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl",),
    "accepted": (1,),
    "actionability": (80,),
    "author": ("Ada",),
    "aggregate": ("mean",),
    "category": ("overall",),
    "channels": (["on-call"],),
    "condition": ("above",),
    "confidence": (82, "medium"),
    "coverage": (1.0,),
    "cursor": (1204,),
    "days": (7,),
    "description": ("Share of departures that were cancelled.",),
    "detail": ("The value is not a number.", ""),
    "document": ("We are on time, or we say why.",),
    "email": ("ada@example.com",),
    "explanation": ("Told at once.",),
    "expires_in": (3600,),
    "for": (7200,),
    "framework": ("ewr",),
    "framework_name": ("Newark",),
    "frequency": ("weekly",),
    "group_by": (["airport"], "rule"),
    "headline": ("Cancellations are back to normal.",),
    "healthy": (True,),
    "hash": ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",),
    "issuer": ("https://id.example.com",),
    "key": ("cvx_4f1Zk0d2Qm8sT7bW9yXcVnLr", "airport"),
    "label": ("airport",),
    "labels": ({"airport": "EWR"},),
    "last_error": (None, ""),
    "limit": (30.0, 1000),
    "line": (1,),
    "location": ("https://example.com",),
    "metric": ("cancel_rate",),
    "metric_name": ("cancel_rate",),
    "model": ("mixture-1",),
    "name": ("Cancellations", "cancel_rate"),
    "next_cursor": (None,),
    "note": ("Snow; the runway is closed.",),
    "operator": ("=",),
    "password": ("correct horse battery",),
    "current_password": ("correct horse battery",),
    "new_password": ("a better horse battery",),
    "path": ("/triggers",),
    "prefix": ("cvx_4f1Zk0d2",),
    "probability": (64.0,),
    "question": ("Why were flights cancelled on Friday?",),
    "query": ("avg(cancel_rate)",),
    "reason": ("above", "The runway is closed."),
    "refresh_token": ("cvr_2mYw8hJq5uN1pKx7",),
    "resolution_reason": (None,),
    "role": ("editor",),
    "rule": ("Cancellations",),
    "rule_name": ("Cancellations",),
    "runbook_url": ("https://example.com/runbooks/cancellations",),
    "schedule": ("*/15 * * * *",),
    "scopes": (["ingest"],),
    "score": (87.5, 87),
    "series": (14, 'cancel_rate{airport="EWR"}'),
    "severity": ("warning",),
    "sha256": ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",),
    "slug": ("ewr",),
    "source": ("rule",),
    "state": ("firing",),
    "status": ("good",),
    "step": (3600,),
    "suite": ("points",),
    "table": ("alert_rules",),
    "tags": (["operations"],),
    "target": (2.0, "trigger"),
    "templates": ({},),
    "text": ("Cancellations fell from 57.5 % to 2.1 % in a week.",),
    "threshold": (20.0,),
    "threshold_value": (20.0,),
    "timezone": ("America/New_York",),
    "title": ("Warning · Firing: Cancellations · Newark",),
    "token": ("aW52aXRhdGlvbg",),
    "token_type": ("Bearer",),
    "type": ("threshold",),
    "unit": ("%",),
    "url": ("https://example.com/hooks/convex",),
    "value": (57.5, "EWR", "ewr"),
    "version": (3,),
    "workspace": ("airports",),
}
_INSTANTS = {
    "from": "2026-01-05T00:00:00Z",
    "created_at": "2026-01-05T08:00:00Z",
    "opened_at": "2026-01-12T09:30:00Z",
    "resolved_at": "2026-01-12T14:05:00Z",
    "ends_at": "2026-01-12T20:00:00Z",
    "expires_at": "2026-02-12T09:30:00Z",
    "purge_at": "2026-01-19T09:30:00Z",
    "to": "2026-01-12T00:00:00Z",
}
_ANY_TEXT = (
    "cancellations",
    "info",
    "warning",
    "ewr",
    "22:00",
    "06:00",
    "EWR",
    "UTC",
    "1",
    "*",
    "a" * 12,
)
# Bodies that are not JSON: what a client would send or get.
_TEXTS = {
    "application/x-ndjson": '{"framework":"ewr","metric":"cancel_rate",'
    '"timestamp":"2026-01-12T09:00:00Z","value":57.5}\n',
    "text/csv": "framework,metric,timestamp,value\newr,cancel_rate,2026-01-12T09:00:00Z,57.5\n",
    "application/yaml": "version: 1\nrules: []\n",
    "text/html": "<!doctype html><title>Unsubscribed</title>",
    "text/plain": "# TYPE convex_outbox_due gauge\nconvex_outbox_due 0\n",
}


def add_examples(document: dict[str, Any]) -> None:
    """Give each request and each successful answer an example, where it has none."""
    schemas = document["components"]["schemas"]
    for item in document["paths"].values():
        for operation in item.values():
            bodies = [operation.get("requestBody", {})]
            bodies += [
                answer for status, answer in operation["responses"].items() if status[0] == "2"
            ]
            for body in bodies:
                for kind, media in body.get("content", {}).items():
                    _add(kind, media, schemas)


def _add(kind: str, media: dict[str, Any], schemas: Schema) -> None:
    if "example" in media or "examples" in media:
        return
    if kind == "application/json":
        media["example"] = make_example(media.get("schema", {}), schemas)
    elif kind in _TEXTS:
        media["example"] = _TEXTS[kind]


def make_example(schema: Schema, schemas: Schema, name: str = "", depth: int = 0) -> Any:
    """A value that the schema allows. `schemas` are the components that it may refer to."""
    if "$ref" in schema:
        target = str(schema["$ref"]).rpartition("/")[2]
        return make_example(schemas[target], schemas, name, depth + 1)
    for given in (*schema.get("examples", ()), schema.get("example", _ABSENT)):
        if given is not _ABSENT and _is_whole(given, schema):
            return given
    if "const" in schema:
        return schema["const"]
    for word in _FIELDS.get(name, ()):
        if _allows(schema, word, schemas):
            return word
    if "enum" in schema:
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return _choose(schema[choice], schemas, name, depth)
    if "allOf" in schema:
        return make_example(schema["allOf"][0], schemas, name, depth)
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return _object(schema, schemas, depth)
    if kind == "array":
        return _array(schema, schemas, name, depth)
    if kind in {"integer", "number"}:
        return _number(schema)
    if kind == "string":
        return _text(schema, name)
    return {"boolean": bool(schema.get("default", False)), "null": None}.get(str(kind), {})


def _is_whole(given: Any, schema: Schema) -> bool:
    """An example of an object may show a part of it."""
    return not isinstance(given, Mapping) or set(schema.get("required", ())) <= set(given)


def _choose(choices: list[Schema], schemas: Schema, name: str, depth: int) -> Any:
    nothing = {"type": "null"} in choices
    if nothing and depth > _DEEPEST:
        return None
    first = next((each for each in choices if each.get("type") != "null"), choices[0])
    return make_example(first, schemas, name, depth + 1)


def _object(schema: Schema, schemas: Schema, depth: int) -> dict[str, Any]:
    required = set(schema.get("required", ()))
    return {
        name: make_example(field, schemas, name, depth + 1)
        for name, field in schema.get("properties", {}).items()
        if name in required or (depth <= _DEEPEST and _is_shown(name, field))
    }


def _is_shown(name: str, field: Schema) -> bool:
    """Of what may be left out: what a client would mostly send."""
    return name in _FIELDS and "default" not in field


def _array(schema: Schema, schemas: Schema, name: str, depth: int) -> list[Any]:
    if "prefixItems" in schema:
        return [make_example(each, schemas, "", depth + 1) for each in schema["prefixItems"]]
    least = int(schema.get("minItems", 0))
    if depth > _DEEPEST and not least:
        return []
    one = make_example(schema.get("items", {}), schemas, name.removesuffix("s"), depth + 1)
    return [one] * max(least, 1)


def _number(schema: Schema) -> int | float:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    value = max(low + (1 if "exclusiveMinimum" in schema else 0), 1)
    if high is not None and value > high:
        value = high
    return int(value) if schema.get("type") == "integer" else float(value)


def _text(schema: Schema, name: str) -> str:
    form = schema.get("format")
    if form == "uuid":
        return str(uuid5(NAMESPACE_URL, f"convex:{name}"))
    if form == "date-time":
        return _INSTANTS.get(name, "2026-01-12T09:30:00Z")
    if form == "date":
        return "2026-01-12"
    if form in {"uri", "url"}:
        return "https://example.com"
    fitting = (each for each in _ANY_TEXT if _fits(schema, each))
    least = int(schema.get("minLength", 0))
    return next(fitting, "x" * max(least, 1))


def _fits(schema: Schema, text: str) -> bool:
    pattern = schema.get("pattern")
    length = schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", 10**9)
    return length and (pattern is None or re.search(pattern, text) is not None)


def _allows(schema: Schema, value: Any, schemas: Schema) -> bool:
    """Whether a simple value may stand there: by type, choice, range and pattern."""
    if "$ref" in schema:
        return _allows(schemas[str(schema["$ref"]).rpartition("/")[2]], value, schemas)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return any(_allows(each, value, schemas) for each in schema[choice])
    if "enum" in schema:
        return value in schema["enum"]
    kind = schema.get("type")
    if isinstance(value, bool) or value is None:
        return kind == ("null" if value is None else "boolean")
    if isinstance(value, str):
        return kind == "string" and "format" not in schema and _fits(schema, value)
    if isinstance(value, int | float):
        whole = kind == "number" or (kind == "integer" and isinstance(value, int))
        return whole and schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if isinstance(value, list):
        items = schema.get("items", {})
        return kind == "array" and all(_allows(items, each, schemas) for each in value)
    if kind != "object" or "properties" in schema:
        return False
    inner = schema.get("additionalProperties", True)
    return inner is True or (
        isinstance(inner, dict) and all(_allows(inner, each, schemas) for each in value.values())
    )
