"""A run: read the history, look at it, write what came of it. The caller owns the transactions.

Looking takes seconds of CPU for thousands of rules and needs no database, so `read`, `look` and
`save` are three: the first in a snapshot, the second in a thread, the third in one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from convex.db import Connection
from convex.patterns import read_store, store
from convex.patterns.detect import detect
from convex.patterns.lifecycle import Life, advance
from convex.patterns.model import DAY, Detection, Finding, State, Tested, Type
from convex.patterns.recommend import Recommendation, recommend
from convex.patterns.replication import Record, look_back, recalibrate
from convex.patterns.store import MOST_TRIGGERS, Known, Loaded, Saved
from convex.patterns.wall_clock import to_datetime, to_instant
from convex.patterns.wording import iso

HISTORY = timedelta(days=400)
# Without a run before this one, the history of six hours ago is looked at as well: what a run then
# would have said. So an imported year shows its patterns at once, and still twice found.
EARLIER = timedelta(hours=6)
MOST_EVENTS = 20
MOST_ADVICE = 100  # recommendations of one run: the most actionable


@dataclass(frozen=True, slots=True)
class Look:
    """What was found in the history up to each instant, oldest first, in so many seconds; the
    newest with the confidence that `records` (what became of earlier findings) give.
    """

    loaded: Loaded
    detections: Sequence[tuple[datetime, Detection]]
    seconds: float
    records: Mapping[Type, Record]


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one run did. `appeared` are patterns shown for the first time."""

    as_of: datetime
    triggers: int
    episodes: int
    rules: int
    shown: int
    appeared: Sequence[str]
    faded: int
    gone: int
    recommendations: int
    tested: Sequence[Mapping[str, Any]]
    seconds: float
    cursor: int | None

    def as_json(self) -> dict[str, Any]:
        """For machines; `appeared` as titles."""
        return {
            "as_of": iso(self.as_of),
            "triggers": self.triggers,
            "episodes": self.episodes,
            "rules": self.rules,
            "patterns": self.shown,
            "appeared": list(self.appeared),
            "faded": self.faded,
            "gone": self.gone,
            "recommendations": self.recommendations,
            "tested": list(self.tested),
            "seconds": round(self.seconds, 3),
        }


async def read(
    connection: Connection, workspace_id: UUID, zone: str, now: datetime
) -> tuple[Loaded, bool]:
    """The history to look at, and whether an earlier run has looked at this workspace."""
    loaded = await store.load_history(connection, workspace_id, zone, now - HISTORY, now)
    return loaded, await read_store.newest_run(connection, workspace_id) is not None


