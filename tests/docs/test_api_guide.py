"""docs/api.md: its snippets run, in their order, against a real server."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.api.conftest import PASSWORD, Running, Team, other_team, password_hash, running, team

_GUIDE = Path(__file__).parents[2] / "docs" / "api.md"
_SNIPPET = re.compile(r"^```(bash|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
__all__ = ["other_team", "password_hash", "running", "team"]  # fixtures of tests/api


async def test_the_snippets_work_in_their_order(running: Running, team: Team) -> None:
    lines = ["set -eu"]
    for language, text in _SNIPPET.findall(_GUIDE.read_text()):
        if language == "bash":
            lines.append(text)
        else:
            lines += ["export KEY", f"python3 -W ignore - <<'END'\n{text}END"]
    assert len(lines) > 4
    child = await asyncio.create_subprocess_exec(
        *("bash", "-c", "\n".join(lines)),
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "CONVEX": running.url,
            "EMAIL": team.emails["owner"],
            "PASSWORD": PASSWORD,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await child.communicate()
    assert child.returncode == 0, said.decode()
    rules = (await team.viewer.get("/api/v1/alert-rules")).json()["items"]
    assert [rule["threshold_value"] for rule in rules] == [3]
