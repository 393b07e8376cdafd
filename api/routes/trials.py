"""What a rule would have done, and what would be better. Nothing is changed by asking.

The points are read first and the connection is given back; the replay runs in a process of its own
(`convex.alerts.apart`), so that other requests neither wait for it nor for a connection.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from fastapi import Request, Response

from api.dependencies import Editor
from api.replies import reply
from api.resources import resources_of
from api.routes import new_router
from api.schemas import trials as schema
from api.schemas.rules import new_draft
from convex.alerts import rehearsal, rule_store
from convex.alerts.apart import run_apart
from convex.alerts.rule_service import draft_of

router = new_router("rules")


def _range(body: schema.TrialRange, now: datetime) -> dict[str, datetime]:
    until = body.until or now
    return {"since": body.since or until - timedelta(days=body.days), "until": until}


@router.post(
    "/alert-rules/backtest", response_model=schema.RehearsalShape, summary="What it would have done"
)
async def backtest(request: Request, body: schema.BacktestBody, caller: Editor) -> Response:
    """Replay a rule, saved or not, over stored points with the evaluator that runs live; with both
    a rule and a `rule_id` the two are compared. Saves nothing.
    """
    resources = resources_of(request)
    wanted = _range(body, resources.now())
    async with resources.database.read(caller.identity) as connection:
        if body.rule is None:
            assert body.rule_id is not None
            saved = await rule_store.get_rule(connection, caller.workspace_id, body.rule_id)
            draft = draft_of(saved)
        else:
            draft = new_draft(body.rule)
        trials = await rehearsal.load_backtest(
            connection,
            caller.workspace_id,
            draft,
            rule_id=None if body.rule is None else body.rule_id,
            marked=body.rule_id,
            **wanted,
        )
    found = await run_apart(rehearsal.BACKTEST_SECONDS, rehearsal.run_backtest, trials)
    return reply(request, rehearsal.rehearsal_json(found))


@router.post(
    "/alert-rules/{rule_id:uuid}/tuning",
    response_model=schema.TuningShape,
    summary="Which settings would be better",
)
async def tuning(
    request: Request, rule_id: UUID, caller: Editor, body: schema.TrialRange | None = None
) -> Response:
    """Try up to 240 settings of threshold, `for`, recovery and `keep_firing_for` on stored points.
    Answers with those worth looking at, most triggers saved first. Changes nothing.
    """
    resources = resources_of(request)
    wanted = _range(body or schema.TrialRange(), resources.now())
    async with resources.database.read(caller.identity) as connection:
        trial = await rehearsal.load_tuning(connection, caller.workspace_id, rule_id, **wanted)
    found = await run_apart(rehearsal.TUNING_SECONDS, rehearsal.run_tuning, trial)
    return reply(request, rehearsal.tuning_json(found))


@router.post(
    "/alert-rules/{rule_id:uuid}/test", response_model=schema.RuleTest, summary="Would it fire now"
)
async def test_rule(request: Request, rule_id: UUID, caller: Editor) -> Response:
    """Evaluate the rule, switched on or not, on the last days of every series that it watches.
    Answers with the alerts that would be open now. Tells nobody and changes nothing.
    """
    resources = resources_of(request)
    now = resources.now()
    async with resources.database.read(caller.identity) as connection:
        rule = await rule_store.get_rule(connection, caller.workspace_id, rule_id)
        reach = timedelta(seconds=rule.window_seconds + rule.for_seconds) + timedelta(days=2)
        trials = await rehearsal.load_backtest(
            connection, caller.workspace_id, draft_of(rule), since=now - reach, until=now
        )
    found = await run_apart(rehearsal.BACKTEST_SECONDS, rehearsal.run_backtest, trials)
    tested = rehearsal.rehearsal_json(found)["tested"]
    return reply(
        request,
        {
            "rule_id": rule_id,
            "at": now,
            "series": tested["series"],
            "would_fire": [one for one in tested["episodes"] if one["resolved_at"] is None],
            "outcomes": tested["outcomes"],
        },
    )