def look(loaded: Loaded, *, before: bool) -> Look:
    """Look at the history now, and without a run before also as it was EARLIER. Pure but slow."""
    begun = time.perf_counter()
    history = loaded.history
    instants = [history.end] if before else [history.end - EARLIER // _TICK, history.end]
    detections = [(to_datetime(at), detect(history.until(at))) for at in instants]
    records = look_back(history)
    at, newest = detections[-1]
    findings = recalibrate(newest.findings, records)
    detections[-1] = at, replace(newest, findings=findings)
    return Look(loaded, detections, time.perf_counter() - begun, records)


async def save(connection: Connection, workspace_id: UUID, looked: Look) -> RunReport:
    """Write what was found, move every pattern's life on, recommend, and tell of new patterns."""
    await store.lock(connection, workspace_id)
    known = await store.list_known(connection, workspace_id)
    lives: dict[str, Life] = {name: one.life for name, one in known.items()}
    for at, detection in looked.detections:
        found = {finding.fingerprint for finding in detection.findings}
        for name in found | lives.keys():
            life = advance(lives.get(name), found=name in found, now=at)
            if life is not None:
                lives[name] = life
    as_of, detection = looked.detections[-1]
    saved = [_saved(looked.loaded, one, lives[one.fingerprint]) for one in detection.findings]
    ids = await store.save_found(connection, workspace_id, saved)
    missed = {one.id: lives[name] for name, one in known.items() if name not in ids}
    await store.save_missed(connection, missed)
    shown = [one for one in saved if one.life.shown]
    advice = [(r, s.finding) for s in shown if (r := recommend(s.finding, _weeks(s.finding)))]
    recommended = await _advise(connection, workspace_id, advice, known, lives, as_of)
    appeared = [one for one in shown if _is_fresh(known.get(one.finding.fingerprint), one.life)]
    report = RunReport(
        as_of,
        detection.triggers,
        detection.episodes,
        len(looked.loaded.history.subjects),
        sum(life.shown for life in lives.values()),
        [one.finding.title for one in appeared],
        _count(known, lives, State.FADING),
        _count(known, lives, State.GONE),
        recommended,
        [_tested_json(one, looked.records) for one in detection.tested],
        looked.seconds,
        None,
    )
    await read_store.save_run(
        connection,
        workspace_id,
        as_of=as_of,
        triggers=report.triggers,
        episodes=report.episodes,
        rules=report.rules,
        shown=report.shown,
        tested=report.tested,
        seconds=report.seconds,
    )
    events = [_event(one, ids[one.finding.fingerprint]) for one in appeared[:MOST_EVENTS]]
    cursor = await store.append_events(connection, workspace_id, events)
    return replace(report, cursor=cursor)


_TICK = timedelta(microseconds=1)


def _saved(loaded: Loaded, finding: Finding, life: Life) -> Saved:
    newest = finding.rows[-MOST_TRIGGERS:].tolist()
    return Saved(finding, life, [loaded.id_of(row) for row in newest])


async def _advise(
    connection: Connection,
    workspace_id: UUID,
    advice: Sequence[tuple[Recommendation, Finding]],
    known: Mapping[str, Known],
    lives: Mapping[str, Life],
    as_of: datetime,
) -> int:
    best = sorted(advice, key=lambda each: (-each[0].actionability, each[0].fingerprint))
    count = await store.save_recommendations(connection, workspace_id, best[:MOST_ADVICE])
    over = [f"pattern:{name}" for name in known if lives[name].state is State.GONE]
    if over:
        await store.withdraw_recommendations(connection, workspace_id, over, as_of)
    return count


def _is_fresh(known: Known | None, life: Life) -> bool:
    return life.state is State.NEW and (known is None or not known.life.shown)


def _count(known: Mapping[str, Known], lives: Mapping[str, Life], state: State) -> int:
    """How many came into this state in this run."""
    return sum(
        lives[name].state is state and one.life.state is not state for name, one in known.items()
    )


def _weeks(finding: Finding) -> float:
    """How long the history behind a finding is."""
    span = finding.evidence["history"]
    start, end = (datetime.fromisoformat(span[name]) for name in ("start", "end"))
    return max((to_instant(end) - to_instant(start)) / (7 * DAY), 1.0)


def _event(saved: Saved, pattern_id: UUID) -> tuple[UUID | None, str]:
    finding = saved.finding
    data = {
        "id": pattern_id,
        "type": finding.type.value,
        "state": saved.life.state.value,
        "title": finding.title,
        "label": finding.label,
        "confidence": finding.confidence,
        "framework_id": finding.subject.framework_id,
        "rule_id": finding.subject.rule_id,
        "next_expected_at": finding.next_expected_at,
    }
    return finding.subject.framework_id, orjson.dumps(data, option=orjson.OPT_UTC_Z).decode()


def _tested_json(tested: Tested, records: Mapping[Type, Record]) -> dict[str, Any]:
    record = records.get(tested.type)
    return {
        "type": tested.type.value,
        "eligible": tested.eligible,
        "significant": tested.significant,
        "found": tested.found,
        "too_short": tested.too_short,
        "needs": tested.needs,
        "cut": tested.cut,
        "judged": record.judged if record else 0,
        "held": record.held if record else 0,
    }
