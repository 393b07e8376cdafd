"""What files would change of what is stored. Pure.

A rule is known by its name. One that files speak of is kept as code from then on, and read-only
elsewhere; one that is kept as code and that no file speaks of any more is removed, or given back to
the API and the web page, only when that is asked for. The fingerprint stands for everything that
the plan would write and for the versions it starts from: applying by a fingerprint does exactly
that, or nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from convex.alerts.code.document import said_by
from convex.alerts.code.read import Entry, Reading
from convex.alerts.code.tree import Problem
from convex.alerts.model import Provenance, Rule, RuleDraft

# Of each framework by its slug: its id, and the ids of its metrics by name.
Catalog = Mapping[str, tuple[UUID, Mapping[str, UUID]]]


class Action(StrEnum):
    """What becomes of a rule."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RELEASE = "release"  # kept as code, in no file, and editable from then on
    UNCHANGED = "unchanged"
    ORPHANED = "orphaned"  # kept as code, in no file, and left alone


class Orphans(StrEnum):
    """What becomes of rules that are kept as code and that none of the files has."""

    KEEP = "keep"
    DELETE = "delete"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Step:
    """One rule of a plan. `draft` is what it is to be; `differences` are (field, before, after)."""

    action: Action
    name: str
    file: str = ""
    line: int = 0
    draft: RuleDraft | None = None
    rule: Rule | None = None
    differences: tuple[tuple[str, Any, Any], ...] = ()

    @property
    def writes(self) -> bool:
        """Whether anything is to be written."""
        return self.action not in (Action.UNCHANGED, Action.ORPHANED)

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "action": self.action.value,
            "name": self.name,
            "file": self.file or None,
            "line": self.line or None,
            "rule_id": None if self.rule is None else str(self.rule.id),
            "version": None if self.rule is None else self.rule.version,
            "differences": [
                {"field": name, "before": before, "after": after}
                for name, before, after in self.differences
            ],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Every rule that the files or the provenance `code` speak of, and what is wrong with them."""

    steps: list[Step] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def changes(self) -> list[Step]:
        """The steps that write."""
        return [step for step in self.steps if step.writes]

    @property
    def counts(self) -> dict[str, int]:
        """How many steps of each action."""
        return {
            action.value: sum(step.action is action for step in self.steps) for action in Action
        }

    @property
    def fingerprint(self) -> str:
        """The same for the same writes from the same versions."""
        said = [step.as_json() | {"file": None, "line": None} for step in self.changes]
        text = json.dumps(sorted(said, key=lambda one: one["name"]), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "counts": self.counts,
            "fingerprint": self.fingerprint,
            "steps": [step.as_json() for step in self.steps],
            "problems": [one.as_json() for one in self.problems],
        }


def make_plan(
    reading: Reading,
    rules: Iterable[Rule],
    catalog: Catalog,
    orphans: Orphans = Orphans.KEEP,
) -> Plan:
    """Compare; with a problem there are no steps, since half a file is not to be applied.

    `orphans`: what becomes of rules that are kept as code and in no file.
    """
    stored = {rule.name: rule for rule in rules}
    steps: list[Step] = []
    problems = list(reading.problems)
    for entry in reading.entries:
        found = _place(entry, catalog)
        if isinstance(found, Problem):
            problems.append(found)
            continue
        steps.append(_compare(entry, found, stored.get(entry.name)))
    if problems:
        return Plan([], sorted(problems, key=lambda one: (one.file, one.line)))
    named = {entry.name for entry in reading.entries}
    steps += [
        _orphan(orphans, rule)
        for rule in stored.values()
        if rule.provenance is Provenance.CODE and rule.name not in named
    ]
    return Plan(sorted(steps, key=lambda step: step.name))


def _orphan(orphans: Orphans, rule: Rule) -> Step:
    if orphans is Orphans.KEEP:
        return Step(Action.ORPHANED, rule.name, rule=rule)
    if orphans is Orphans.DELETE:
        return Step(Action.DELETE, rule.name, rule=rule)
    values = {one.name: getattr(rule, one.name) for one in fields(RuleDraft)}
    draft = RuleDraft(**values | {"provenance": Provenance.API})
    told = (("provenance", Provenance.CODE.value, Provenance.API.value),)
    return Step(Action.RELEASE, rule.name, draft=draft, rule=rule, differences=told)


def _place(entry: Entry, catalog: Catalog) -> RuleDraft | Problem:
    """The entry with its ids."""
    framework = catalog.get(entry.framework)
    if framework is None:
        known = _some(catalog)
        return entry.problem(
            "framework", f"There is no framework {entry.framework!r}; there are: {known}."
        )
    framework_id, metrics = framework
    metric_id = None if entry.metric is None else metrics.get(entry.metric)
    if entry.metric is not None and metric_id is None:
        return entry.problem(
            "metric",
            f"{entry.framework} has no metric {entry.metric!r}; it has: {_some(metrics)}.",
        )
    return replace(
        entry.draft,
        framework_id=framework_id,
        metric_id=metric_id,
        provenance=Provenance.CODE,
    )


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - 10} more" if len(ordered) > 10 else ""
    return (", ".join(ordered[:10]) or "none yet") + more


def _compare(entry: Entry, draft: RuleDraft, rule: Rule | None) -> Step:
    after = said_by(draft, entry.framework, entry.metric)
    if rule is None:
        fresh = said_by(
            RuleDraft(name="", framework_id=draft.framework_id, metric_id=draft.metric_id), "", ""
        )
        told: Sequence[tuple[str, Any, Any]] = [
            (name, None, value)
            for name, value in after.items()
            if name not in ("name", "provenance") and value != fresh[name]
        ]
        return Step(Action.CREATE, entry.name, entry.file, entry.line, draft, None, tuple(told))
    before = said_by(rule, rule.framework, rule.metric)
    told = [(name, before[name], value) for name, value in after.items() if before[name] != value]
    action = Action.UPDATE if told else Action.UNCHANGED
    return Step(action, entry.name, entry.file, entry.line, draft, rule, tuple(told))


def describe(plan: Mapping[str, Any]) -> str:
    """A plan's JSON form as people read it: one line a rule, one a difference."""
    signs = {"create": "+", "update": "~", "delete": "-", "release": "=", "orphaned": "?"}
    lines: list[str] = []
    for step in plan["steps"]:
        if step["action"] not in signs:
            continue
        where = f"  ({step['file']}:{step['line']})" if step["file"] else ""
        lines.append(f"{signs[step['action']]} {step['name']}{where}")
        if step["action"] == "orphaned":
            lines.append(
                "    kept as code, but in none of these files; --delete removes it,"
                " --release gives it back"
            )
        for one in step["differences"]:
            after = _text(one["after"])
            change = after if step["action"] == "create" else f"{_text(one['before'])} → {after}"
            lines.append(f"    {one['field']}: {change}")
    counts = plan["counts"]
    lines.append(
        f"{counts['create']} to create, {counts['update']} to change, {counts['delete']} to delete,"
        f" {counts['release']} to release, {counts['unchanged']} as they are."
    )
    return "\n".join(lines)


def _text(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
