"""`convex rules …`: alert rules as files."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convex.cli.say import Json, say, say_error

if TYPE_CHECKING:
    from convex.cli.rules_target import Target

app = typer.Typer(help="Alert rules as files.", no_args_is_help=True)

Files = Annotated[
    list[Path],
    typer.Argument(help="YAML files, or folders of them.", exists=True, metavar="FILE…"),
]
Workspace = Annotated[
    str | None,
    typer.Option(help="Slug of the workspace; not needed while there is only one."),
]
Url = Annotated[
    str | None,
    typer.Option(
        envvar="CONVEX_API_URL",
        show_envvar=True,
        help="Address of a Convex elsewhere; without it, this machine's database.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--api-key", envvar="CONVEX_API_KEY", show_envvar=True, help="API key for that address."
    ),
]
Delete = Annotated[
    bool,
    typer.Option(
        "--delete", help="Remove rules that are kept as code and that none of the files has."
    ),
]


Release = Annotated[
    bool,
    typer.Option(
        "--release", help="Give such rules back, to be edited in the web page and by the API."
    ),
]


@app.callback()
def _rules() -> None:
    """Alert rules as files."""


@app.command("plan")
def plan(
    files: Files,
    delete: Delete = False,
    release: Release = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 when anything would change.")
    ] = False,
    workspace: Workspace = None,
    url: Url = None,
    api_key: Key = None,
    as_json: Json = False,
) -> int:
    """Show what applying the files would change; nothing is written.

    Example: convex rules plan rules/
    """
    from convex.alerts.code.plan import describe

    target = _target(workspace, url, api_key)
    made = asyncio.run(target.plan(read_texts(files), _orphans(delete, release)))
    if made["problems"]:
        return _refuse(made, as_json=as_json)
    say(describe(made), made, as_json=as_json)
    changes = sum(made["counts"][name] for name in ("create", "update", "delete", "release"))
    return 1 if check and changes else 0


@app.command("apply")
def apply(
    files: Files,
    delete: Delete = False,
    release: Release = False,
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="FINGERPRINT", help="Only what a plan with this fingerprint has shown."
        ),
    ] = None,
    workspace: Workspace = None,
    url: Url = None,
    api_key: Key = None,
    as_json: Json = False,
) -> int:
    """Make the rules what the files say, all or none; applied again, nothing is written.

    Example: convex rules apply rules/ --delete
    """
    from convex.alerts.code.plan import describe

    target = _target(workspace, url, api_key)
    made = asyncio.run(target.apply(read_texts(files), _orphans(delete, release), expect))
    if made["problems"]:
        return _refuse(made, as_json=as_json)
    said = describe(made).replace(" to create", " created").replace(" to change", " changed")
    said = said.replace(" to delete", " deleted").replace(" to release", " released")
    say(said, made, as_json=as_json)
    return 0


@app.command("export")
def export(
    framework: Annotated[str | None, typer.Option(help="Only of this framework, by slug.")] = None,
    provenance: Annotated[
        str | None, typer.Option(help="Only rules kept as `code`, or only those made by `api`.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; standard output without it.")
    ] = None,
    workspace: Workspace = None,
    url: Url = None,
    api_key: Key = None,
) -> int:
    """Write the rules as a file that plan and apply read.

    Example: convex rules export --out rules.yaml
    """
    text = asyncio.run(_target(workspace, url, api_key).export(framework, provenance))
    if out is None:
        print(text, end="")
    else:
        out.write_text(text)
    return 0


@app.command("schema")
def schema(
    tests: Annotated[bool, typer.Option("--tests", help="Of files of rule tests.")] = False,
) -> int:
    """Print the JSON schema of rule files, for editors and checks.

    Example: convex rules schema > rules.schema.json
    """
    from convex.alerts.code.rule_tests import RuleTestFile
    from convex.alerts.code.schema import file_schema

    described = RuleTestFile.model_json_schema() if tests else file_schema()
    print(json.dumps(described, indent=2, ensure_ascii=False))
    return 0


def read_texts(paths: list[Path]) -> list[tuple[str, str]]:
    """Files by the names given, folders by the YAML files in them. Raises `InvalidInput`."""
    from convex.errors import InvalidInput

    files: dict[str, str] = {}
    for path in paths:
        found = [path]
        if path.is_dir():
            found = sorted(one for one in path.rglob("*") if one.suffix in (".yaml", ".yml"))
        for one in found:
            try:
                files[str(one)] = one.read_text()
            except UnicodeDecodeError:
                raise InvalidInput(f"{one} is not text in UTF-8.") from None
    if not files:
        raise InvalidInput(f"There is no .yaml or .yml file in {paths[0]}.")
    return list(files.items())


def _orphans(delete: bool, release: bool) -> str:
    if delete and release:
        raise typer.BadParameter("choose one of --delete and --release")
    return "delete" if delete else "release" if release else "keep"


def _target(workspace: str | None, url: str | None, key: str | None) -> Target:
    from convex.cli.rules_target import target_of

    return target_of(workspace, url, key)


def _refuse(made: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(made), flush=True)
    for one in made["problems"]:
        place = f"{one['file']}:{one['line']}:"
        say_error(
            f"{place} {one['path']}: {one['message']}"
            if one["path"]
            else f"{place} {one['message']}"
        )
    return 1


@app.command("import-prometheus")
def import_prometheus(
    files: Files,
    framework: Annotated[
        str | None,
        typer.Option(help="Slug of the framework; the matchers framework and job say it without."),
    ] = None,
    increments: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC",
            help="Metric whose points are increments, not readings of a counter; may be repeated.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; standard output without it.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Translate Prometheus' alerting rules; what has no equal here is listed with the reason.

    Exit 1 when not one rule could be translated.

    Example: convex rules import-prometheus alerts.yml --framework shop --out rules.yaml
    """
    from convex.alerts.code.prometheus import import_rules

    made = import_rules(read_texts(files), framework=framework, increments=increments or ())
    if out is not None:
        out.write_text(made.text)
    if as_json:
        said = {
            "rules": made.entries,
            "notes": [one.as_json() for one in made.notes],
            "left_out": [one.as_json() for one in made.left_out],
        }
        say("", said, as_json=True)
    else:
        if out is None:
            print(made.text, end="")
        for one in made.notes:
            print(f"note: {one}", file=sys.stderr)
        for one in made.left_out:
            print(f"left out: {one}", file=sys.stderr)
        print(f"{len(made.entries)} translated, {len(made.left_out)} left out", file=sys.stderr)
    return 0 if made.entries else 1


