"""Backtests and tunings over what is stored: load, replay off the event loop, compare."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np

from convex.alerts import backtest, rule_store, tuning
from convex.alerts.apart import run_apart
from convex.alerts.backtest import Backtest, Found, History, Labelled
from convex.alerts.describe import format_duration
from convex.alerts.measure import Points, is_learnt
from convex.alerts.model import Rule, RuleDraft
from convex.alerts.present import instant_json
from convex.alerts.validate import check_rule
from convex.db import Connection
from convex.errors import InvalidInput
from convex.metrics import store
from convex.metrics.model import to_datetime, to_microseconds

MOST_POINTS = 5_000_000
LONGEST = timedelta(days=750)
BACKTEST_SECONDS, TUNING_SECONDS = 30.0, 120.0  # a fifth of it on a quiet machine
_SHOWN = 200  # episodes in an answer
_AROUND = ("framework", "framework_name", "metric", "target", "limit", "unit")


@dataclass(frozen=True, slots=True)
class Trial:
    """Everything that one replay needs: it can be given to another process."""

    rule: Rule
    histories: list[History]
    since: int
    until: int
    zone: str
    labelled: list[Labelled]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A backtest of a draft, beside that of the rule as it is saved (None: there is none)."""

    tested: Backtest
    saved: Backtest | None


async def load_backtest(
    connection: Connection,
    workspace_id: UUID,
    draft: RuleDraft,
    *,
    since: datetime,
    until: datetime,
    rule_id: UUID | None = None,
    marked: UUID | None = None,
) -> list[Trial]:
    """What `run_backtest` takes: of the draft and, with `rule_id`, of that saved rule.

    `marked` is the rule whose triggers people have marked, if it is another than that. Raises
    `InvalidInput` for a rule that cannot work, or a range that is too long.
    """
    check_rule(draft)
    rules = [await _as_rule(connection, workspace_id, draft)]
    if rule_id is not None:
        rules.append(await rule_store.get_rule(connection, workspace_id, rule_id))
    whose = marked or rules[-1].id
    return [await _load_trial(connection, one, whose, since, until) for one in rules]


def run_backtest(trials: list[Trial]) -> Rehearsal:
    """Replay the draft, and the saved rule beside it."""
    tested = [
        backtest.backtest(
            one.rule, one.histories, one.since, one.until, zone=one.zone, labelled=one.labelled
        )
        for one in trials
    ]
    return Rehearsal(tested[0], tested[1] if len(tested) > 1 else None)


async def load_tuning(
    connection: Connection, workspace_id: UUID, rule_id: UUID, *, since: datetime, until: datetime
) -> Trial:
    """What `run_tuning` takes."""
    rule = await rule_store.get_rule(connection, workspace_id, rule_id)
    return await _load_trial(connection, rule, rule.id, since, until)


def run_tuning(trial: Trial) -> tuning.Tuning:
    """Settings that would save episodes, and what they would miss."""
    prepared = backtest.prepare(trial.rule, trial.histories, trial.since, trial.until)
    return tuning.tune(
        trial.rule, prepared, trial.since, trial.until, zone=trial.zone, labelled=trial.labelled
    )


async def rehearse(
    connection: Connection,
    workspace_id: UUID,
    draft: RuleDraft,
    *,
    since: datetime,
    until: datetime,
    rule_id: UUID | None = None,
) -> Rehearsal:
    """What the draft would have done; with `rule_id`, also what that saved rule would have.

    The connection is held meanwhile: where others wait for one, use `load_backtest`, give it back,
    and then `run_apart(BACKTEST_SECONDS, run_backtest, …)`. Raises as these do.
    """
    trials = await load_backtest(
        connection, workspace_id, draft, since=since, until=until, rule_id=rule_id
    )
    return await run_apart(BACKTEST_SECONDS, run_backtest, trials)


async def tune_rule(
    connection: Connection, workspace_id: UUID, rule_id: UUID, *, since: datetime, until: datetime
) -> tuning.Tuning:
    """Settings that would save episodes, and what they would miss. See `rehearse`."""
    trial = await load_tuning(connection, workspace_id, rule_id, since=since, until=until)
    return await run_apart(TUNING_SECONDS, run_tuning, trial)


async def _load_trial(
    connection: Connection, rule: Rule, marked: UUID, since: datetime, until: datetime
) -> Trial:
    """`marked` is the rule whose triggers people have marked."""
    return Trial(
        rule,
        await _load(connection, rule, since, until),
        to_microseconds(since),
        to_microseconds(until),
        await rule_store.zone_of(connection, rule.workspace_id),
        await _labelled(connection, rule, marked, since, until),
    )


async def _as_rule(connection: Connection, workspace_id: UUID, draft: RuleDraft) -> Rule:
    around = await rule_store.surroundings(connection, workspace_id, draft)
    if around is None and draft.is_joint:
        raise InvalidInput("There is no such framework in this workspace.", field="framework_id")
    if around is None or around["framework_id"] != draft.framework_id:
        raise InvalidInput(
            "There is no such metric in this framework of the workspace.", field="metric_id"
        )
    now = datetime.now(UTC)
    fields = {name: getattr(draft, name) for name in rule_store.DRAFT_COLUMNS}
    return Rule(
        **fields,
        id=uuid4(),
        workspace_id=workspace_id,
        created_at=now,
        updated_at=now,
        **{name: around[name] for name in _AROUND},
    )


