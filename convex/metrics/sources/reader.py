"""From a source to its batches, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from convex.errors import InvalidInput
from convex.metrics.mapping import MappingRule
from convex.metrics.sources import files, http_json, prometheus, remote_files, sql
from convex.metrics.sources.http import Permit
from convex.metrics.sources.model import FileConfig, Source, SourceBatch
from convex.metrics.sources.settings import Given

KINDS = ("file", "sql", "prometheus", "http_json")


def check_config(kind: str, config: Mapping[str, Any], secret: Mapping[str, Any] | None) -> None:
    """Whether a source of this kind can work with these settings; `secret` None: as it is stored.

    Raises `InvalidInput`, naming the setting, and never repeating a secret.
    """
    parsers: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
        "file": FileConfig.parse,
        "sql": sql.SqlConfig.parse,
        "prometheus": prometheus.PrometheusConfig.parse,
        "http_json": http_json.JsonConfig.parse,
    }
    if kind not in parsers:
        raise InvalidInput(f"A source's kind is one of {', '.join(KINDS)}.", field="kind")
    parsers[kind](config)
    if secret is None:
        return
    given = Given(kind, secret)
    if kind == "sql":
        sql.check_address(given.needed("url"))
    else:
        for name, value in given.mapping("headers").items():
            if not name.isascii() or any(c in name + value for c in "\r\n\0"):
                raise given.wrong("headers", "has a line break or a name that is no header")
    given.done()


def read_source(
    source: Source,
    secret: Mapping[str, Any],
    *,
    folder: Path,
    permit: Permit,
    rules: Sequence[MappingRule],
    now: datetime,
) -> Iterator[SourceBatch]:
    """Everything after the source's cursor, batch by batch. It blocks: iterate it in a thread.

    Raises `InvalidInput` for what stays wrong, `Unavailable` for what may pass.
    """
    headers, origin = secret.get("headers", {}), f"pull:{source.name}"
    match source.kind:
        case "file":
            config = FileConfig.parse(source.config)
            if config.is_remote:
                return remote_files.read_remote_batches(
                    config, headers, source.cursor, permit, source=origin
                )
            return files.read_batches(config, source.cursor, folder, source=origin)
        case "sql":
            return sql.read_batches(
                sql.SqlConfig.parse(source.config),
                secret.get("url", ""),
                source.cursor,
                folder,
                permit,
                source=origin,
            )
        case "prometheus":
            return prometheus.read_batches(
                prometheus.PrometheusConfig.parse(source.config),
                headers,
                source.cursor,
                permit,
                rules,
                now=now,
                source=origin,
            )
        case _:
            return http_json.read_batches(
                http_json.JsonConfig.parse(source.config),
                headers,
                source.cursor,
                permit,
                source=origin,
            )
