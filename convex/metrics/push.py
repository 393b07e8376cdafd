"""Bodies that clients push, as columns: JSON, NDJSON and CSV.

A point is `{"framework": slug, "metric": name, "labels": {name: text}, "timestamp": …,
"value": …}`; labels may be missing, a timestamp is ISO 8601 text (no zone means UTC) or seconds
since 1970. A CSV has the columns framework, metric, timestamp and value; any other column is a
label of that name, where it is not empty. A row that cannot be a point is kept in
`PointBatch.unreadable`; a body that cannot be read at all is refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from convex.errors import InvalidInput
from convex.metrics.model import Labels, PointBatch, RejectedPoint, Rejection
from convex.metrics.timestamps import read_column, read_timestamp

_NO_LABELS: Labels = {}
_REQUIRED = ("framework", "metric", "timestamp", "value")
# How clients spell in JSON what JSON cannot hold; such points are rejected later, with a reason.
_SPELLED = {"nan": np.nan, "inf": np.inf, "+inf": np.inf, "-inf": -np.inf}
_SPELLED |= {f"{sign}infinity": number for sign, number in (("", np.inf), ("-", -np.inf))}


def parse_json(body: bytes, *, source: str = "json") -> PointBatch:
    """`{"points": [point, …]}`. Raises `InvalidInput` when the body is not of that form."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"The body is not JSON: {error}.") from None
    rows = content.get("points") if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise InvalidInput('The body must be {"points": [point, …]}.')
    return from_rows(rows, source)


def parse_ndjson(body: bytes, *, source: str = "ndjson") -> PointBatch:
    """One point a line; empty lines are nothing. Raises `InvalidInput` for a body without lines."""
    rows: list[Any] = []
    broken: list[RejectedPoint] = []
    for number, line in enumerate(body.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            text = line[:500].decode(errors="replace").replace("\0", "\ufffd")
            broken.append(RejectedPoint(Rejection.UNREADABLE, f"line {number}: {error}", text))
    if not rows and not broken:
        raise InvalidInput("The body is empty; send one JSON point a line.")
    batch = from_rows(rows, source)
    batch.unreadable.extend(broken)
    return batch


def parse_csv(body: bytes, *, source: str = "csv") -> PointBatch:
    """A header, then one point a row. Raises `InvalidInput` for a header without the columns."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The CSV is not UTF-8: {error}.") from None
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in _REQUIRED if name not in header]
        if missing:
            raise InvalidInput(f"The CSV's header lacks the column {', '.join(missing)}.")
        if len(set(header)) != len(header):
            raise InvalidInput("The CSV's header names a column twice.")
        rows: list[Any] = [_csv_row(header, row) for row in reader if row]
    except csv.Error as error:
        raise InvalidInput(f"The CSV cannot be read: line {reader.line_num}: {error}.") from None
    return from_rows(rows, source)


def _csv_row(header: list[str], row: list[str]) -> Any:
    if len(row) != len(header):
        return row
    point: dict[str, Any] = dict(zip(header, row, strict=True))
    named = {name: point.pop(name) for name in _REQUIRED}
    named["labels"] = {name: value for name, value in point.items() if value}
    for name in ("timestamp", "value"):
        try:
            named[name] = float(named[name])
        except ValueError:
            named[name] = named[name].strip()
    return named


def from_rows(rows: Sequence[Any], source: str) -> PointBatch:
    """Points from decoded objects: by column, or row by row where a column is not clean."""
    try:
        frameworks = [row["framework"] for row in rows]
        metrics = [row["metric"] for row in rows]
        moments = [row["timestamp"] for row in rows]
        numbers = [row["value"] for row in rows]
    except (KeyError, TypeError):
        return _from_each(rows, source)
    try:
        labels = [row["labels"] for row in rows]
    except KeyError:
        labels = [row.get("labels", _NO_LABELS) for row in rows]
    clean = (
        set(map(type, frameworks)) == set(map(type, metrics)) == {str}
        and set(map(type, numbers)) <= {int, float}
        and set(map(type, labels)) == {dict}
    )
    timestamps = read_column(moments) if clean else None
    if timestamps is None:
        return _from_each(rows, source)
    try:
        values = np.array(numbers, np.float64)
    except OverflowError:  # an integer beyond any float
        return _from_each(rows, source)
    return PointBatch(frameworks, metrics, labels, timestamps, values, source)


def _from_each(rows: Sequence[Any], source: str) -> PointBatch:
    frameworks: list[str] = []
    metrics: list[str] = []
    labels: list[Labels] = []
    timestamps: list[int] = []
    values: list[float] = []
    unreadable: list[RejectedPoint] = []
    for row in rows:
        try:
            if not isinstance(row, dict):
                raise ValueError("a point is an object with a field for each column")
            absent = [name for name in _REQUIRED if name not in row]
            if absent:
                raise ValueError(f"{', '.join(absent)} missing")
            for name in ("framework", "metric"):
                if not isinstance(row[name], str):
                    raise ValueError(f"{name} is not text")
            found = row.get("labels")
            found = _NO_LABELS if found is None else found
            if not isinstance(found, dict):
                raise ValueError("labels is not an object")
            timestamp, value = read_timestamp(row["timestamp"]), _read_value(row["value"])
        except ValueError as error:
            unreadable.append(RejectedPoint(Rejection.UNREADABLE, str(error), row))
            continue
        frameworks.append(row["framework"])
        metrics.append(row["metric"])
        labels.append(found)
        timestamps.append(timestamp)
        values.append(value)
    return PointBatch(
        frameworks,
        metrics,
        labels,
        np.array(timestamps, np.int64),
        np.array(values, np.float64),
        source,
        unreadable,
    )


def _read_value(value: object) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, str):
        known = _SPELLED.get(value.lower())
        if known is not None:
            return float(known)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    raise ValueError(f"{str(value)[:40]!r} is not a number")
