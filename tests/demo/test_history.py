"""What the demo's source reads is what the database lacks, and its files come one after another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from convex.metrics.sources import FOLDER, FileConfig
from convex.metrics.sources.files import read_batches
from demo.history import PATTERN, still_missing, write_history
from demo.timeline import END, WEEK, DemoPoint, build_timeline

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def points(*hours: int) -> list[DemoPoint]:
    return [DemoPoint(NOON + hour * HOUR, "ewr", "wind", hour / 3) for hour in hours]


def read(home: Path, cursor: dict[str, object]) -> tuple[list[float], dict[str, object]]:
    batches = list(
        read_batches(FileConfig(PATTERN), cursor, home / FOLDER, source="pull:nycflights13")
    )
    values = [value for batch in batches for value in batch.points.values.tolist()]
    return values, dict(batches[-1].cursor) if batches else cursor


def test_each_series_goes_on_after_its_own_newest_point() -> None:
    jfk = [point._replace(framework="jfk") for point in points(0, 1)]
    newest = {("ewr", "wind"): NOON + HOUR}
    assert still_missing([*points(0, 1, 2), *jfk], newest) == [*points(2), *jfk]


def test_a_run_in_a_later_week_appends_and_rewrites_nothing() -> None:
    year = [DemoPoint(END - n * HOUR, "ewr", "wind", float(n)) for n in range(24 * 21, 0, -1)]
    seen: dict[datetime, float] = {}
    newest: dict[tuple[str, str], datetime] = {}
    for later in (timedelta(), HOUR, timedelta(days=5), 2 * WEEK + timedelta(minutes=90)):
        timeline = build_timeline(year, NOON + later)
        missing = still_missing([*timeline.history, *timeline.live], newest)
        assert not seen.keys() & {point.timestamp for point in missing}
        seen |= {point.timestamp: point.value for point in missing}
        newest["ewr", "wind"] = max(seen)
        assert max(seen) == (NOON + later).replace(minute=0) - HOUR
    hours = sorted(seen)
    assert {after - before for before, after in pairwise(hours)} == {HOUR}


def test_the_source_reads_each_run_of_the_demo_once(tmp_path: Path) -> None:
    write_history(tmp_path, points(0, 1), NOON)
    values, cursor = read(tmp_path, {})
    assert values == [0.0, 1 / 3]
    assert read(tmp_path, cursor)[0] == []
    write_history(tmp_path, points(2), NOON + timedelta(milliseconds=1))
    assert read(tmp_path, cursor)[0] == [2 / 3]
    assert len(list((tmp_path / FOLDER).glob(PATTERN))) == 1
