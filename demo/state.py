"""What the demo remembers between runs: its webhook secret, its ports, its place in the stream.

Kept in `<home>/demo.json`, readable by its owner only. The sign-in is in `<home>/sign-in.json`,
where `convex up` looks for it too; everything else is in the database.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


@dataclass(slots=True)
class DemoState:
    """The demo of one home.

    `live_cursor` and `live_since` (ISO 8601) say where, and when, the live events began that a
    later run resumes from. `channel_secrets` holds a digest of each secret that a channel was
    given.
    """

    webhook_secret: str = field(default_factory=_new_secret)
    email_port: int = 0
    http_port: int = 0
    live_cursor: int | None = None
    live_since: str = ""
    channel_secrets: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, home: Path) -> Self:
        """The stored state, or a fresh one where there is none yet."""
        try:
            stored = json.loads(_path(home).read_text())
        except FileNotFoundError:
            return cls()
        known = {item.name for item in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})

    def save(self, home: Path) -> None:
        """Write it, whole or not at all."""
        home.mkdir(parents=True, exist_ok=True)
        draft = _path(home).with_suffix(f".{os.getpid()}")
        with open(draft, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            json.dump(asdict(self), file, indent=1)
        draft.replace(_path(home))


def _path(home: Path) -> Path:
    return home / "demo.json"
