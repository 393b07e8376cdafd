"""How often alerts like this one were confirmed: the confidence that people are shown.

It is a share of past alerts, not the probability of an incident. Alerts are compared by score, in
multiples of their threshold. A prior of ten alerts per band, from the development half of NAB
(`python -m bench anomaly` prints the counts), is what speaks before anybody gave feedback; each
marked alert moves it. More unusual is never less likely to be confirmed: shares that say so are
pooled (isotonic regression by pool-adjacent-violators).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

EDGES: Final = (1.5, 2.5, 5.0, 12.5)
PRIOR: Final = (0.3, 0.4, 0.7, 0.8, 0.9)
PRIOR_WEIGHT: Final = 10.0
HIGHEST: Final = 95


@dataclass(frozen=True, slots=True)
class Confidence:
    """`percent` of alerts like this were confirmed; `count` of them were marked by members here."""

    percent: int
    count: int


class ConfidenceMap:
    """From a score to its confidence, refitted whenever feedback comes."""

    __slots__ = ("_counts", "_shares")

    def __init__(self, feedback: Iterable[tuple[float, bool]] = ()) -> None:
        """`feedback`: score in multiples of the threshold, and whether it was confirmed."""
        self._counts = [0] * len(PRIOR)
        confirmed = [0] * len(PRIOR)
        for score, was_confirmed in feedback:
            band = bisect_right(EDGES, score)
            self._counts[band] += 1
            confirmed[band] += was_confirmed
        weights = [PRIOR_WEIGHT + count for count in self._counts]
        shares = [
            (PRIOR_WEIGHT * prior + yes) / weight
            for prior, yes, weight in zip(PRIOR, confirmed, weights, strict=True)
        ]
        self._shares = _rising(shares, weights)

    def of(self, score: float) -> Confidence:
        """The confidence in an alert of this score (a multiple of its threshold)."""
        band = bisect_right(EDGES, score)
        return Confidence(min(HIGHEST, round(100 * self._shares[band])), self._counts[band])


def _rising(shares: list[float], weights: list[float]) -> list[float]:
    pools: list[tuple[float, float, int]] = []  # share, weight, members
    for share, weight in zip(shares, weights, strict=True):
        pool = (share, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            other = pools.pop()
            total = other[1] + pool[1]
            mean = (other[0] * other[1] + pool[0] * pool[1]) / total
            pool = (mean, total, other[2] + pool[2])
        pools.append(pool)
    return [share for share, _, members in pools for _ in range(members)]