async def _load(
    connection: Connection, rule: Rule, since: datetime, until: datetime
) -> list[History]:
    if until <= since or until - since > LONGEST:
        raise InvalidInput("The range must end after it begins, two years at most.", field="since")
    series = await rule_store.series_of(connection, rule)
    # A detector learns from the first point on; the others look back as far as their windows do.
    begin = 0 if is_learnt(rule) else to_microseconds(since - backtest.longest_past(rule))
    ids = np.array(sorted(series), np.int64)
    if len(ids) == 0:
        return []
    found = await store.read_ranges(
        connection,
        ids,
        np.full(len(ids), begin, np.int64),
        np.full(len(ids), to_microseconds(until), np.int64),
    )
    if sum(len(timestamps) for timestamps, _ in found.values()) > MOST_POINTS:
        raise InvalidInput("The range holds too many points; choose a shorter one.", field="since")
    zone = await rule_store.zone_of(connection, rule.workspace_id)
    return [
        History(
            series_id, series[series_id].labels, Points(*points), zone, series[series_id].counter
        )
        for series_id, points in sorted(found.items())
    ]


async def _labelled(
    connection: Connection, rule: Rule, marked: UUID, since: datetime, until: datetime
) -> list[Labelled]:
    """The triggers that people marked; one that a person acknowledged counts as actionable."""
    rows = await rule_store.marked_triggers(connection, rule.workspace_id, marked, since, until)
    return [
        Labelled(
            None if rule.is_grouped else row["series_id"],
            row["mark"],
            to_microseconds(row["opened_at"]),
            None if row["resolved_at"] is None else to_microseconds(row["resolved_at"]),
        )
        for row in rows
    ]


def rehearsal_json(found: Rehearsal) -> dict[str, Any]:
    """Both backtests, and what the draft would change."""
    tested, saved = found.tested, found.saved
    difference = None
    if saved is not None:
        marks = {
            mark: tested.overlap[mark].found - saved.overlap[mark].found for mark in tested.overlap
        }
        difference = {
            "triggers_per_week": round(tested.per_week - saved.per_week, 3),
            "flaps": tested.flaps - saved.flaps,
            "actionable_found": marks["actionable"],
            "false_positive_found": marks["false_positive"],
        }
    return {
        "tested": backtest_json(tested),
        "saved": None if saved is None else backtest_json(saved),
        "difference": difference,
    }


def backtest_json(tested: Backtest) -> dict[str, Any]:
    """A backtest as the API and the command line show it."""
    return {
        "since": instant_json(to_datetime(tested.since)),
        "until": instant_json(to_datetime(tested.until)),
        "series": tested.series,
        "evaluations": tested.evaluations,
        "triggers": len(tested.episodes),
        "triggers_per_week": round(tested.per_week, 3),
        "triggers_per_week_interval": (
            None if tested.interval is None else [round(bound, 3) for bound in tested.interval]
        ),
        "flaps": tested.flaps,
        "sleep_hour_share": None if tested.sleep_share is None else round(tested.sleep_share, 3),
        "firing_share": round(tested.firing_share, 5),
        "actionable": {
            "total": tested.overlap["actionable"].total,
            "found": tested.overlap["actionable"].found,
        },
        "false_positive": {
            "total": tested.overlap["false_positive"].total,
            "found": tested.overlap["false_positive"].found,
        },
        "outcomes": {reason.value: count for reason, count in sorted(tested.reasons.items())},
        "episodes": [_episode_json(one) for one in tested.episodes[-_SHOWN:]],
    }


def _episode_json(one: Found) -> dict[str, Any]:
    end = None if one.resolved_at is None else to_datetime(one.resolved_at)
    return {
        "series_id": one.series_id,
        "labels": dict(one.labels),
        "opened_at": instant_json(to_datetime(one.opened_at)),
        "resolved_at": instant_json(end),
        "value": one.value,
        "repeat_count": one.repeats,
        "flapping": one.flapping,
    }


def tuning_json(found: tuning.Tuning) -> dict[str, Any]:
    """A tuning as the API shows it."""
    return {
        "tried": found.tried,
        "now": _candidate_json(found.now),
        "candidates": [_candidate_json(one) for one in found.candidates],
    }


def _candidate_json(one: tuning.Candidate) -> dict[str, Any]:
    rule = one.rule
    summary = backtest_json(one.backtest)
    return {
        "threshold_value": rule.threshold_value,
        "change_percentage": rule.change_percentage,
        "recovery_threshold": rule.recovery_threshold,
        "for": format_duration(rule.for_seconds),
        "keep_firing_for": format_duration(rule.keep_firing_for_seconds),
        "saved_per_week": round(one.saved, 3),
        "missed_actionable": one.missed,
        "kept_false_positives": one.false_positives,
        "backtest": {name: value for name, value in summary.items() if name != "episodes"},
    }
