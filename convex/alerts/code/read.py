"""Files of rules, read and checked: entries, and every problem with its place. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from convex.alerts.code.document import RuleEntry, changes_of
from convex.alerts.code.slo import SloEntry, expand
from convex.alerts.code.tree import Path, Problem, Tree, read_trees
from convex.alerts.model import RuleDraft
from convex.alerts.validate import check_rule
from convex.errors import InvalidInput

NOWHERE = UUID(int=0)  # stands for ids while only a database knows them
_LISTS: Mapping[str, type[BaseModel]] = {"rules": RuleEntry, "slos": SloEntry}


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule of a file. `draft` has no ids yet; `path` is where it stands in the file."""

    framework: str
    metric: str | None
    draft: RuleDraft
    tree: Tree
    path: Path

    @property
    def name(self) -> str:
        """The rule's name."""
        return self.draft.name

    @property
    def file(self) -> str:
        """The file that says it."""
        return self.tree.file

    @property
    def line(self) -> int:
        """The line at which it begins."""
        return self.tree.lines.get(self.path, 1)

    def problem(self, field: str, message: str) -> Problem:
        """A problem with one of its fields."""
        return self.tree.problem((*self.path, field), message)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the files say; entries are complete only where there is no problem."""

    entries: list[Entry]
    problems: list[Problem]


def read_files(files: Iterable[tuple[str, str]]) -> Reading:
    """Read files of (name, text)."""
    entries: list[Entry] = []
    problems: list[Problem] = []
    for file, text in files:
        trees, unread = read_trees(file, text)
        problems += unread
        for tree in trees:
            for found in _read_tree(tree):
                if isinstance(found, Entry):
                    entries.append(found)
                else:
                    problems.append(found)
    first: dict[str, Entry] = {}
    for entry in entries:
        other = first.setdefault(entry.name, entry)
        if other is not entry:
            problems.append(
                entry.problem(
                    "name",
                    f"A rule named {entry.name!r} is in {other.file}:{other.line} already;"
                    " give one of them another name.",
                )
            )
    return Reading(entries, problems)


def _read_tree(tree: Tree) -> Iterator[Entry | Problem]:
    value = tree.value
    if value is None:
        return
    if not isinstance(value, dict):
        yield tree.problem((), "A file of rules begins with `rules:` or is one rule.")
        return
    if not value.keys() & _LISTS.keys():
        yield from _read_rule(tree, (), value)
        return
    for key, items in value.items():
        if key not in _LISTS:
            yield tree.problem((key,), f"{_unknown(key, _LISTS)} A file has rules and slos.")
        elif items is not None and not isinstance(items, list):
            yield tree.problem((key,), f"{key} must be a list.")
        else:
            for number, item in enumerate(items or ()):
                read = _read_rule if key == "rules" else _read_slo
                yield from read(tree, (key, number), item)


def _read_rule(
    tree: Tree, path: Path, value: object, *, written: bool = True
) -> Iterator[Entry | Problem]:
    try:
        rule = RuleEntry.model_validate(value)
        metric_id = None if rule.metric is None else NOWHERE
        draft = RuleDraft(framework_id=NOWHERE, metric_id=metric_id, **changes_of(rule))
        check_rule(draft)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            inner = tuple(detail["loc"]) if written else ()
            yield tree.problem((*path, *inner), _say(detail, RuleEntry, tree))
    except InvalidInput as error:
        field = error.details.get("field")
        inner = (str(field).removesuffix("_id"),) if written and field else ()
        yield tree.problem((*path, *inner), error.message)
    else:
        yield Entry(rule.framework, rule.metric, draft, tree, path)


def _read_slo(tree: Tree, path: Path, value: object) -> Iterator[Entry | Problem]:
    try:
        slo = SloEntry.model_validate(value)
        rules = expand(slo)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            yield tree.problem((*path, *detail["loc"]), _say(detail, SloEntry, tree))
    except ValueError as error:
        yield tree.problem((*path, "objective"), f"{error}.")
    else:
        for rule in rules:
            yield from _read_rule(tree, path, rule, written=False)


def _say(detail: ErrorDetails, model: type[BaseModel], tree: Tree) -> str:
    name = detail["loc"][-1] if detail["loc"] else ""
    match detail["type"]:
        case "missing":
            return f"{name} is missing."
        case "extra_forbidden" if len(detail["loc"]) == 1:
            known = {about.alias or field: field for field, about in model.model_fields.items()}
            return _unknown(str(name), known)
        case "extra_forbidden":
            return f"There is no {name!r} here."
        case "model_type" | "model_attributes_type":
            return "This must be a mapping of fields."
        case "value_error":
            return f"{name} {detail['msg'].removeprefix('Value error, ')}."
        case _:
            given = detail["input"]
            shown = "" if isinstance(given, dict | list) else f" (it is {given!r})"
            return f"{name}: {detail['msg']}{shown}."


def _unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1, 0.6)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no {name!r} here.{hint}"
