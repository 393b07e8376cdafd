"""Putting a pack together: facts in order of importance, bounded in number and size. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from convex.insights.model import INSTANT, RATIO, TEXT, Fact, Kind, Pack, clean_name

MOST_FACTS = 80
MOST_BYTES = 16_000
LONGEST_TEXT = 400


@dataclass(frozen=True, slots=True)
class Scope:
    """What a query looks at: one framework or (None) all, and `days` back from `as_of`."""

    workspace_id: UUID
    as_of: datetime
    days: int = 7
    framework_id: UUID | None = None
    framework: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What a fact is about: the names, and the window."""

    of: str = ""
    within: str = ""
    start: datetime | None = None
    end: datetime | None = None


@dataclass(slots=True)
class Packer:
    """Collects facts; what comes first stays when not everything fits."""

    facts: list[Fact] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    query: str = ""

    def add(
        self,
        key: str,
        what: str,
        value: float | str | datetime | None,
        unit: str = "",
        about: About | None = None,
        *,
        of: str = "",
        within: str = "",
        start: datetime | None = None,
        end: datetime | None = None,
        change: bool = False,
    ) -> None:
        """One result of `query`; None and what is no number add nothing.

        Names are cleaned here, so nothing that a member wrote gets past it.
        """
        if isinstance(value, datetime):
            value, unit = value.astimezone(UTC).replace(microsecond=0).isoformat(), INSTANT
        about = about or About(of, within, start, end)
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return
        if isinstance(value, float):
            value = float(f"{value:.6g}")
            value = int(value) if unit != RATIO and value.is_integer() else value
        if isinstance(value, str) and unit != INSTANT:
            value, unit = value[:LONGEST_TEXT], TEXT
        self.facts.append(
            Fact(
                id="",
                key=key,
                query=self.query,
                what=what,
                value=value,
                unit=RATIO if unit == RATIO else clean_name(unit, 24),
                of=clean_name(about.of),
                within=clean_name(about.within),
                start=about.start,
                end=about.end,
                change=change,
            )
        )


def pack(
    kind: Kind,
    subject: str,
    as_of: datetime,
    packer: Packer,
    *,
    question: str = "",
    names: Iterable[str] = (),
    most_bytes: int = MOST_BYTES,
) -> Pack:
    """The facts that fit, numbered f1, f2, …; equal facts are kept once."""
    kept: list[Fact] = []
    seen: set[Fact] = set()
    size = left_out = 0
    for fact in packer.facts:
        if fact in seen:
            continue
        seen.add(fact)
        numbered = replace(fact, id=f"f{len(kept) + 1}")
        size += len(json.dumps(numbered.as_prompt(), ensure_ascii=False).encode())
        if len(kept) >= MOST_FACTS or size > most_bytes:
            left_out += 1
            continue
        kept.append(numbered)
    return Pack(
        kind=kind,
        subject=clean_name(subject),
        as_of=floor_hour(as_of),
        facts=kept,
        left_out=left_out,
        missing=tuple(packer.missing),
        question=question,
        names=tuple(dict.fromkeys(clean_name(name) for name in names)),
    )


def floor_hour(at: datetime) -> datetime:
    """The whole hour before."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_window(as_of: datetime, days: int) -> tuple[datetime, datetime]:
    """The UTC days up to and with that of `as_of`, as [start, end)."""
    end = as_of.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    end += timedelta(days=1)
    return end - timedelta(days=days), end
