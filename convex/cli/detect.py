"""`convex detect`: the anomaly detector over one file, without a server."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Annotated, TextIO

import typer

from convex.anomaly.model import Condition, Sensitivity
from convex.cli.say import Json, say
from convex.errors import InvalidInput


def detect(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV with columns timestamp,value; may be gzipped.", exists=True, dir_okay=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where the scores are written, as CSV.")],
    probation: Annotated[
        int | None,
        typer.Option(min=0, help="Points to learn from; 200 and two days without it."),
    ] = None,
    sensitivity: Annotated[
        Sensitivity, typer.Option(help="How many false alarms are acceptable.")
    ] = Sensitivity.MEDIUM,
    condition: Annotated[
        Condition, typer.Option(help="The side that counts as an anomaly.")
    ] = Condition.CHANGES_BY,
    zone: Annotated[str, typer.Option(help="Zone of the hours of the day and week.")] = "UTC",
    as_json: Json = False,
) -> None:
    """Score every row of a series by the rows before it.

    Writes timestamp,value,anomaly_score,alert: the score is between 0 and 1, and at least 0.5 where
    the alert is 1. Rows are taken in the order of the file and none is looked at ahead of time.

    Example: convex detect requests.csv --out scores.csv
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from convex.anomaly.stream import score_rows

    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"no time zone is called {zone!r}; use an IANA name.") from None
    started, rows, alerts = perf_counter(), 0, 0
    out.parent.mkdir(parents=True, exist_ok=True)
    with _open(file) as source, out.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(("timestamp", "value", "anomaly_score", "alert"))
        for row in score_rows(
            _columns(source, file),
            probation=probation,
            sensitivity=sensitivity,
            condition=condition,
            zone=zone,
        ):
            writer.writerow((row.timestamp, row.value, f"{row.anomaly_score:.9f}", int(row.alert)))
            rows += 1
            alerts += row.alert
    microseconds = (perf_counter() - started) / max(rows, 1) * 1e6
    say(
        f"{alerts} alerts in {rows} points, written to {out} ({microseconds:.0f} µs a point).",
        {"points": rows, "alerts": alerts, "out": str(out), "microseconds_a_point": microseconds},
        as_json=as_json,
    )


def _open(file: Path) -> TextIO:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", newline="", encoding="utf-8-sig")
    return file.open(newline="", encoding="utf-8-sig")


def _columns(source: TextIO, file: Path) -> Iterator[tuple[str, str]]:
    reader = csv.reader(source)
    names = [name.strip().lower() for name in next(reader, [])]
    if "timestamp" not in names or "value" not in names:
        raise InvalidInput(
            f"{file} has no header with the columns timestamp and value; give it one."
        )
    timestamp, value = names.index("timestamp"), names.index("value")
    widest = max(timestamp, value)
    for row in reader:
        if len(row) > widest:
            yield row[timestamp], row[value]
        elif row:
            yield row[timestamp] if len(row) > timestamp else "", ""
