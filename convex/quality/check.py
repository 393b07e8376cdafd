"""Run the suites with Great Expectations, as convex_worker with a workspace's identity set.

It reads through a connection of its own, whose options carry the workspace, so that row level
security bounds it like any flow; the transaction is read only. Synchronous and slow (seconds): call
it in a thread.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from convex.db.roles import role_url
from convex.quality import report
from convex.quality.model import ExpectationResult, Severity, SuiteRun, Window
from convex.quality.suites import Suite
from convex.quality.suites_of_results import SUITES
from convex.settings import Settings

_KEPT_RUNS = 24
_EXAMPLES = 5
_SUMMARY = {"result_format": "SUMMARY", "partial_unexpected_count": _EXAMPLES}
_BY_SERIES = {
    "result_format": "COMPLETE",
    "partial_unexpected_count": _EXAMPLES,
    "unexpected_index_column_names": ["series_id"],
}


def docs_folder(settings: Settings) -> Path:
    """What is served below /docs/quality/; a folder for each workspace, named by its id."""
    return settings.home / "docs" / "quality"


def check_workspace(
    settings: Settings, workspace_id: UUID, window: Window, suites: Sequence[Suite] = SUITES
) -> list[SuiteRun]:
    """Run the suites on one workspace and bring its pages up to date; a result for each suite.

    An expectation that cannot be evaluated is a result with an `error`, not an exception. Raises
    what SQLAlchemy raises when the database does not answer.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
    )

    kept = settings.home / "quality" / str(workspace_id)
    _forget_old(kept)
    context = gx.get_context(mode="ephemeral", project_config=_configuration(kept))
    source = context.data_sources.add_postgres(
        "convex", connection_string=_url(settings, workspace_id), create_temp_table=False
    )
    run_name = window.now.astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    runs = []
    identifiers: list[Any] = []
    try:
        for suite in _possible(source, suites):
            identifiers.append(ExpectationSuiteIdentifier(suite.name))
            started = datetime.now(UTC)
            definition = _definition(gx, context, source, suite, window)
            checkpoint = gx.Checkpoint(
                name=suite.name,
                validation_definitions=[definition],
                result_format=_BY_SERIES if suite.by_series else _SUMMARY,
            )
            answer = context.checkpoints.add(checkpoint).run(
                run_id=RunIdentifier(run_name=run_name, run_time=started)
            )
            for identifier, validation in answer.run_results.items():
                identifiers.append(identifier)
                runs.append(
                    SuiteRun(
                        workspace_id=workspace_id,
                        suite=suite.name,
                        started_at=started,
                        finished_at=datetime.now(UTC),
                        results=[_read(result) for result in validation.results],
                        report_path=_page(workspace_id, identifier),
                    )
                )
        context.build_data_docs(resource_identifiers=identifiers)
    finally:
        source.get_execution_engine().engine.dispose()
    report.publish(kept / "site", docs_folder(settings) / str(workspace_id))
    return runs


def _possible(source: Any, suites: Iterable[Suite]) -> list[Suite]:
    """Without those whose table dbt has not built yet."""
    from sqlalchemy import text

    with source.get_execution_engine().engine.connect() as connection:
        return [
            suite
            for suite in suites
            if suite.needs is None
            or connection.execute(text("SELECT to_regclass(:name)"), {"name": suite.needs}).scalar()
        ]


def _url(settings: Settings, workspace_id: UUID) -> str:
    base = role_url(settings, "convex_worker").replace("postgresql://", "postgresql+psycopg2://", 1)
    options = (
        f"-c convex.workspace_id={workspace_id} -c convex.role=system"
        " -c default_transaction_read_only=on"
    )
    return f"{base}{'&' if '?' in base else '?'}options={quote(options)}"


def _configuration(kept: Path) -> Any:
    """A project in memory whose results and pages outlive it."""
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
    )

    defaults = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    defaults.stores[defaults.validation_results_store_name] = {
        "class_name": "ValidationResultsStore",
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(kept / "validations"),
        },
    }
    return DataContextConfig(
        store_backend_defaults=defaults,
        analytics_enabled=False,
        progress_bars={"globally": False},
        data_docs_sites={
            "data quality": {
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": {
                    "class_name": "TupleFilesystemStoreBackend",
                    "base_directory": str(kept / "site"),
                },
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            }
        },
    )


def _definition(gx: Any, context: Any, source: Any, suite: Suite, window: Window) -> Any:
    # It takes nothing but a plain SELECT.
    query = f"SELECT * FROM ({suite.query(window).strip()}) AS looked_at"
    asset = source.add_query_asset(suite.name, query=query)
    expectations = context.suites.add(gx.ExpectationSuite(suite.name))
    for expectation in suite.expectations(window):
        expectations.add_expectation(expectation)
    return context.validation_definitions.add(
        gx.ValidationDefinition(
            name=suite.name,
            data=asset.add_batch_definition_whole_table(suite.name),
            suite=expectations,
        )
    )


def _read(result: Any) -> ExpectationResult:
    configuration = result.expectation_config
    found = result.result or {}
    column = configuration.kwargs.get("column") or ", ".join(
        configuration.kwargs.get("column_list") or ()
    )
    return ExpectationResult(
        name=configuration.type,
        column=column,
        says=configuration.description or configuration.type,
        severity=Severity(getattr(configuration.severity, "value", configuration.severity)),
        succeeded=bool(result.success),
        observed=_plain(found.get("observed_value")),
        rows=found.get("element_count"),
        unexpected=found.get("unexpected_count"),
        examples=_plain(list(found.get("partial_unexpected_list") or ())[:_EXAMPLES]),
        error=_error(result.exception_info or {}),
        series=[
            int(row["series_id"])
            for row in found.get("unexpected_index_list") or ()
            if isinstance(row, dict) and "series_id" in row
        ],
    )


def _error(info: Any) -> str:
    """Great Expectations gives one exception, or one for each metric that it needed."""
    several: Iterable[Any] = (info,) if "raised_exception" in info else info.values()
    messages = {
        str(one["exception_message"]).strip().splitlines()[0]
        for one in several
        if one.get("raised_exception")
    }
    return "; ".join(sorted(messages))


def _plain(value: Any) -> Any:
    """What JSON can hold; everything else as its text."""
    return json.loads(json.dumps(value, default=str))


def _page(workspace_id: UUID, identifier: Any) -> str:
    return "/".join((str(workspace_id), "validations", *identifier.to_tuple())) + ".html"


def _forget_old(kept: Path) -> None:
    """Keep the newest runs: each folder below a suite's is one run, named by its time."""
    for root in (kept / "validations", kept / "site" / "validations"):
        for suite in root.glob("*/"):
            for old in sorted(suite.glob("*/"))[:-_KEPT_RUNS]:
                shutil.rmtree(old)
