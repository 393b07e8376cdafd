"""The metrics of processes that have ended, kept in one file of each kind instead of one a process.

A flow run is a process of its own, and there is one every minute: without this, the folder that the
processes share would grow without end, and each scrape with it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

_ENDED = "0"  # no process has this number
_ADDED = ("counter", "histogram")
_NEWEST = "gauge_mostrecent"


@contextmanager
def folded(folder: Path) -> Iterator[None]:
    """Hold the folder still, with the files of ended processes folded into one of each kind.

    Counters and histograms are added up, of the gauges the most recent value stays, and what only
    counts while its process lives is dropped. Others that scrape wait meanwhile.
    """
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for file in folder.glob("*.db"):
            kind, _, process = file.stem.rpartition("_")
            if process != _ENDED and not _lives(process):
                _fold(file, kind, file.with_name(f"{kind}_{_ENDED}.db"))
        yield


def _lives(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _fold(file: Path, kind: str, into: Path) -> None:
    if kind in _ADDED or kind == _NEWEST:
        kept = MmapedDict(str(into))  # type: ignore[no-untyped-call]
        for key, value, written_at, _ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
            known, known_at = kept.read_value(key)  # type: ignore[no-untyped-call]
            if kind in _ADDED:
                kept.write_value(key, known + value, written_at)  # type: ignore[no-untyped-call]
            elif written_at >= known_at:
                kept.write_value(key, value, written_at)  # type: ignore[no-untyped-call]
        kept.close()  # type: ignore[no-untyped-call]
    os.unlink(file)
