"""`convex insights …`."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from convex.cli.say import Json, say
from convex.errors import InvalidInput
from convex.settings import load_settings

app = typer.Typer(help="Insights and recommendations.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Insights and recommendations."""


@app.command("run")
def run_command(
    workspace: Annotated[
        str | None, typer.Option(help="Slug of one workspace; all of them without it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the insights that are due now, and bring the recommendations up to date.

    By Claude where ANTHROPIC_API_KEY is set (within the day's budget, without the batch API), else
    from templates. The same evidence is written about once.

    Example: convex insights run --workspace acme
    """
    done = asyncio.run(_run(workspace))
    lines = [
        f"{slug}: {each['claude']} insights by Claude, {each['template']} from templates,"
        f" {each['recommendations']} recommendations"
        for slug, each in done.items()
    ]
    say("\n".join(lines) or "There is no workspace yet.", {"workspaces": done}, as_json=as_json)


@app.command()
def smoke(as_json: Json = False) -> int:
    """Ask Claude once for each kind of insight, on made-up evidence, and say what it cost.

    Exit 1 unless every answer held. Needs ANTHROPIC_API_KEY.

    Example: ANTHROPIC_API_KEY=… convex insights smoke
    """
    calls = asyncio.run(_smoke())
    total = sum(call["cost_usd"] for call in calls)
    lines = [
        f"{call['kind']:<10} {call['model']:<18} {call['outcome']:<26}"
        f" counted {call['counted']:>5} in {_input(call):>5} out {call['usage']['output']:>5}"
        f" thinking {call['usage']['thinking']:>5} ${call['cost_usd']:.4f} {call['seconds']:.1f} s"
        for call in calls
    ]
    lines.append(f"together ${total:.4f}")
    say("\n".join(lines), {"calls": calls, "cost_usd": total}, as_json=as_json)
    held = all(call["outcome"].startswith(("verified", "planned")) for call in calls)
    return 0 if held else 1


def _input(call: dict[str, Any]) -> int:
    usage = call["usage"]
    return int(usage["input"] + usage["cache_read"] + usage["cache_write"])


async def _run(slug: str | None) -> dict[str, dict[str, int]]:
    from convex.cli.session import find_workspaces, worker_database
    from convex.db import Identity, Role
    from convex.insights import nightly, recommendations
    from convex.insights.claude import Claude

    settings = load_settings()
    at_once = settings.insights.model_copy(update={"batch": False})
    now = datetime.now(UTC)
    done: dict[str, dict[str, int]] = {}
    async with (
        worker_database(settings) as database,
        Claude.open(settings.anthropic_api_key, at_once) as claude,
    ):
        for workspace in await find_workspaces(database, slug):
            identity = Identity(workspace.id, Role.SYSTEM)
            async with database.read(identity) as connection:
                found = await recommendations.propose(connection, workspace.id, now=now)
            async with database.transaction(identity) as connection:
                proposed = await recommendations.save(connection, workspace.id, found, now=now)
                await recommendations.measure_effects(connection, workspace.id, now=now)
            night = await nightly.run(
                lambda acting=identity: database.transaction(acting),  # type: ignore[misc]
                claude,
                at_once,
                workspace.id,
                now=now,
            )
            writers = Counter(insight.source.value for insight in night.insights)
            done[workspace.slug] = {
                "claude": writers["claude"],
                "template": writers["template"],
                "recommendations": proposed,
            }
    return done


async def _smoke() -> list[dict[str, Any]]:
    from convex.insights import smoke as calls
    from convex.insights.claude import Claude

    settings = load_settings()
    async with Claude.open(settings.anthropic_api_key, settings.insights) as claude:
        if claude is None:
            raise InvalidInput("Set ANTHROPIC_API_KEY: this makes real calls, which cost a little.")
        return [
            asdict(call) async for call in calls.run(claude, settings.insights, datetime.now(UTC))
        ]
