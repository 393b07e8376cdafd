"""`convex doctor`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING

from convex.cli.say import Json, say
from convex.settings import Settings, load_settings

if TYPE_CHECKING:
    from convex.cli.checks import Finding

_MARKS = {"ok": "ok      ", "off": "off     ", "problem": "PROBLEM "}


def doctor(as_json: Json = False) -> int:
    """Say in words what is wrong and what to do about it. Exit 1 if something is.

    Example: convex doctor
    """
    findings = asyncio.run(_examine(load_settings()))
    lines = []
    for finding in findings:
        remedy = f". {finding.remedy}" if finding.remedy else ""
        lines.append(f"{_MARKS[finding.result]} {finding.check:<11} {finding.found}{remedy}")
    well = all(finding.result != "problem" for finding in findings)
    say(
        "\n".join(lines),
        {"well": well, "findings": [asdict(finding) for finding in findings]},
        as_json=as_json,
    )
    return 0 if well else 1


async def _examine(settings: Settings) -> list[Finding]:
    from convex.cli.checks import examine

    return [finding async for finding in examine(settings)]