@app.command("test")
def run_rule_tests(
    files: Files,
    as_json: Json = False,
) -> int:
    """Run files of rule tests: given series, the rules must open the expected triggers.

    No database is needed. Exit 1 when a test fails.

    Example: convex rules test tests/rules_test.yaml
    """
    from convex.alerts.code.read import read_files
    from convex.alerts.code.rule_tests import read_tests, run_tests

    results: list[dict[str, Any]] = []
    problems = []
    for name, text in read_texts(files):
        tests, wrong = read_tests(name, text)
        problems += wrong
        if tests is None:
            continue
        paths = [Path(name).parent / one for one in tests.rules]
        if missing := [path for path in paths if not path.exists()]:
            say_error(f"{name}: there is no file {missing[0]}.")
            return 1
        reading = read_files(read_texts(paths))
        problems += reading.problems
        if not reading.problems:
            results += [
                {"file": name, "test": one.name, "failures": one.failures}
                for one in run_tests(tests.tests, reading.entries)
            ]
    if problems:
        return _refuse({"problems": [one.as_json() for one in problems]}, as_json=as_json)
    failed = sum(bool(one["failures"]) for one in results)
    lines = []
    for one in results:
        lines.append(f"{'FAIL' if one['failures'] else 'ok  '}  {one['file']}: {one['test']}")
        lines += [f"      {line}" for each in one["failures"] for line in each.splitlines()]
    lines.append(f"{len(results) - failed} passed, {failed} failed")
    counts = {"passed": len(results) - failed, "failed": failed, "tests": results}
    say("\n".join(lines), counts, as_json=as_json)
    return 1 if failed else 0
