"""demo/workspace.yaml, read: one entry for each framework instead of one for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("workspace.yaml")

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What the demo's workspace holds. Metrics and rules name their `framework` by its slug."""

    workspace: Entry
    user: Entry
    frameworks: Sequence[Entry]
    metrics: Sequence[Entry]
    rules: Sequence[Entry]
    channels: Sequence[Entry]
    preferences: Entry


def read_blueprint(text: str, values: Mapping[str, str]) -> Blueprint:
    """Read the YAML; `{name}` in a channel's settings becomes `values[name]`.

    Metrics and rules are repeated for every framework, whose {slug} and {name} they may mention.
    Raises `KeyError` for a placeholder that has no value.
    """
    document = yaml.safe_load(text)
    frameworks = document["frameworks"]

    def for_each(entries: Sequence[Entry]) -> list[Entry]:
        return [
            {**_filled(entry, framework), "framework": framework["slug"]}
            for framework in frameworks
            for entry in entries
        ]

    return Blueprint(
        workspace=document["workspace"],
        user=document["user"],
        frameworks=frameworks,
        metrics=for_each(document["metrics"]),
        rules=for_each(document["rules"]),
        channels=[_filled(channel, values) for channel in document["channels"]],
        preferences=document["preferences"],
    )


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return value.format_map(values)
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    return value
