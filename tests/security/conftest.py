"""The real application and a real browser, for whoever would misuse them."""

from __future__ import annotations

from tests.api.conftest import anonymous, other_team, password_hash, running, team
from tests.web.conftest import browser, page, stack

__all__ = [
    "anonymous",
    "browser",
    "other_team",
    "page",
    "password_hash",
    "running",
    "stack",
    "team",
]
