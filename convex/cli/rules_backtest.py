"""`convex rules backtest`: what rules would have done, saved or still in a file."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from convex.cli.rules import Workspace, read_texts
from convex.cli.say import Json, say
from convex.errors import InvalidInput
from convex.settings import load_settings

if TYPE_CHECKING:
    from convex.alerts.model import RuleDraft
    from convex.alerts.rehearsal import Trial
    from convex.db import Connection


def backtest(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="YAML files, or folders of them.", exists=True, metavar="[FILE…]"),
    ] = None,
    rule: Annotated[
        list[UUID] | None, typer.Option(help="A saved rule by its id; may be repeated.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=750, help="How far back.")] = 90,
    until: Annotated[
        datetime | None, typer.Option(help="Where the range ends, in UTC; now without it.")
    ] = None,
    workspace: Workspace = None,
    as_json: Json = False,
) -> int:
    """Replay rules over stored points with the evaluator that runs live. Nothing is saved.

    A rule of a file is compared with the saved rule of its name, if there is one.

    Example: convex rules backtest rules/checkout.yaml --days 365
    """
    if not files and not rule:
        raise typer.BadParameter("give a FILE or --rule.")
    end = datetime.now(UTC) if until is None else until.replace(tzinfo=UTC)
    results = asyncio.run(
        _backtest(files or [], rule or [], end - timedelta(days=days), end, workspace)
    )
    say("\n".join(_describe(one) for one in results), {"rules": results}, as_json=as_json)
    return 0


async def _backtest(
    files: list[Path], rules: list[UUID], since: datetime, until: datetime, slug: str | None
) -> list[dict[str, Any]]:
    from convex.alerts import rehearsal
    from convex.cli.session import choose_workspace, worker_database
    from convex.db import Identity, Role

    trials: dict[str, list[Trial]] = {}
    async with worker_database(load_settings()) as database:
        workspace = await choose_workspace(database, slug)
        async with database.read(Identity(workspace.id, Role.SYSTEM)) as connection:
            for draft, saved, compared in await _drafts(connection, workspace.id, files, rules):
                trials[draft.name] = await rehearsal.load_backtest(
                    connection,
                    workspace.id,
                    draft,
                    since=since,
                    until=until,
                    rule_id=saved if compared else None,
                    marked=saved,
                )
    return [
        {"name": name, **rehearsal.rehearsal_json(rehearsal.run_backtest(some))}
        for name, some in trials.items()
    ]


async def _drafts(
    connection: Connection, workspace_id: UUID, files: list[Path], rules: list[UUID]
) -> list[tuple[RuleDraft, UUID | None, bool]]:
    """Each rule, the saved one behind it, and whether the two are to be compared."""
    from convex.alerts import rule_store
    from convex.alerts.code.plan import Action
    from convex.alerts.code.service import plan_files, refuse_problems
    from convex.alerts.rule_service import draft_of

    found: list[tuple[RuleDraft, UUID | None, bool]] = []
    if files:
        plan = await plan_files(connection, workspace_id, read_texts(files))
        refuse_problems(plan.problems)
        for step in plan.steps:
            if step.draft is None or step.action in (Action.ORPHANED, Action.DELETE):
                continue
            saved = None if step.rule is None else step.rule.id
            found.append((step.draft, saved, step.action is Action.UPDATE))
        if not found:
            raise InvalidInput("The files hold no rule.")
    for rule_id in rules:
        rule = await rule_store.get_rule(connection, workspace_id, rule_id)
        found.append((draft_of(rule), rule_id, False))
    return found


def _describe(result: dict[str, Any]) -> str:
    tested, saved = result["tested"], result["saved"]
    lines = [f"{result['name']}", f"  {_figures(tested)}"]
    if saved is not None:
        lines.append(f"  saved version: {_figures(saved)}")
    for one in tested["episodes"][-5:]:
        labels = ", ".join(f"{name}={value}" for name, value in one["labels"].items())
        end = one["resolved_at"] or "still open"
        lines.append(f"  {one['opened_at']} – {end}  {labels}".rstrip())
    return "\n".join(lines)


def _figures(found: dict[str, Any]) -> str:
    interval = found["triggers_per_week_interval"]
    between = "" if interval is None else f" (90 %: {interval[0]:g} to {interval[1]:g})"
    share = found["sleep_hour_share"]
    asleep = "" if share is None else f", {share:.0%} in sleep hours"
    marks = "".join(
        f", {found[name]['found']} of {found[name]['total']} {words}"
        for name, words in (("actionable", "actionable"), ("false_positive", "false positives"))
        if found[name]["total"]
    )
    return (
        f"{found['triggers']} triggers on {found['series']} series:"
        f" {found['triggers_per_week']:g} a week{between}, {found['flaps']} flapping{asleep}{marks}"
    )
