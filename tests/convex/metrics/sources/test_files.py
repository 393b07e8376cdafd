"""Reading points from files: formats, the cursor, and what is wrong said in words."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from convex.errors import InvalidInput
from convex.metrics.sources import FileConfig, SourceBatch
from convex.metrics.sources.files import find_files, read_batches

HEADER = "framework,metric,timestamp,value\n"
MICROSECONDS = 1_000_000


def row(number: int) -> str:
    return f"ewr,wind,2026-01-01T{number // 60:02d}:{number % 60:02d}:00Z,{number}\n"


def csv_of(*numbers: int) -> str:
    return HEADER + "".join(map(row, numbers))


def read(folder: Path, cursor: dict[str, Any] | None = None, **config: str) -> list[SourceBatch]:
    parsed = FileConfig.parse(config)
    return list(read_batches(parsed, cursor or {}, folder, source="pull:test", size=3))


def values(batches: list[SourceBatch]) -> list[float]:
    return [value for batch in batches for value in batch.points.values.tolist()]


def test_a_csv_is_read_in_batches_that_say_where_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(csv_of(*range(7)))
    batches = read(tmp_path, path="a.csv")
    assert [batch.points.values.tolist() for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [batch.cursor for batch in batches] == [{"file": "a.csv", "rows": n} for n in (3, 6, 7)]
    assert batches[-1].progress == 1
    first = batches[0].points
    assert (first.frameworks, first.metrics, first.source) == (
        ["ewr"] * 3,
        ["wind"] * 3,
        "pull:test",
    )
    assert np.diff(first.timestamps).tolist() == [60 * MICROSECONDS] * 2


def test_every_format_gives_the_same_points(tmp_path: Path) -> None:
    (tmp_path / "plain.csv").write_text(csv_of(*range(4)))
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(csv_of(*range(4)).encode()))
    lines = "".join(
        f'{{"framework":"ewr","metric":"wind","timestamp":"2026-01-01T00:0{n}:00Z","value":{n}}}\n'
        for n in range(4)
    )
    (tmp_path / "lines.ndjson").write_text(lines)
    (tmp_path / "lines.ndjson.gz").write_bytes(gzip.compress(lines.encode()))
    start = np.datetime64("2026-01-01T00:00", "us")
    table = pa.table(
        {
            "framework": ["ewr"] * 4,
            "metric": ["wind"] * 4,
            "timestamp": pa.array(start + np.arange(4) * np.timedelta64(60, "s")).cast(
                pa.timestamp("us", tz="UTC")
            ),
            "value": [0.0, 1.0, 2.0, 3.0],
        }
    )
    parquet.write_table(table, tmp_path / "columns.parquet", row_group_size=2)
    expected = read(tmp_path, path="plain.csv")
    for name in ("packed.csv.gz", "lines.ndjson", "lines.ndjson.gz", "columns.parquet"):
        found = read(tmp_path, path=name)
        assert [batch.cursor["rows"] for batch in found] == [3, 4], name
        for one, other in zip(found, expected, strict=True):
            assert one.points.frameworks == other.points.frameworks, name
            assert one.points.timestamps.tolist() == other.points.timestamps.tolist(), name
            assert one.points.values.tolist() == other.points.values.tolist(), name
            assert not one.points.unreadable, name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(rows=st.integers(0, 12), stop=st.integers(0, 12), kind=st.sampled_from(["csv", "csv.gz"]))
def test_a_run_that_ends_anywhere_is_gone_on_from_its_cursor(
    tmp_path: Path, rows: int, stop: int, kind: str
) -> None:
    body = csv_of(*range(rows)).encode()
    (tmp_path / f"a.{kind}").write_bytes(gzip.compress(body) if kind == "csv.gz" else body)
    done = read(tmp_path, path=f"a.{kind}")[:stop]
    cursor = dict(done[-1].cursor) if done else {}
    assert values(done) + values(read(tmp_path, cursor, path=f"a.{kind}")) == list(range(rows))


def test_rows_appended_later_are_read_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(csv_of(0, 1))
    cursor = dict(read(tmp_path, path="a.csv")[-1].cursor)
    assert read(tmp_path, cursor, path="a.csv") == []
    file.write_text(csv_of(0, 1, 2))
    assert values(read(tmp_path, cursor, path="a.csv")) == [2]


def test_files_of_a_pattern_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "points").mkdir()
    (tmp_path / "points" / "2.csv").write_text(csv_of(2))
    (tmp_path / "points" / "1.csv").write_text(csv_of(0, 1))
    cursor = dict(read(tmp_path, path="points/*.csv")[-1].cursor)
    assert cursor == {"file": "points/2.csv", "rows": 1}
    (tmp_path / "points" / "3.csv").write_text(csv_of(3))
    assert values(read(tmp_path, cursor, path="points/*.csv")) == [3]


def test_a_file_that_holds_fewer_rows_than_were_read_is_another_and_starts_again(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.csv").write_text(csv_of(5))
    assert values(read(tmp_path, {"file": "a.csv", "rows": 9}, path="a.csv")) == [5]


def test_a_quoted_field_may_hold_a_line_end(tmp_path: Path) -> None:
    body = 'framework,metric,timestamp,value,note\newr,wind,2026-01-01T00:00:00Z,1,"two\nlines"\n'
    (tmp_path / "a.csv").write_text(body + "ewr,wind,2026-01-01T00:01:00Z,2,x\n")
    batches = read(tmp_path, path="a.csv")
    assert batches[-1].cursor["rows"] == 2
    assert values(batches) == [1, 2]


def test_a_further_column_is_a_label_in_csv_and_in_parquet(tmp_path: Path) -> None:
    moment = "2026-01-01T00:00:00Z"
    (tmp_path / "a.csv").write_text(
        f"framework,metric,timestamp,value,runway\newr,wind,{moment},1,4L\newr,wind,{moment},1,\n"
    )
    table = pa.table(
        {
            "framework": ["ewr"] * 2,
            "metric": ["wind"] * 2,
            "timestamp": pa.array([np.datetime64("2026-01-01T00:00", "us")] * 2),
            "value": [1.0, 1.0],
            "runway": ["4L", None],
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        (batch,) = read(tmp_path, path=name)
        assert batch.points.labels == [{"runway": "4L"}, {}], name


def test_configured_framework_and_metric_stand_in_for_missing_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("timestamp,value\n2026-01-01T00:00:00Z,1\n")
    (tmp_path / "b.ndjson").write_text('{"timestamp":"2026-01-01T00:00:00Z","value":1}\n')
    for name in ("a.csv", "b.ndjson"):
        (batch,) = read(tmp_path, path=name, framework="jfk", metric="wind")
        assert (batch.points.frameworks, batch.points.metrics) == (["jfk"], ["wind"])


def test_a_row_that_is_no_point_is_carried_along_to_be_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "ewr,wind,yesterday,1\n" + row(1))
    (batch,) = read(tmp_path, path="a.csv")
    assert batch.points.values.tolist() == [1]
    assert len(batch.points.unreadable) == 1
    assert batch.cursor["rows"] == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv.gz", gzip.compress(csv_of(*range(9)).encode())[:-12], "not a whole gzip file"),
        ("a.csv.gz", csv_of(1).encode(), "not a whole gzip file"),
        ("a.csv", b"time,reading\n1,2\n", "a.csv: "),
        ("a.txt", csv_of(1).encode(), "ends in none of"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        read(tmp_path, path=name)


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret.csv", "link.csv", "absent.csv"])
def test_nothing_outside_the_folder_of_sources_is_found(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (tmp_path / "secret.csv").write_text(csv_of(1))
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(InvalidInput):
        find_files(FileConfig.parse({"path": path}), folder)


@pytest.mark.parametrize(
    "config",
    [{}, {"path": ""}, {"path": 3}, {"path": "a", "format": "xls"}, {"path": "a", "url": "b"}],
)
def test_a_configuration_that_cannot_work_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        FileConfig.parse(config)
