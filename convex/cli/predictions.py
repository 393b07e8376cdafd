"""`convex predictions run` and `convex predictions backtest`."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any

import typer

from convex.cli.say import Json, progress_bar, say
from convex.settings import load_settings

app = typer.Typer(
    name="predictions",
    help="How likely rules are to fire, and how good that was.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Workspace = Annotated[
    str | None, typer.Option(help="Slug of the workspace; not needed while there is only one.")
]
_DAY = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


@app.command("run")
def run(workspace: _Workspace = None, as_json: Json = False) -> int:
    """Train, and predict for every enabled rule, now.

    Example: convex predictions run --workspace demo
    """
    made = asyncio.run(_run(workspace))
    if made["run_id"] is None:
        say("No prediction: the workspace has no rule that can fire.", made, as_json=as_json)
    else:
        say("{predictions} predictions for {rules} rules.".format_map(made), made, as_json=as_json)
    return 0


@app.command("backtest")
def backtest(
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=_DAY, help="First day (UTC); half of the history without."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", formats=_DAY, help="Day after the last (UTC).")
    ] = None,
    workspace: _Workspace = None,
    as_json: Json = False,
) -> int:
    """Score what would have been predicted, from nothing but what was known at each time.

    By horizon: n, base rate, Brier score, skill against each rule's own climatology with its 90 %
    interval, AUC and calibration error, of the mixture and of each expert.

    Example: convex predictions backtest --from 2026-05-01 --to 2026-11-01 --json
    """
    found = asyncio.run(_backtest(since, until, workspace))
    say(_table(found), found, as_json=as_json)
    return 0


async def _run(slug: str | None) -> dict[str, Any]:
    from datetime import UTC

    from convex.cli.session import choose_workspace, worker_database
    from convex.db.roles import role_url
    from convex.embedded.valkey import redis_url
    from convex.live import Announcer
    from convex.predictions.service import foretell

    settings = load_settings()
    wakes = Announcer.open(role_url(settings, "convex_worker"), redis_url(settings))
    async with worker_database(settings) as database, wakes as announcer:
        chosen = await choose_workspace(database, slug)
        with progress_bar("predictions") as show:
            made = await foretell(
                database,
                chosen.id,
                now=datetime.now(UTC),
                email_works=bool(settings.smtp.host),
                shown=show,
            )
        if made is None:
            return {"run_id": None, "predictions": 0, "rules": 0, "notified": 0}
        for workspace_id, cursor in made.cursors.items():
            announcer.announce(workspace_id, cursor)
    return {
        "run_id": str(made.run_id),
        "predictions": made.predictions,
        "rules": made.rules,
        "notified": made.notified,
    }


async def _backtest(
    since: datetime | None, until: datetime | None, slug: str | None
) -> dict[str, Any]:
    from datetime import UTC

    from convex.cli.session import choose_workspace, worker_database
    from convex.db import Identity, Role
    from convex.predictions.backtest import backtest_known
    from convex.predictions.history import load_history

    begin = None if since is None else since.replace(tzinfo=UTC)
    end = None if until is None else until.replace(tzinfo=UTC)
    async with worker_database(load_settings()) as database:
        chosen = await choose_workspace(database, slug)
        async with database.read(Identity(chosen.id, Role.SYSTEM)) as connection:
            known = await load_history(connection, chosen.id, end=end or datetime.now(UTC))
    with progress_bar("backtest") as show:
        found = await asyncio.to_thread(backtest_known, known, begin, end, shown=show)
    return {"workspace": chosen.slug, **found}


def _table(found: dict[str, Any]) -> str:
    lines = [f"{found['from'][:10]} to {found['to'][:10]}, {found['rules_that_fired']} rules"]
    if not found["horizons"]:
        lines.append("not enough history")
    for hours, scores in found["horizons"].items():
        for name, one in (("mixture", scores["mixture"]), *scores["experts"].items()):
            if one is None:
                continue
            low, high = one["skill_interval"] or (float("nan"), float("nan"))
            auc = float("nan") if one["auc"] is None else one["auc"]
            lines.append(
                f"{hours:>3} h  {name:<18} n {one['n']:>7}  base rate {one['base_rate']:.3f}"
                f"  Brier {one['brier']:.4f}  skill {one['skill'] or 0:+.3f} [{low:+.3f},"
                f" {high:+.3f}]  AUC {auc:.3f}  ECE {one['ece']:.3f}"
            )
    return "\n".join(lines)
