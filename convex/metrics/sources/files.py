"""Pull points from files: CSV and NDJSON, gzipped or not, and Parquet.

A file is read as a body of that format pushed to the API would be (convex.metrics.push says what
its columns are), so the same row is the same point by either door, and a row that cannot be a point
is rejected with the same reason. Files must be complete when they appear under their name; one that
has grown since is read on from where it ended.

The cursor is `{"file": name, "rows": n}`: files are read in the order of their names, all before
that one are done, and of that one n rows. A file that now holds fewer is read from its start again,
which is harmless: points that are there already change nothing.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import orjson

from convex.errors import InvalidInput
from convex.metrics.model import PointBatch
from convex.metrics.push import parse_csv, parse_ndjson
from convex.metrics.sources.model import FileConfig, FileFormat, SourceBatch

BATCH_ROWS = 10_000

_COLUMNS = ("framework", "metric", "timestamp", "value")
_ZONES = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC  # a timestamp without a zone is UTC, as in text


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of one file as a body in `format`, and how many bytes of the file are read."""

    body: bytes
    format: FileFormat
    count: int
    read: int


def read_batches(
    config: FileConfig,
    cursor: Mapping[str, Any],
    folder: Path,
    *,
    source: str,
    size: int = BATCH_ROWS,
) -> Iterator[SourceBatch]:
    """Yield what comes after `cursor`, at most `size` rows at a time; nothing when all is done.

    Blocks on the disk: iterate it in a thread. `folder` is the one that sources may read; a path
    that leaves it is refused. `source` names the batches' origin. Raises `InvalidInput` for a path
    without files, a file that is none of its format, or a header that lacks a column.
    """
    files = find_files(config, folder)
    sizes = [file.stat().st_size for _, file in files]
    total = sum(sizes) or 1
    for index, (name, file) in enumerate(files):
        if name < cursor.get("file", ""):
            continue
        done = int(cursor["rows"]) if name == cursor.get("file") else 0
        if done and _count_rows(config, file) < done:
            done = 0
        with _explained(name):
            for rows in _read_rows(config, file, done, size):
                done += rows.count
                yield SourceBatch(
                    points=_points(config, rows, source),
                    cursor={"file": name, "rows": done},
                    progress=min(1.0, (sum(sizes[:index]) + rows.read) / total),
                )


def find_files(config: FileConfig, folder: Path) -> list[tuple[str, Path]]:
    """The files of a source by their path under `folder`, in order."""
    root = folder.resolve()
    if Path(config.path).is_absolute() or ".." in Path(config.path).parts:
        raise InvalidInput(f"The path {config.path!r} must be relative to the sources' folder.")
    found = sorted(
        (str(file.relative_to(root)), file)
        for file in root.glob(config.path)
        if file.is_file() and file.resolve().is_relative_to(root)
    )
    if not found:
        raise InvalidInput(
            f"No file matches {config.path!r} in the sources' folder {folder.name!r}."
        )
    return found


def format_of(config: FileConfig, file: Path) -> FileFormat:
    """The configured format, else the one that the file's name says."""
    if config.format:
        return config.format
    name = file.name.removesuffix(".gz")
    for form in FileFormat:
        if name.endswith(f".{form}"):
            return form
    raise InvalidInput(f"{file.name!r} ends in none of .csv, .ndjson (or .gz), .parquet.")


def _read_rows(config: FileConfig, file: Path, skip: int, size: int) -> Iterator[_Rows]:
    form = format_of(config, file)
    if form is FileFormat.PARQUET:
        yield from _read_parquet(file, skip, size)
        return
    with file.open("rb") as raw, _unpacked(raw, file) as text:
        header = next(_records(text, form), b"") if form is FileFormat.CSV else b""
        records = islice(_records(text, form), skip, None)
        while taken := list(islice(records, size)):
            yield _Rows(header + b"".join(taken), form, len(taken), raw.tell())


def _count_rows(config: FileConfig, file: Path) -> int:
    form = format_of(config, file)
    if form is FileFormat.PARQUET:
        from pyarrow import parquet

        return int(parquet.read_metadata(file).num_rows)
    with _explained(file.name), file.open("rb") as raw, _unpacked(raw, file) as text:
        return sum(1 for _ in _records(text, form)) - (form is FileFormat.CSV)


def _unpacked(raw: IO[bytes], file: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(raw)) if file.name.endswith(".gz") else raw


def _records(text: IO[bytes], form: FileFormat) -> Iterator[bytes]:
    """Whole records, each with its line end; a quoted field of a CSV may hold line ends."""
    pending = b""
    for line in text:
        pending += line
        if form is FileFormat.CSV and pending.count(b'"') % 2:
            continue
        if pending.strip():
            yield pending if pending.endswith(b"\n") else pending + b"\n"
        pending = b""
    if pending.strip():
        yield pending


def _read_parquet(file: Path, skip: int, size: int) -> Iterator[_Rows]:
    # Loaded here: it costs a second, and only those who read Parquet pay it.
    from pyarrow import parquet

    with parquet.ParquetFile(file) as table:
        length, start = file.stat().st_size, 0
        for batch in table.iter_batches(batch_size=size):
            kept = batch.slice(max(0, skip - start))
            start += batch.num_rows
            if kept.num_rows:
                rows = kept.to_pylist(maps_as_pydicts="lossy")
                body = b"\n".join(orjson.dumps(_as_point(row), option=_ZONES) for row in rows)
                read = length * start // table.metadata.num_rows
                yield _Rows(body, FileFormat.NDJSON, len(rows), read)


def _as_point(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of columns as NDJSON has it: what is not a point's own column is a label, as in CSV."""
    point = {name: row[name] for name in _COLUMNS if name in row}
    others = {name: value for name, value in row.items() if name not in _COLUMNS}
    labels = others.pop("labels", None)
    if labels is None or isinstance(labels, dict):
        labels = (labels or {}) | {k: str(v) for k, v in others.items() if v not in (None, "")}
    return {**point, "labels": labels}


def _points(config: FileConfig, rows: _Rows, source: str) -> PointBatch:
    given = {
        name: value
        for name, value in (("framework", config.framework), ("metric", config.metric))
        if value is not None
    }
    if rows.format is FileFormat.CSV:
        batch = parse_csv(_with_columns(rows.body, given) if given else rows.body)
    else:
        batch = parse_ndjson(_with_fields(rows.body, given) if given else rows.body)
    return replace(batch, source=source)


def _with_columns(body: bytes, given: Mapping[str, str]) -> bytes:
    """The CSV with the configured columns where it has none of that name."""
    reader = csv.reader(io.StringIO(body.decode()))
    header = next(reader)
    added = {name: value for name, value in given.items() if name not in header}
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([*header, *added])
    writer.writerows([*row, *added.values()] for row in reader)
    return written.getvalue().encode()


def _with_fields(body: bytes, given: Mapping[str, str]) -> bytes:
    """The NDJSON with the configured fields where a row lacks them; what is no object stays."""
    lines = []
    for line in body.splitlines():
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            row = None
        lines.append(orjson.dumps({**given, **row}) if isinstance(row, dict) else line)
    return b"\n".join(lines)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Say which file could not be read, in words."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidInput(f"{name} is not a whole gzip file: {error}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not UTF-8: {error}") from error
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error.message}", **error.details) from error
