"""Run dbt on the project in `dbt/`: its connection from the settings, its files in the home.

What it keeps: `<home>/dbt/target` (manifest, results), `<home>/dbt/logs`, and the documentation in
`<home>/docs/dbt/index.html`. The checkout stays as it was.

dbt holds global state, and reads its connection from the environment of the process. So a process
runs one dbt command at a time (`dbt_environment`), and a lock in the database keeps the builds of
different processes and machines apart.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
import psycopg

from convex.db.roles import role_url
from convex.errors import InvalidInput, Unavailable
from convex.settings import Settings

Period = Literal["daily", "weekly", "monthly"]

PROJECT = Path(__file__).parents[2] / "dbt"
_LOCK = (1129270872, 7)
_PROCESS = threading.RLock()
_FAILED = frozenset({"error", "fail", "runtime error"})
# Rows whose change was not seen (a clock set back, a restored database) are read again this far
# back once a week, and from the beginning once a month.
_WEEKLY_DAYS = 56


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What became of each node, by dbt's name for it ("model alert_analytics": "success")."""

    succeeded: bool
    nodes: Mapping[str, str] = field(default_factory=dict)
    messages: Sequence[str] = ()
    seconds: float = 0.0

    @property
    def failed(self) -> list[str]:
        """Nodes that went wrong; what depended on them was skipped."""
        return [name for name, status in self.nodes.items() if status in _FAILED]


def target_folder(settings: Settings) -> Path:
    """Where dbt keeps its artefacts."""
    return settings.home / "dbt" / "target"


def docs_page(settings: Settings) -> Path:
    """The documentation, one self-contained page."""
    return settings.home / "docs" / "dbt" / "index.html"


