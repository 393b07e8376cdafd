"""The files that the demo's source reads: points that are not in the database yet."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from convex.metrics.sources import FOLDER
from demo.timeline import DemoPoint

SOURCE = "nycflights13"
PATTERN = "nycflights13/*.csv.gz"

# The newest point of each (framework, metric) that has any.
Newest = Mapping[tuple[str, str], datetime]


def still_missing(points: Iterable[DemoPoint], newest: Newest) -> list[DemoPoint]:
    """The points that continue their series; what lies before its newest point is there already.

    So a run in a later week, when the year has moved on, appends and never rewrites.
    """
    never = datetime.min.replace(tzinfo=UTC)
    return [
        point
        for point in points
        if point.timestamp > newest.get((point.framework, point.metric), never)
    ]


def write_history(
    home: Path, points: Iterable[DemoPoint], now: datetime, pattern: str = PATTERN
) -> Path:
    """Write the points as the newest file of the source, in place of those of earlier runs.

    The name sorts after every earlier one, so that the source's cursor goes on to it.
    """
    folder = (home / FOLDER / pattern).parent
    folder.mkdir(parents=True, exist_ok=True)
    earlier = list(folder.glob("*.csv.gz"))
    file = folder / f"{now.astimezone(UTC):%Y%m%dT%H%M%S%f}.csv.gz"
    draft = file.with_suffix(".part")
    with gzip.open(draft, "wt", newline="", compresslevel=3) as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["framework", "metric", "timestamp", "value"])
        for point in points:
            stamp = f"{point.timestamp:%Y-%m-%dT%H:%M:%SZ}"
            writer.writerow([point.framework, point.metric, stamp, repr(point.value)])
    draft.replace(file)
    for old in earlier:
        old.unlink()
    return file
