"""What a series has looked like so far: a bounded set of rows per scale, and the nearest of them.

A row is (mean, 2 × standard deviation) of a window. A row is kept only if nothing like it is kept
already, so that a codebook grows with the variety of a series, not with its length; when it is
full, the row that has gone unseen for longest makes room.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convex.anomaly.windows import SCALES, Rows

CAPACITY: Final = 400  # rows per scale
TOLERANCE: Final = 0.03  # share of the span within which two rows are the same
_SMALLEST: Final = 25
_FAR: Final = float("inf")
_HEAD: Final = struct.Struct("<4H")
_YOUNG: Final = struct.Struct("<HqH")

Distances = NDArray[np.float32]


class Match(NamedTuple):
    """Per scale: the distance to the nearest row, and when that row was last seen (Unix seconds).

    The distance is 0 and the time None where there is nothing to compare with yet.
    """

    distances: list[float]
    seen: list[int | None]


class Codebook:
    """The rows of all scales of one view of one series."""

    __slots__ = ("_counts", "_rows", "_seen", "_young")

    def __init__(self) -> None:
        self._rows = np.full((2, len(SCALES), _SMALLEST), np.inf, np.float32)
        self._seen = np.zeros((len(SCALES), _SMALLEST), np.uint32)
        self._counts = [0] * len(SCALES)
        # Rows younger than their own window: they overlap with it, so they are no past yet.
        self._young: list[list[tuple[int, int]]] = [[] for _ in SCALES]

    @property
    def size(self) -> int:
        """Rows kept, over all scales."""
        return sum(self._counts)

    @property
    def nbytes(self) -> int:
        return self._rows.nbytes + self._seen.nbytes

    @staticmethod
    def query(rows: Rows) -> NDArray[np.float32]:
        """Rows of `Windows` as the points that codebooks are searched for; scales that are not full
        yet are at the origin.
        """
        missing = [0.0] * (len(SCALES) - len(rows))
        means = [row[0] for row in rows] + missing
        deviations = [2.0 * row[1] for row in rows] + missing
        return np.array(means + deviations, np.float32).reshape(2, len(SCALES), 1)

    def distances(self, query: NDArray[np.float32]) -> Distances:
        """L1 distance from the query to every row: scales × capacity, inf where there is no row."""
        apart = self._rows - query
        np.abs(apart, out=apart)
        first: Distances = apart[0]
        first += apart[1]
        return first

    def settle(
        self,
        distances: Distances,
        query: NDArray[np.float32],
        full: int,
        index: int,
        now: int,
        tolerance: float,
    ) -> Match:
        """Find the nearest rows among `distances` (which is used up), and learn the query.

        `full` scales have full windows; `index` counts the points of this view, `now` is in Unix
        seconds, `tolerance` in units of the values.
        """
        recent = [_FAR] * len(SCALES)
        for scale, young in enumerate(self._young):
            if not young:
                continue
            while young and index - young[0][0] > SCALES[scale]:
                del young[0]
            for _, slot in young:
                distance = distances.item(scale, slot)
                distances[scale, slot] = _FAR
                if distance < recent[scale]:
                    recent[scale] = distance
        nearest = distances.argmin(1).tolist()
        found: list[float] = []
        seen: list[int | None] = []
        for scale in range(full):
            slot = nearest[scale]
            distance = distances.item(scale, slot)
            if distance == _FAR:
                found.append(0.0)
                seen.append(None)
            else:
                found.append(distance)
                seen.append(self._seen.item(scale, slot))
                self._seen[scale, slot] = now
            if distance > tolerance and recent[scale] > tolerance:
                self._keep(scale, query, index, now)
        return Match(found, seen)

    def _keep(self, scale: int, query: NDArray[np.float32], index: int, now: int) -> None:
        slot = self._counts[scale]
        if slot == CAPACITY:
            slot = int(self._seen[scale].argmin())
            self._young[scale] = [one for one in self._young[scale] if one[1] != slot]
        else:
            if slot == self._rows.shape[2]:
                self._grow()
            self._counts[scale] += 1
        self._rows[:, scale, slot] = query[:, scale, 0]
        self._seen[scale, slot] = now
        self._young[scale].append((index, slot))

    def _grow(self) -> None:
        more = self._rows.shape[2]
        empty = np.full((2, len(SCALES), more), np.inf, np.float32)
        self._rows = np.concatenate((self._rows, empty), axis=2)
        self._seen = np.concatenate((self._seen, np.zeros((len(SCALES), more), np.uint32)), axis=1)

    def dump(self) -> bytes:
        parts = [_HEAD.pack(*self._counts)]
        for scale, count in enumerate(self._counts):
            parts.append(np.ascontiguousarray(self._rows[:, scale, :count]).tobytes())
            parts.append(self._seen[scale, :count].tobytes())
            young = self._young[scale]
            parts.append(struct.pack("<H", len(young)))
            parts.extend(_YOUNG.pack(scale, *one) for one in young)
        return b"".join(parts)

    def restore(self, data: bytes, offset: int) -> int:
        """Take over what `dump` wrote at `offset`; returns where it ended."""
        self._counts = list(_HEAD.unpack_from(data, offset))
        offset += _HEAD.size
        while self._rows.shape[2] < max(self._counts):
            self._grow()
        for scale, count in enumerate(self._counts):
            rows = np.frombuffer(data, np.float32, 2 * count, offset).reshape(2, count)
            self._rows[:, scale, :count] = rows
            offset += 8 * count
            self._seen[scale, :count] = np.frombuffer(data, np.uint32, count, offset)
            offset += 4 * count
            (young,) = struct.unpack_from("<H", data, offset)
            offset += 2
            for _ in range(young):
                _, index, slot = _YOUNG.unpack_from(data, offset)
                self._young[scale].append((index, slot))
                offset += _YOUNG.size
        return offset


def distances_of_many(
    books: Sequence[Codebook], queries: Sequence[NDArray[np.float32]]
) -> list[Distances]:
    """`Codebook.distances` of many series at once; the same bits, fewer calls."""
    found: list[Distances | None] = [None] * len(books)
    by_capacity: dict[int, list[int]] = {}
    for at, book in enumerate(books):
        by_capacity.setdefault(book._rows.shape[2], []).append(at)
    for capacity, places in by_capacity.items():
        together = max(1, _IN_CACHE // capacity)
        for start in range(0, len(places), together):
            some = places[start : start + together]
            shape = (len(some), 2, len(SCALES), -1)
            apart = np.concatenate([books[at]._rows for at in some]).reshape(shape)
            apart -= np.concatenate([queries[at] for at in some]).reshape(shape)
            np.abs(apart, out=apart)
            sums = apart[:, 0]
            sums += apart[:, 1]
            for row, at in enumerate(some):
                found[at] = sums[row]
    return [one for one in found if one is not None]


_IN_CACHE: Final = 6_400  # rows of all scales that are worked on at once: about 200 kB
