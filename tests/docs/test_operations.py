"""docs/operations.md is complete: every metric, alert and log event of Convex itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from convex.telemetry.metrics import REGISTRY

_ROOT = Path(__file__).parents[2]
_TEXT = (_ROOT / "docs" / "operations.md").read_text()
_FLOWS = yaml.safe_load((_ROOT / "prefect.yaml").read_text())["deployments"]


def first_column(heading: str) -> set[str]:
    """What the first column of the table under this heading names."""
    part = _TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (.+?) \|", part, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def logged() -> Iterator[str]:
    """The events of the structured logs, read from the code."""
    for folder in ("convex", "api"):
        for file in (_ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id in {"_log", "log"}
                    and node.func.attr in {"info", "warning", "error", "exception", "critical"}
                    and node.args
                    and isinstance(node.args[0], ast.Constant)
                ):
                    yield str(node.args[0].value).replace("`", "")


def test_every_metric_says_what_to_do() -> None:
    there = {
        metric.name + ("_total" if metric.type == "counter" else "")
        for metric in REGISTRY.collect()
    }
    named = {name for name in first_column("Metrics") if name.startswith("convex_")}  # not labels
    assert named == there


def test_every_alert_says_what_to_do() -> None:
    rules = yaml.safe_load((_ROOT / "deploy" / "prometheus" / "convex.rules.yml").read_text())
    there = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    assert first_column("Alerts") == there


def test_every_log_event_says_what_to_do() -> None:
    assert first_column("Log events") == set(logged())


def test_every_deployment_is_in_the_schedule() -> None:
    listed = first_column("What runs when (UTC)")
    names = {one["entrypoint"].rpartition(":")[2].replace("_", "-") for one in _FLOWS}
    missing = {name for name in names if not any(each.startswith(name) for each in listed)}
    assert missing == set()
