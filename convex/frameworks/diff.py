"""What changed between two documents, line by line. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from typing import Literal

_AROUND = 3


@dataclass(frozen=True, slots=True)
class Change:
    """Lines that stand in the place of others; line numbers count from 1."""

    kind: Literal["added", "removed", "replaced"]
    old_start: int
    new_start: int
    old: Sequence[str]
    new: Sequence[str]


@dataclass(frozen=True, slots=True)
class DocumentDiff:
    """Changes in order, their counts, how alike both are (0-1), and the same as a unified diff."""

    changes: Sequence[Change]
    added: int
    removed: int
    similarity: float
    unified: str


def compare(old: str, new: str, old_name: str, new_name: str) -> DocumentDiff:
    """From `old` to `new`. Lines that differ in their ending alone are the same line."""
    before, after = old.splitlines(), new.splitlines()
    # Lines that are everywhere (empty ones) are not looked for: that bounds the time.
    matcher = SequenceMatcher(a=before, b=after)
    kinds: dict[str, Literal["added", "removed", "replaced"]] = {
        "insert": "added",
        "delete": "removed",
        "replace": "replaced",
    }
    changes = [
        Change(kinds[tag], a1 + 1, b1 + 1, before[a1:a2], after[b1:b2])
        for tag, a1, a2, b1, b2 in matcher.get_opcodes()
        if tag != "equal"
    ]
    lines = unified_diff(before, after, old_name, new_name, n=_AROUND, lineterm="")
    return DocumentDiff(
        changes,
        sum(len(change.new) for change in changes),
        sum(len(change.old) for change in changes),
        matcher.ratio(),
        "\n".join(lines),
    )
