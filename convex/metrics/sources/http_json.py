"""Pull points from an API that answers JSON, by JMESPath expressions that say what is where.

`points` gives a list of objects of the answer; `fields` say how each becomes a point. Pages are
followed by `next` (an address, or a token that goes into `next_parameter`). In the address and the
parameters `{since}` stands for the newest timestamp that has been taken (`start` at first). The
cursor is `{"since": newest}`, and within a run `{"since", "next", "newest"}`, so that a run that
was cut off goes on with the page it was at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote, urljoin, urlsplit

import jmespath
import orjson
from jmespath.exceptions import JMESPathError

from convex.errors import InvalidInput, Unavailable
from convex.metrics.model import to_datetime, to_microseconds
from convex.metrics.push import from_rows
from convex.metrics.sources.http import Permit, check_url, get, open_client
from convex.metrics.sources.model import SourceBatch
from convex.metrics.sources.settings import Given

_MOST_PAGES = 10_000
_FIELDS = ("timestamp", "value", "framework", "metric", "labels")


@dataclass(frozen=True, slots=True)
class JsonConfig:
    """Expressions are JMESPath; of `fields`, timestamp and value are needed, framework and metric
    may be given once for all.
    """

    url: str
    points: str
    fields: Mapping[str, str]
    framework: str | None = None
    metric: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    next: str | None = None
    next_parameter: str | None = None
    start: datetime | None = None

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> Self:
        """Raises `InvalidInput`, naming the setting."""
        given = Given("http_json", config)
        found = cls(
            url=given.needed("url"),
            points=given.text("points", "@") or "@",
            fields=given.mapping("fields"),
            framework=given.text("framework"),
            metric=given.text("metric"),
            parameters=given.mapping("parameters"),
            next=given.text("next"),
            next_parameter=given.text("next_parameter"),
            start=given.instant("start"),
        )
        given.done()
        check_url(found.url.replace("{since}", "0"), "config.url")
        if unknown := found.fields.keys() - set(_FIELDS):
            raise given.wrong("fields", f"knows {', '.join(_FIELDS)}, not {min(unknown)!r}")
        for name in ("timestamp", "value"):
            if name not in found.fields:
                raise given.wrong("fields", f"needs {name}")
        for name in ("framework", "metric"):
            if name not in found.fields and getattr(found, name) is None:
                raise given.wrong("fields", f"needs {name}, or the setting of that name")
        expressions = {"points": found.points, "next": found.next}
        expressions |= {f"fields.{name}": text for name, text in found.fields.items()}
        for name, text in expressions.items():
            if text is not None:
                try:
                    jmespath.compile(text)
                except JMESPathError as error:
                    message = str(error).splitlines()[0]
                    raise given.wrong(name, f"is no JMESPath: {message}") from None
        return found


def read_batches(
    config: JsonConfig,
    headers: Mapping[str, str],
    cursor: Mapping[str, Any],
    permit: Permit,
    *,
    source: str,
) -> Iterator[SourceBatch]:
    """Yield page by page what comes after `cursor`; blocks on the network: iterate it in a thread.

    A first or last page without points yields nothing that would change the cursor.
    """
    since = cursor.get("since") or (_written(to_microseconds(config.start)) if config.start else "")
    newest = cursor.get("newest", since)
    following: str | None = cursor.get("next")
    with open_client(permit, headers) as client:
        for _ in range(_MOST_PAGES):
            url, parameters = _ask(config, since, following)
            answer = _read(get(client, url, parameters))
            rows = _search(config.points, answer)
            if rows is None:
                rows = []
            if not isinstance(rows, list):
                raise InvalidInput(f"`points` ({config.points}) gives no list.")
            batch = from_rows([_as_point(row, config) for row in rows], source)
            if len(batch):
                newest = _later(newest, int(batch.timestamps.max()))
            told = _search(config.next, answer) if config.next else None
            if told is not None and not isinstance(told, str | int):
                raise InvalidInput(f"`next` ({config.next}) gives no text.")
            if told in (None, "", False) or str(told) == following:
                yield SourceBatch(batch, {"since": newest}, 1.0)
                return
            following = str(told)
            yield SourceBatch(
                batch, {"since": since, "newest": newest, "next": following}, 0.5 if rows else 0.0
            )
    raise InvalidInput(f"More than {_MOST_PAGES:,} pages: does `next` ever end?")


def _ask(config: JsonConfig, since: str, following: str | None) -> tuple[str, dict[str, str]]:
    url = config.url.replace("{since}", quote(since, safe=""))
    parameters = {k: v.replace("{since}", since) for k, v in config.parameters.items()}
    if following is None:
        return url, parameters
    if config.next_parameter:
        return url, {**parameters, config.next_parameter: following}
    target = urljoin(url, following)
    if urlsplit(target)[:2] != urlsplit(url)[:2]:
        raise InvalidInput("The next page is on another host; it is not asked.")
    return target, {}


def _read(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unavailable(f"The answer is not JSON: {error}.") from None


def _search(expression: str, data: Any) -> Any:
    try:
        return jmespath.search(expression, data)
    except JMESPathError as error:
        raise InvalidInput(f"{expression!r} does not fit the answer: {error}.") from None


def _as_point(row: Any, config: JsonConfig) -> dict[str, Any]:
    point: dict[str, Any] = {"framework": config.framework, "metric": config.metric}
    for name, expression in config.fields.items():
        found = _search(expression, row)
        if found is not None:
            point[name] = found
    labels = point.get("labels")
    if isinstance(labels, dict):
        point["labels"] = {
            name: value if isinstance(value, str) else orjson.dumps(value).decode()
            for name, value in labels.items()
            if value is not None and value != ""
        }
    value = point.get("value")
    if isinstance(value, str):
        with suppress(ValueError):  # it is kept as it came, and rejected with its reason
            point["value"] = float(value)
    moment = point.get("timestamp")
    if isinstance(moment, int | float) and not isinstance(moment, bool) and moment > 1e11:
        point["timestamp"] = moment / 1000  # milliseconds, as JavaScript has them
    return point


def _later(one: str, other: int) -> str:
    return one if one and to_microseconds(datetime.fromisoformat(one)) >= other else _written(other)


def _written(microseconds: int) -> str:
    return to_datetime(microseconds).astimezone(UTC).isoformat().replace("+00:00", "Z")
