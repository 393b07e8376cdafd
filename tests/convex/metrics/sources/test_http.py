"""Sources behind an address: JSON page by page, files by version, and where they may not go."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from convex.errors import InvalidInput, Unavailable
from convex.metrics.sources import FileConfig, SourceBatch
from convex.metrics.sources.http import get, open_client
from convex.metrics.sources.http_json import JsonConfig, read_batches
from convex.metrics.sources.remote_files import read_remote_batches
from tests.convex.metrics.sources.web import Answer, anywhere, serving

FIELDS = {"timestamp": "at", "value": "n", "metric": "name", "labels": "{country: where.country}"}


def rows(*numbers: int) -> list[dict[str, Any]]:
    return [
        {
            "at": f"2026-01-01T00:{number:02d}:00Z",
            "n": str(number),
            "name": "orders",
            "where": {"country": "fr"},
        }
        for number in numbers
    ]


def paged(path: str, parameters: dict[str, str], headers: Mapping[str, str]) -> Answer:
    if headers.get("Authorization") != "Bearer s3cret":
        return 401, {}, b"no"
    page = int(parameters.get("page", 1))
    since = parameters.get("since", "")
    found = [row for row in rows(*range(6)) if row["at"] > since]
    body: dict[str, Any] = {"data": {"rows": found[2 * page - 2 : 2 * page]}}
    body["more"] = {"page": page + 1} if 2 * page < len(found) else {}
    return 200, {}, orjson.dumps(body)


def config(base: str, **more: Any) -> JsonConfig:
    given = {
        "url": f"{base}/orders",
        "points": "data.rows",
        "fields": FIELDS,
        "framework": "shop",
        "parameters": {"since": "{since}"},
        "next": "more.page",
        "next_parameter": "page",
    }
    return JsonConfig.parse({**given, **more})


def read(asked: JsonConfig, cursor: Mapping[str, Any] | None = None) -> list[SourceBatch]:
    headers = {"Authorization": "Bearer s3cret"}
    return list(read_batches(asked, headers, cursor or {}, anywhere, source="pull:x"))


def values(batches: list[SourceBatch]) -> list[float]:
    return [value for batch in batches for value in batch.points.values.tolist()]


def test_json_is_read_page_by_page_and_goes_on_where_it_ended() -> None:
    with serving(paged) as web:
        batches = read(config(web.url))
        assert values(batches) == [0, 1, 2, 3, 4, 5]
        first = batches[0].points
        assert (first.frameworks, first.metrics) == (["shop"] * 2, ["orders"] * 2)
        assert first.labels == [{"country": "fr"}] * 2
        assert batches[-1].cursor == {"since": "2026-01-01T00:05:00Z"}
        # Cut off after any page, the run goes on with the next one.
        for number, batch in enumerate(batches[:-1]):
            rest = read(config(web.url), batch.cursor)
            assert values(batches[: number + 1]) + values(rest) == [0, 1, 2, 3, 4, 5]
            assert rest[-1].cursor == batches[-1].cursor
        again = read(config(web.url), batches[-1].cursor)
        assert values(again) == []
        assert again[-1].cursor == batches[-1].cursor


def test_what_may_pass_is_told_from_what_stays_wrong() -> None:
    def respond(path: str, _p: dict[str, str], _h: Mapping[str, str]) -> Answer:
        status = int(path.rsplit("/", 1)[-1])
        return status, {"Location": "http://elsewhere.example/"}, b"because"

    with serving(respond) as web:
        for status, kind in (
            (404, InvalidInput),
            (401, InvalidInput),
            (302, InvalidInput),
            (429, Unavailable),
            (503, Unavailable),
        ):
            with pytest.raises(kind, match=str(status)), open_client(anywhere, {}) as client:
                get(client, f"{web.url}/{status}")
    with pytest.raises(Unavailable), open_client(anywhere, {}) as client:
        get(client, f"{web.url}/200")  # nobody is there any more


def test_nothing_is_connected_that_is_not_permitted() -> None:
    seen: list[tuple[str, list[str]]] = []

    def nobody(host: str, port: int, addresses: list[str]) -> None:
        seen.append((host, addresses))
        raise InvalidInput("not there")

    with serving(paged) as web:
        for url in (web.url, web.url.replace("127.0.0.1", "localhost")):
            with pytest.raises(InvalidInput, match="not there"), open_client(nobody, {}) as client:
                get(client, url)
        assert web.asked == []
    assert seen[0] == ("127.0.0.1", ["127.0.0.1"])
    assert "127.0.0.1" in seen[1][1]


def test_a_next_page_elsewhere_is_not_asked() -> None:
    def respond(_path: str, _p: dict[str, str], _h: Mapping[str, str]) -> Answer:
        return 200, {}, orjson.dumps({"rows": rows(1), "next": "http://evil.example/?token"})

    with serving(respond) as web, pytest.raises(InvalidInput, match="another host"):
        read(config(web.url, points="rows", next="next", next_parameter=None))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "ftp://x/"}, "config.url"),
        ({"url": "http://user:pw@x/"}, "config.url"),
        ({"points": "data["}, "config.points"),
        ({"fields": {"value": "n"}}, "config.fields"),
        ({"framework": None}, "config.fields"),
        ({"start": "soon"}, "config.start"),
        ({"colour": "red"}, "config.colour"),
    ],
)
def test_settings_that_cannot_work_are_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        config("http://x.example", **change)
    assert caught.value.details["field"] == field


class _Store:
    """A file behind an address, with or without versions."""

    def __init__(self, *, versioned: bool) -> None:
        self.body = b""
        self.versioned = versioned
        self.sent = 0

    def __call__(self, path: str, _p: dict[str, str], headers: Mapping[str, str]) -> Answer:
        tag = f'"{hash(self.body)}"'
        if self.versioned and headers.get("If-None-Match") == tag:
            return 304, {"ETag": tag}, b""
        self.sent += 1
        body = gzip.compress(self.body, mtime=0) if path.endswith(".gz") else self.body
        return 200, {"ETag": tag} if self.versioned else {}, body


@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize("name", ["wind.csv", "wind.csv.gz"])
def test_a_file_behind_an_address_is_read_once_for_each_version(versioned: bool, name: str) -> None:
    header = b"timestamp,value\n"
    store = _Store(versioned=versioned)
    store.body = header + b"2026-01-01T00:00:00Z,1\n2026-01-01T00:01:00Z,2\n"
    with serving(store) as web:
        asked = FileConfig.parse(
            {"path": f"{web.url}/{name}", "framework": "ewr", "metric": "wind"}
        )

        def pull(cursor: Mapping[str, Any]) -> list[SourceBatch]:
            return list(read_remote_batches(asked, {}, cursor, anywhere, source="pull:x"))

        first = pull({})
        assert values(first) == [1, 2]
        assert first[-1].cursor["done"]
        assert pull(first[-1].cursor) == []
        assert store.sent == (1 if versioned else 2)
        half = {**first[-1].cursor, "rows": 1, "done": False}
        assert values(pull(half)) == [2]
        store.body += b"2026-01-01T00:02:00Z,3\n"
        assert values(pull(first[-1].cursor)) == [1, 2, 3]


def test_start_and_milliseconds() -> None:
    def respond(_path: str, parameters: dict[str, str], _h: Mapping[str, str]) -> Answer:
        assert parameters == {"since": "2025-12-31T23:00:00Z"}
        return 200, {}, orjson.dumps([{"t": 1767225600000, "v": 1, "m": "a"}])

    with serving(respond) as web:
        asked = config(
            web.url,
            points="@",
            fields={"timestamp": "t", "value": "v", "metric": "m"},
            next=None,
            next_parameter=None,
            start="2026-01-01T00:00:00+01:00",
        )
        (batch,) = read(asked)
    assert batch.points.timestamps.tolist() == [1767225600_000_000]
    assert batch.cursor == {"since": datetime(2026, 1, 1, tzinfo=UTC).isoformat()[:19] + "Z"}
