"""YAML read so that everything in it still knows its line. Pure.

Aliases and merge keys (`<<`) work; what they expand to is counted, so that a small file cannot
become a huge one. A key given twice is an error here, where YAML's own readers keep the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

LONGEST = 2_000_000  # characters of one file
_MOST_NODES = 200_000
_DEEPEST = 50

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that cannot be used: where, and what to do. Lines count from 1."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}"
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "file": self.file,
            "line": self.line,
            "path": self.path,
            "message": self.message,
        }


@dataclass(slots=True)
class Tree:
    """One YAML document: its value, and the line at which each part of it begins."""

    file: str
    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)

    def problem(self, path: Sequence[str | int], message: str) -> Problem:
        """A problem at this path, or at the nearest part around it that has a line."""
        known = tuple(path)
        while known not in self.lines and known:
            known = known[:-1]
        return Problem(self.file, self.lines.get(known, 1), write_path(path), message)


def write_path(path: Sequence[str | int]) -> str:
    """`rules[2].label_matchers[0].value`"""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def read_trees(file: str, text: str) -> tuple[list[Tree], list[Problem]]:
    """The documents of a YAML text, and why it cannot be read if so."""
    if len(text) > LONGEST:
        return [], [Problem(file, 1, "", f"The file has more than {LONGEST:,} characters.")]
    trees: list[Tree] = []
    try:
        loader = yaml.SafeLoader(text)
    except yaml.YAMLError as error:
        return [], [Problem(file, 1, "", f"This is not YAML: {str(error).splitlines()[0]}.")]
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            reader = _Reader(loader, Tree(file))
            reader.tree.value = reader.read(node, ())
            if reader.problems:
                return [], reader.problems
            trees.append(reader.tree)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        said = ", ".join(part for part in (error.context, error.problem) if part)
        return [], [Problem(file, line, "", f"This is not YAML: {said}.")]
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        return [], [Problem(file, 1, "", f"This is not YAML: {first}.")]
    except RecursionError:
        return [], [Problem(file, 1, "", "The file is nested too deeply.")]
    finally:
        loader.dispose()
    return trees, []


class _Reader:
    def __init__(self, loader: yaml.SafeLoader, tree: Tree) -> None:
        self._loader = loader
        self._count = 0
        self.tree = tree
        self.problems: list[Problem] = []

    def read(self, node: yaml.Node, path: Path) -> Any:
        self._count += 1
        line = node.start_mark.line + 1
        self.tree.lines.setdefault(path, line)
        if self._count > _MOST_NODES or len(path) > _DEEPEST:
            if not self.problems:
                self._complain(path, line, "The file holds too much once its aliases are expanded.")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, n)) for n, child in enumerate(node.value)]
        try:
            return self._loader.construct_object(node, deep=True)
        except (ValueError, OverflowError) as error:  # such as 2026-99-99, which looks like a date
            self._complain(path, line, f"This cannot be read: {error}; put it into quotes.")
            return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        written: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.value in written:
                self._complain(
                    (*path, key.value), key.start_mark.line + 1, "This key is given twice."
                )
            written.add(key.value)
        self._loader.flatten_mapping(node)
        values: dict[str, Any] = {}
        for key, child in node.value:  # merged ones come first, so that written ones win
            # As it is written: `on: x` has the key "on", not True.
            name = key.value if isinstance(key, yaml.ScalarNode) else str(key.start_mark.line + 1)
            self.tree.lines[(*path, name)] = key.start_mark.line + 1
            values[name] = self.read(child, (*path, name))
        return values

    def _complain(self, path: Path, line: int, message: str) -> None:
        self.problems.append(Problem(self.tree.file, line, write_path(path), message))