def connection_environment(url: str) -> dict[str, str]:
    """The variables that `dbt/profiles.yml` reads, for a URL of the role convex_dbt."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    return {
        "CONVEX_DBT_HOST": query.get("host", [parts.hostname or "127.0.0.1"])[0],
        "CONVEX_DBT_PORT": str(parts.port or 5432),
        "CONVEX_DBT_USER": unquote(parts.username or ""),
        # dbt keeps variables of this prefix out of its logs.
        "DBT_ENV_SECRET_CONVEX_PASSWORD": unquote(parts.password or ""),
        "CONVEX_DBT_DATABASE": parts.path.lstrip("/"),
        "CONVEX_DBT_SSLMODE": query.get("sslmode", ["prefer"])[0],
    }


@contextmanager
def dbt_environment(settings: Settings) -> Iterator[None]:
    """This process's environment as dbt needs it while the block lasts; one block at a time."""
    wanted = {
        **connection_environment(role_url(settings, "convex_dbt")),
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    with _PROCESS:
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            _close_log()
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@contextmanager
def exclusive_build(settings: Settings) -> Iterator[None]:
    """Hold the lock under which one build at a time changes schema `analytics`; waits for it.

    Raises `Unavailable` when the database does not answer.
    """
    try:
        connection = psycopg.connect(
            role_url(settings, "convex_dbt"), autocommit=True, connect_timeout=10
        )
    except psycopg.OperationalError as error:
        raise Unavailable(f"The marts cannot be built: {str(error).strip()}") from None
    with connection:
        connection.execute("SELECT pg_advisory_lock(%s, %s)", _LOCK)
        yield


def paths(settings: Settings) -> list[str]:
    """The arguments that every dbt command takes here."""
    return [
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
        *("--target-path", str(target_folder(settings))),
        *("--log-path", str(settings.home / "dbt" / "logs")),
    ]


def build_arguments(
    period: Period = "daily",
    backfill: tuple[date, date] | None = None,
    *,
    today: date | None = None,
    unit_tests: bool = False,
) -> list[str]:
    """`dbt build` and its arguments, without `paths`.

    daily: what changed since the last build. weekly: also everything of the last eight weeks, by
    the given (or today's UTC) date. monthly: all marts from scratch, except metric_hourly, which
    may know hours whose points have been dropped. `backfill` names the first and last day to read
    again. Raises `InvalidInput` when it ends before it begins.
    """
    arguments = ["build"]
    if not unit_tests:  # they prove the models, which do not change between two builds
        arguments += ["--exclude-resource-type", "unit_test"]
    if backfill is not None and backfill[1] < backfill[0]:
        raise InvalidInput(f"A back-fill from {backfill[0]} cannot end on {backfill[1]}.")
    if period == "weekly" and backfill is None:
        last = today or datetime.now(UTC).date()
        backfill = (date.fromordinal(last.toordinal() - _WEEKLY_DAYS), last)
    if period == "monthly":
        arguments += ["--full-refresh", "--exclude", "metric_hourly"]
    if backfill is not None:
        days = {"backfill_from": f"{backfill[0]}", "backfill_to": f"{backfill[1]}"}
        arguments += ["--vars", orjson.dumps(days).decode()]
    return arguments


def build_marts(
    settings: Settings,
    period: Period = "daily",
    backfill: tuple[date, date] | None = None,
    *,
    full_refresh: bool = False,
) -> BuildResult:
    """Build the marts in this process (2–3 s the first time, less than a second of dbt's own then).

    A node that fails leaves the marts that do not depend on it fresh; see `BuildResult.failed`.
    Raises `Unavailable` without a database, `RuntimeError` when dbt cannot even begin.
    """
    arguments = build_arguments(period, backfill)
    if full_refresh and "--full-refresh" not in arguments:
        arguments.append("--full-refresh")
    with exclusive_build(settings):
        return run_dbt(settings, arguments)


def run_dbt(settings: Settings, arguments: Sequence[str]) -> BuildResult:
    """Run one dbt command. Raises `RuntimeError` when dbt ends with an error of its own."""
    with dbt_environment(settings):
        from dbt.cli.main import dbtRunner

        quiet = ["--log-level", "none", "--log-level-file", "info"]
        answer = dbtRunner().invoke([*arguments, *paths(settings), *quiet])
    if answer.exception is not None:
        raise RuntimeError(f"dbt {arguments[0]}: {answer.exception}") from answer.exception
    return read_result(answer)


def read_result(answer: Any) -> BuildResult:
    """A `dbtRunnerResult` in our words."""
    ended = getattr(answer.result, "results", None) or ()
    nodes = {_name(one.node): str(one.status) for one in ended}
    messages = [
        f"{_name(one.node)}: {' '.join(str(one.message).split())}"
        for one in ended
        if str(one.status) in _FAILED
    ]
    seconds = float(getattr(answer.result, "elapsed_time", 0.0) or 0.0)
    return BuildResult(bool(answer.success), nodes, messages, seconds)


def forget_results(settings: Settings) -> None:
    """Remove the results of the last command, so that `can_retry` speaks of the next one."""
    (target_folder(settings) / "run_results.json").unlink(missing_ok=True)


def can_retry(settings: Settings) -> bool:
    """Whether the last command got so far that `dbt retry` can go on from its failed nodes."""
    return (target_folder(settings) / "run_results.json").exists()


def write_docs(settings: Settings) -> Path:
    """Write the documentation of the project as it was last parsed; the page's path."""
    result = run_dbt(settings, ["docs", "generate", "--static"])
    if not result.succeeded:
        raise RuntimeError("dbt docs: " + "; ".join(result.messages))
    page = docs_page(settings)
    page.parent.mkdir(parents=True, exist_ok=True)
    draft = page.with_name(".index.html")
    shutil.copyfile(target_folder(settings) / "static_index.html", draft)
    draft.replace(page)
    return page


def stale_sources(settings: Settings) -> list[str]:
    """Sources in which nothing has arrived for longer than `dbt/` allows; [] when all are fresh."""
    result = run_dbt(settings, ["source", "freshness"])
    return sorted(_stale(result.nodes.items()))


def _close_log() -> None:
    """dbt opens its log again at each command and leaves the closing to the garbage collector."""
    log = logging.getLogger("file_log")
    for handler in log.handlers[:]:
        log.removeHandler(handler)
        handler.close()


def _stale(nodes: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, status in nodes:
        if status in _FAILED or status == "warn":
            yield name


def _name(node: Any) -> str:
    kind = getattr(node.resource_type, "value", node.resource_type)
    return f"{kind} {node.name}"
