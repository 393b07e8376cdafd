"""The JSON schema of rule files, made from what checks them. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from convex.alerts.code.document import Part, RuleEntry
from convex.alerts.code.slo import SloEntry


class RuleFile(Part):
    """A file of alert rules and service level objectives."""

    rules: list[RuleEntry] | None = None
    slos: list[SloEntry] | None = None


_document: TypeAdapter[RuleFile | RuleEntry] = TypeAdapter(RuleFile | RuleEntry)


def file_schema() -> dict[str, Any]:
    """The schema of one document."""
    schema = _document.json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Convex alert rules",
        "description": "A file of rules and objectives, or one rule.",
        **schema,
    }
