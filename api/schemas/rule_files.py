"""Alert rules as files."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from api.schemas.shared import Body, Shape

_EXAMPLE = """\
rules:
  - name: Too many cancellations
    framework: ewr
    metric: cancel_rate
    threshold_value: 0.2
    for: 2h
"""


class RuleFileText(Body):
    """A YAML file of rules."""

    name: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
    text: Annotated[str, Field(max_length=2_000_000, pattern=r"^[^\x00]*$")]


class RuleFiles(Body):
    """The files, which together are one description; `name` is what problems call them."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"files": [{"name": "rules.yaml", "text": _EXAMPLE}]}]},
    )

    files: Annotated[list[RuleFileText], Field(min_length=1, max_length=500)]
    orphans: Literal["keep", "delete", "release"] = Field(
        "keep",
        description="What becomes of rules that are kept as code and that no file has: they stay as"
        " they are, are removed, or can be edited again.",
    )


class RuleFilesApply(RuleFiles):
    """The files, and what a plan of them has shown."""

    fingerprint: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="Of that plan; anything else is refused (412, `stale_plan`)."
    )


class RuleDifference(Shape):
    """A field that changes."""

    field: str
    before: Any
    after: Any


class RuleStep(Shape):
    """What becomes of one rule."""

    action: Literal["create", "update", "delete", "release", "unchanged", "orphaned"]
    name: str
    file: str | None
    line: int | None
    rule_id: UUID | None
    version: int | None
    differences: list[RuleDifference]


class RuleFileProblem(Shape):
    """What cannot be used in a file."""

    file: str
    line: int
    path: str
    message: str


class RulePlan(Shape):
    """What files change; with problems there are no steps."""

    counts: dict[str, int]
    fingerprint: str
    steps: list[RuleStep]
    problems: list[RuleFileProblem]
