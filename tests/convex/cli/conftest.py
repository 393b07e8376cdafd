"""The command line as a process of its own, with the settings of a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from convex.settings import Settings

CODE = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output, which is one JSON value."""
        return json.loads(self.out)


Convex = Callable[..., Ended]


def environment(settings: Settings) -> dict[str, str]:
    """Variables that lead a process to the same settings."""
    secrets = settings.secrets.model_dump()
    return {
        "CONVEX_HOME": str(settings.home),
        "CONVEX_DATABASE_URL": settings.database_url,
        "CONVEX_REDIS_URL": settings.redis_url,
        **{f"CONVEX_SECRETS__{name.upper()}": value for name, value in secrets.items()},
    }


def run_convex(*arguments: str, variables: Mapping[str, str]) -> Ended:
    """Run `convex` to its end."""
    ended = subprocess.run(
        [sys.executable, "-m", "convex.cli", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=CODE,
        env={**os.environ, **variables},
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture
def convex(fresh_settings: Settings) -> Convex:
    """Runs commands on a database of this test's own."""
    variables = environment(fresh_settings)

    def run(*arguments: str, **more: str) -> Ended:
        return run_convex(*arguments, variables={**variables, **more})

    return run
