"""The archive of PostgreSQL's log: every finished segment of 16 MB, kept for recovery to a moment.

PostgreSQL's own module `basic_archive` copies them, durably and never over another file of the same
name. The folder belongs to the user that the server runs as.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from convex.embedded.process import Account, private_folder, reachable
from convex.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Archive:
    """A folder, and how often at the latest what has been written goes there."""

    folder: Path
    at_least_every: timedelta = timedelta(minutes=1)

    def prepare(self, account: Account | None) -> None:
        """Make the folder. Raises `Unavailable` where the server could not write into it."""
        if not reachable(self.folder, account):
            raise Unavailable(
                f"The user that PostgreSQL runs as cannot get to {self.folder}; choose a folder"
                " outside private ones for CONVEX_BACKUP__WAL_ARCHIVE."
            )
        private_folder(self.folder, account)

    def server_settings(self) -> dict[str, str]:
        """For the server that writes."""
        return {
            "archive_mode": "on",
            "archive_library": "basic_archive",
            "basic_archive.archive_directory": str(self.folder),
            "archive_timeout": f"{max(1, round(self.at_least_every.total_seconds()))}s",
        }

    def recovery_settings(self) -> dict[str, str]:
        """For a server that recovers from what is here; it reads until nothing follows."""
        folder = shlex.quote(str(self.folder)).replace("%", "%%")
        return {"restore_command": f"cp {folder}/%f %p"}
