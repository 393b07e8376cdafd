"""Pull points from a file behind an address: fetched, then read as a local one.

The cursor is `{"etag": version, "rows": n, "done": whether all of it was read}`. A version that was
read to its end is not fetched again where the server can say so; another version is read from its
start, since any row of it may have changed: what is there already changes nothing.
"""

from __future__ import annotations

import glob
import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from convex.errors import InvalidInput
from convex.metrics.sources.files import read_batches
from convex.metrics.sources.http import Permit, check_status, check_url, explained, open_client
from convex.metrics.sources.model import FileConfig, SourceBatch

LARGEST = 4 * 1024**3  # bytes


def read_remote_batches(
    config: FileConfig,
    headers: Mapping[str, str],
    cursor: Mapping[str, Any],
    permit: Permit,
    *,
    source: str,
) -> Iterator[SourceBatch]:
    """Yield what comes after `cursor`; blocks on network and disk: iterate it in a thread."""
    url = check_url(config.path, "config.path")
    name = PurePosixPath(unquote(urlsplit(url).path)).name or "points"
    with tempfile.TemporaryDirectory(prefix="convex-source-") as folder:
        file = Path(folder) / name
        known = cursor.get("etag", "") if cursor.get("done") else ""
        version = _fetch(url, headers, permit, file, known)
        if version is None or (cursor.get("done") and version == cursor.get("etag")):
            return
        rows = int(cursor.get("rows", 0)) if version == cursor.get("etag") else 0
        local = replace(config, path=glob.escape(name))
        held: SourceBatch | None = None
        for batch in read_batches(local, {"file": name, "rows": rows}, Path(folder), source=source):
            if held is not None:
                yield held
            done = {"etag": version, "rows": batch.cursor["rows"], "done": False}
            held = replace(batch, cursor=done)
        if held is not None:
            yield replace(held, cursor={**held.cursor, "done": True})


def _fetch(
    url: str, headers: Mapping[str, str], permit: Permit, file: Path, known: str
) -> str | None:
    """Write the file; its version, None when it is the known one."""
    digest, size = hashlib.sha256(), 0
    asked = {"If-None-Match": known} if known.startswith(('"', "W/")) else {}
    with (
        open_client(permit, {**headers, **asked}) as client,
        explained(url),
        client.stream("GET", url) as answer,
        file.open("wb") as written,
    ):
        if answer.status_code == 304:
            return None
        check_status(answer)
        for chunk in answer.iter_raw() if file.suffix == ".gz" else answer.iter_bytes():
            size += len(chunk)
            if size > LARGEST:
                raise InvalidInput(f"The file has more than {LARGEST:,} bytes.")
            digest.update(chunk)
            written.write(chunk)
        return answer.headers.get("etag") or digest.hexdigest()
