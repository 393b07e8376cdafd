"""`convex rules …`: alert rules as files."""

from __future__ import annotations

import json

import typer

app = typer.Typer(help="Alert rules as files.", no_args_is_help=True)


@app.callback()
def _rules() -> None:
    """Alert rules as files."""


@app.command("schema")
def schema() -> None:
    """Print the JSON schema of rule files, for editors and checks.

    Example: convex rules schema > rules.schema.json
    """
    from convex.alerts.code.schema import file_schema

    print(json.dumps(file_schema(), indent=2))
