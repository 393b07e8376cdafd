"""The rules of docs/writing-rules.md are rules that Convex takes."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

from convex.alerts.code.plan import make_plan
from convex.alerts.code.read import read_files

_TEXT = (Path(__file__).parents[2] / "docs" / "writing-rules.md").read_text()
_METRICS = ("cancel_rate", "departures", "delay_mean", "on_time_rate")


def test_the_recipes_can_be_planned() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", _TEXT, re.MULTILINE | re.DOTALL)
    catalog = {"ewr": (uuid4(), {name: uuid4() for name in _METRICS})}
    plan = make_plan(read_files([("recipes.yaml", text)]), [], catalog)
    assert plan.problems == []
    assert len(plan.steps) == 6
    assert {step.draft.type.value for step in plan.steps if step.draft} == {
        "threshold",
        "anomaly",
        "performance",
        "milestone",
    }
