"""Answers of `read` as flat rows, and rows as CSV or Parquet.

A row is one thing of the answer: a period, a framework, a rule. Objects inside it are flattened by
their names (`triggered_by_type_threshold`). pyarrow is imported for the first Parquet.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

Row = dict[str, Any]
Report = Literal["summary", "trends", "distribution", "performance", "noise"]

# What a spreadsheet would take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def rows_of(report: Report, answer: Mapping[str, Any]) -> list[Row]:
    """The rows of one answer (as `read` gives it, or read back from its JSON).

    summary: two rows, `window` current and previous. trends: a row per period. performance: a row
    per framework. distribution: `dimension`, `value`, `triggers`. noise: a row per rule, `lists`
    naming the lists of the report that it is in.
    """
    if report == "summary":
        previous = answer["previous"]
        now = {k: v for k, v in answer.items() if k not in {"previous", "days", "refreshed_at"}}
        return [{"window": "current", **_flat(now)}, {"window": "previous", **_flat(previous)}]
    if report == "distribution":
        return list(_spread(answer))
    if report == "noise":
        return list(_rules(answer))
    return [_flat(item) for item in answer["items"]]


def to_csv(rows: Sequence[Row]) -> bytes:
    """UTF-8 with a header line; empty where there is no value.

    Text that a spreadsheet would run as a formula gets an apostrophe in front; numbers stay.
    """
    text = io.StringIO()
    names = _columns(rows)
    writer = csv.DictWriter(text, names, lineterminator="\r\n")
    if names:
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def to_parquet(rows: Sequence[Row]) -> bytes:
    """One table, compressed with zstd. Takes 0.3 s the first time: not on an event loop."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = {name: [_typed(name, row.get(name)) for row in rows] for name in _columns(rows)}
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink, compression="zstd")
    return sink.getvalue()


def _flat(item: Mapping[str, Any], prefix: str = "") -> Row:
    row: Row = {}
    for name, value in item.items():
        if isinstance(value, Mapping):
            row.update(_flat(value, f"{prefix}{name}_"))
        else:
            row[f"{prefix}{name}"] = value
    return row


def _spread(answer: Mapping[str, Any]) -> Iterable[Row]:
    for name, found in answer.items():
        dimension = name.removeprefix("by_")
        if name == "by_framework":
            for item in found:
                yield _counted(dimension, item["slug"], item["triggers"])
        elif name == "by_hour_of_week":
            for weekday, hours in enumerate(found, start=1):
                for hour, triggers in enumerate(hours):
                    yield _counted(dimension, f"{weekday} {hour:02d}:00", triggers)
        elif isinstance(found, Mapping):
            for word, triggers in found.items():
                yield _counted(dimension, word, triggers)
        elif isinstance(found, list):
            for position, triggers in enumerate(found, start=name == "by_weekday"):
                yield _counted(dimension, str(position), triggers)


def _counted(dimension: str, value: str, triggers: int) -> Row:
    return {"dimension": dimension, "value": value, "triggers": triggers}


def _rules(answer: Mapping[str, Any]) -> Iterable[Row]:
    lists = ("rules", "never_acknowledged", "always_auto_resolved", "flapping")
    member_of: dict[tuple[Any, Any], list[str]] = {}
    rules: dict[tuple[Any, Any], Row] = {}
    for name in lists:
        for rule in answer[name]:
            key = (rule["rule_id"], rule["name"])
            rules.setdefault(key, _flat(rule))
            member_of.setdefault(key, []).append("noisiest" if name == "rules" else name)
    for key, rule in rules.items():
        yield {**rule, "lists": " ".join(member_of[key])}


def _columns(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return "" if value is None else value


def _typed(name: str, value: Any) -> Any:
    if isinstance(value, str) and name in {"period_start", "from", "to"}:
        return date.fromisoformat(value)
    return value if value is None or isinstance(value, str | int | float | date) else str(value)
