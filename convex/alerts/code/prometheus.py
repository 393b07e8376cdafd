"""Prometheus' rule files as rules of ours; what cannot be translated is listed with the reason.

Only what means the same is translated: an expression that compares one value per series with a
number. PromQL is read by the parser of the package promql-parser. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import promql_parser as promql

from convex.alerts.code.promql_terms import Untranslatable, read_condition
from convex.alerts.code.read import read_files
from convex.alerts.code.tree import Path, Tree, read_trees
from convex.alerts.code.write import write_entries
from convex.alerts.describe import format_duration
from convex.metrics.mapping import slug_of

_SEVERITIES = {
    "info": ("info", "none", "low", "notice", "information"),
    "warning": ("warning", "warn", "ticket", "medium", "minor"),
    "critical": ("critical", "page", "error", "emergency", "high", "major", "fatal"),
}
_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LABEL = re.compile(r"\s*\$labels\.(\w+)\s*")
_VALUE = re.compile(r"\s*(?:\$value|printf\b.*\$value|.*\$value\s*\|).*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Remark:
    """About one rule of Prometheus: why it was not translated, or what one should know."""

    file: str
    line: int
    rule: str
    message: str
    expression: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.message}"

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "file": self.file,
            "line": self.line,
            "rule": self.rule,
            "message": self.message,
            "expression": self.expression,
        }


@dataclass(slots=True)
class Imported:
    """Rules as a file says them, notes on them, and what is left out."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)
    left_out: list[Remark] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The rules as a file."""
        return write_entries(self.entries)


def import_rules(
    files: Iterable[tuple[str, str]],
    *,
    framework: str | None = None,
    increments: Collection[str] = (),
) -> Imported:
    """Translate rule files of (name, text).

    The framework of a rule is that of its matcher `framework`, else the one given, else its matcher
    `job`, as ingestion reads it. `increments` are metrics whose points are increments rather than
    readings of a counter: of these, `rate` and `increase` can be told.
    """
    made = Imported()
    for file, text in files:
        trees, problems = read_trees(file, text)
        made.left_out += [Remark(one.file, one.line, "the file", one.message) for one in problems]
        for tree in trees:
            _import(tree, made, framework, increments)
    return made


def _import(tree: Tree, made: Imported, framework: str | None, increments: Collection[str]) -> None:
    if not isinstance(tree.value, dict) or "groups" not in tree.value:
        made.left_out.append(Remark(tree.file, 1, "the file", "it has no groups of rules"))
        return
    for path, group, rule in _rules_of(tree):
        name = str(rule.get("alert") or rule.get("record") or group)
        about = _Remarks(made, tree, path, name, str(rule.get("expr", "")))
        try:
            entry = _translate(rule, name, about, framework, increments)
            _check(entry)
        except Untranslatable as error:
            made.left_out.append(about.remark(str(error)))
            continue
        entry["name"] = _free_name(entry, made.entries, about)
        made.entries.append(entry)


@dataclass(frozen=True, slots=True)
class _Remarks:
    made: Imported
    tree: Tree
    path: Path
    name: str
    expression: str

    def remark(self, message: str) -> Remark:
        line = self.tree.lines.get(self.path, 1)
        return Remark(self.tree.file, line, self.name, message, self.expression)

    def note(self, message: str) -> None:
        self.made.notes.append(self.remark(message))


def _rules_of(tree: Tree) -> Iterator[tuple[Path, str, Mapping[str, Any]]]:
    groups = tree.value.get("groups") if isinstance(tree.value, dict) else None
    for number, group in enumerate(groups if isinstance(groups, list) else ()):
        if not isinstance(group, dict):
            continue
        rules = group.get("rules")
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(rule, dict):
                path = ("groups", number, "rules", index)
                yield path, str(group.get("name", "")), rule


def _translate(
    rule: Mapping[str, Any],
    name: str,
    about: _Remarks,
    framework: str | None,
    increments: Collection[str],
) -> dict[str, Any]:
    if "record" in rule:
        raise Untranslatable(
            "a recording rule makes a metric, not an alert; ingest its result and alert on that"
        )
    try:
        expression = promql.parse(str(rule.get("expr", "")))
    except ValueError as error:
        raise Untranslatable(f"the expression cannot be read ({error})") from None
    condition = read_condition(expression, increments)
    for note in condition.notes:
        about.note(note)
    matchers = []
    job: str | None = None
    for label, operator, value in condition.matchers:
        if label == "framework" and operator == "=":
            framework = value
            continue
        if label == "job" and operator == "=":
            job = value
        matchers.append({"label": label, "operator": operator, "value": value})
    framework = framework or (slug_of(job) if job else None)
    if not framework:
        raise Untranslatable(
            "it names no framework: give one, or match on the label framework or job"
        )
    entry: dict[str, Any] = {"name": name, "description": _description(rule, about)}
    entry |= {"framework": framework, "metric": condition.metric, "label_matchers": matchers}
    entry |= condition.fields
    wait = _seconds(rule, "for")
    if entry.get("no_data") == "alert":
        entry["no_data_after"] = format_duration(max(wait + condition.silence, 60))
    elif wait:
        entry["for"] = format_duration(wait)
    if hold := _seconds(rule, "keep_firing_for"):
        entry["keep_firing_for"] = format_duration(hold)
    labels = rule.get("labels") or {}
    entry["severity"] = _severity(labels, about)
    annotations = rule.get("annotations") or {}
    runbook = str(annotations.get("runbook_url") or annotations.get("runbook") or "")
    if runbook and "{{" not in runbook:
        entry["runbook_url"] = runbook
    tags = [f"{key}:{value}" for key, value in labels.items() if key != "severity"]
    if kept := [tag for tag in tags if len(tag) <= 100 and "{{" not in tag][:20]:
        entry["tags"] = kept
    return {key: value for key, value in entry.items() if value not in ("", [])}


def _seconds(rule: Mapping[str, Any], name: str) -> int:
    given = rule.get(name)
    if given in (None, "", 0, "0"):
        return 0
    try:
        seconds = promql.parse_duration(str(given)).total_seconds()
    except ValueError:
        raise Untranslatable(f"{name}: {given!r} is no duration") from None
    if seconds != int(seconds):
        raise Untranslatable(f"{name} is {given}; durations here are whole seconds")
    return int(seconds)


def _severity(labels: Mapping[str, Any], about: _Remarks) -> str:
    given = str(labels.get("severity", "")).lower()
    for severity, words in _SEVERITIES.items():
        if given in words:
            return severity
    if given:
        about.note(f"its severity {given!r} became warning")
    return "warning"


def _description(rule: Mapping[str, Any], about: _Remarks) -> str:
    annotations = rule.get("annotations") or {}
    parts = [str(annotations[name]) for name in ("summary", "description") if annotations.get(name)]
    text = "\n".join(part.strip() for part in dict.fromkeys(parts))
    if "{{" in text:
        about.note("the templates of its annotations became plain words")
    return _TEMPLATE.sub(_plain, text)


def _plain(found: re.Match[str]) -> str:
    inner = found[1]
    if label := _LABEL.fullmatch(inner):
        return f"<{label[1]}>"
    return "<value>" if _VALUE.fullmatch(inner) else "<…>"


def _free_name(entry: Mapping[str, Any], others: list[dict[str, Any]], about: _Remarks) -> str:
    """Prometheus may have several alerts of one name, one for each severity; here names differ."""
    taken = {other["name"] for other in others}
    name = str(entry["name"])
    if name not in taken:
        return name
    new = f"{name} ({entry['severity']})"
    number = 2
    while new in taken:
        new, number = f"{name} ({number})", number + 1
    about.note(f"there is an alert of that name already: this one became {new!r}")
    return new


def _check(entry: Mapping[str, Any]) -> None:
    """What is handed out can be applied."""
    if problems := read_files([("", write_entries([entry]))]).problems:
        raise Untranslatable(f"as a rule it would not do: {problems[0].message}")
