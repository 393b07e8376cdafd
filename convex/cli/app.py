"""All commands together, and the one place where errors become exit codes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from convex import __version__
from convex.cli import (
    accounts,
    audit,
    backup,
    demo,
    detect,
    doctor,
    insights,
    migrate,
    openapi,
    patterns,
    points,
    predictions,
    rules,
    rules_backtest,
    serve,
    up,
    workspaces,
)
from convex.cli.say import say_error
from convex.errors import ConvexError

FAILED, USAGE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="convex",
    help="Alert intelligence on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"convex {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Alert intelligence on your own machine."""


app.command("up")(up.up)
app.command("down")(up.down)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("migrate")(migrate.migrate)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("doctor")(doctor.doctor)
app.command("ingest")(points.ingest)
app.command("detect")(detect.detect)
app.command("openapi")(openapi.openapi)
app.add_typer(accounts.users, name="user")
app.add_typer(accounts.keys, name="key")
app.add_typer(audit.app, name="audit")
app.add_typer(workspaces.app, name="workspace")
rules.app.command("backtest")(rules_backtest.backtest)
app.add_typer(rules.app, name="rules")
app.add_typer(patterns.app, name="patterns")
app.add_typer(predictions.app, name="predictions")
app.add_typer(insights.app, name="insights")


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code. Never raises for what an operator can put right."""
    from pydantic import ValidationError

    warnings.simplefilter("ignore")  # what libraries say to developers
    try:
        result = app(args=list(arguments), standalone_mode=False)
    except typer.Exit as error:
        return error.exit_code
    except typer.Abort:
        return INTERRUPTED
    except TyperException as error:
        say_error(f"{str(error).rstrip('.')}; see `convex {_command(arguments)}--help`.")
        return USAGE
    except ValidationError as error:
        say_error(_wrong_settings(error))
        return USAGE
    except ConvexError as error:
        say_error(error.message)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if not (isinstance(error, OSError) or _is_connection_error(error)):
            raise
        say_error(f"{str(error).rstrip('.')}; see what is wrong with `convex doctor`.")
        return FAILED
    return result if isinstance(result, int) else 0


def _command(arguments: Sequence[str]) -> str:
    """The words of the command line that name a command, each followed by a space."""
    groups = {group.name for group in app.registered_groups}
    commands = {command.name for command in app.registered_commands}
    first, second = (*arguments, "", "")[:2]
    if first in commands:
        return f"{first} "
    if first in groups:
        return f"{first} {second} " if second and not second.startswith("-") else f"{first} "
    return ""


def _wrong_settings(error: Exception) -> str:
    from pydantic import ValidationError

    assert isinstance(error, ValidationError)
    parts = []
    for problem in error.errors():
        name = "__".join(str(part) for part in problem["loc"]).upper()
        parts.append(f"CONVEX_{name}: {problem['msg']} (got {problem['input']!r})")
    return "settings cannot be used: " + "; ".join(parts) + "; correct the environment."


def _is_connection_error(error: Exception) -> bool:
    """Whether a server is away, said by psycopg, its pool or Redis, none of them imported here."""
    kinds = {f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__}
    return bool(
        kinds
        & {
            "psycopg.OperationalError",
            "psycopg_pool.errors.PoolTimeout",
            "psycopg_pool.PoolTimeout",
            "redis.exceptions.ConnectionError",
        }
    )
