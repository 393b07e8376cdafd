"""Rules written as files. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from convex.alerts.code.document import entry_of
from convex.alerts.model import Rule

HEAD = "# Alert rules. Plan and apply them with `convex rules`.\n"


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless  # lists are indented under their key
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def write_rules(rules: Iterable[Rule]) -> str:
    """The rules by name; reading the text gives the same rules again."""
    ordered = sorted(rules, key=lambda rule: rule.name)
    return write_entries(entry_of(rule, rule.framework, rule.metric) for rule in ordered)


def write_entries(entries: Iterable[Mapping[str, Any]]) -> str:
    """Entries, as a file says them, in their order."""
    document = {"rules": [dict(one) for one in entries]}
    return HEAD + yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )
