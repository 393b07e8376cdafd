"""The short way to write a series, as promtool has it. Pure.

| text | values |
|---|---|
| `5` | 5 |
| `5x3` | 5 5 5 5: the value, and three more |
| `0+10x3` | 0 10 20 30 |
| `9-2x3` | 9 7 5 3 |
| `_`, `_x3` | a missing point, three missing points |
| `stale` | the series ends here (it may go on afterwards) |
"""

from __future__ import annotations

import re

STALE = "stale"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_PART = re.compile(rf"({_NUMBER})(?:([+-])({_NUMBER}))?(?:x(\d+))?")
_MISSING = re.compile(r"_(?:x(\d+))?")
_MOST = 100_000

Value = float | str | None


def read_series(text: str) -> list[Value]:
    """A number, None (missing) or `STALE` for each step. Raises `ValueError`."""
    values: list[Value] = []
    for part in text.split():
        if part == STALE:
            values.append(STALE)
        elif found := _MISSING.fullmatch(part):
            values += [None] * _count(found[1], 1)
        elif (found := _PART.fullmatch(part)) and not (found[2] and found[4] is None):
            first, sign, step, more = found.groups()
            by = 0.0 if step is None else float(step) * (-1 if sign == "-" else 1)
            values += [float(first) + by * n for n in range(_count(more, 0) + 1)]
        else:
            raise ValueError(
                f"{part!r} is no part of a series: write 5, 5x3, 0+10x3, 9-2x3, _, _x3 or stale"
            )
        if len(values) > _MOST:
            raise ValueError(f"a series has at most {_MOST:,} values")
    return values


def _count(text: str | None, default: int) -> int:
    count = default if text is None else int(text)
    if count > _MOST:
        raise ValueError(f"a series has at most {_MOST:,} values")
    return count
