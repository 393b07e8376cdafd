"""The first sign-in of a home, kept where only its owner can read it: `sign-in.json`."""

from __future__ import annotations

import json
from pathlib import Path

_FILE = "sign-in.json"


def write_sign_in(
    home: Path, *, email: str, password: str, workspace: str, api_key: str | None = None
) -> None:
    """Keep what `convex up` tells whoever starts it (mode 0600)."""
    from convex.embedded.process import write_private

    values = {"email": email, "password": password, "workspace": workspace, "api_key": api_key}
    write_private(home / _FILE, json.dumps(values, indent=1))


def read_sign_in(home: Path) -> dict[str, str | None]:
    """email, password, password_file, workspace, api_key; all None when nothing is kept."""
    path = home / _FILE
    names = ("email", "password", "workspace", "api_key")
    values = json.loads(path.read_text()) if path.exists() else {}
    kept = {name: values.get(name) for name in names}
    return {**kept, "password_file": str(path) if values else None}
