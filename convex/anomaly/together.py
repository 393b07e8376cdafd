"""Several series of one framework that deviate together are one anomaly, not one each. Pure.

Deviations count as together when each begins within `REACH` of the one before it. A member's
contribution is its share of the squared scores (in multiples of the threshold), so a series that is
twice as unusual contributes four times as much.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Final

from convex.anomaly.model import MINUTE

REACH: Final = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class Deviation:
    """One series, unusual at an instant (microseconds UTC), by a multiple of its threshold."""

    series_id: int
    instant: int
    score: float


@dataclass(frozen=True, slots=True)
class Member:
    """A series of a joint anomaly; contributions add up to 1."""

    series_id: int
    instant: int
    score: float
    contribution: float


@dataclass(frozen=True, slots=True)
class JointAnomaly:
    """`members` by contribution, largest first; `score` is their root of the sum of squares."""

    began_at: int
    ended_at: int
    score: float
    members: tuple[Member, ...]


def join(deviations: Iterable[Deviation], reach: int = REACH) -> list[JointAnomaly]:
    """The deviations of one framework as joint anomalies, in order of time.

    A series that deviates more than once within an anomaly is one member, with its largest score.
    The order of the input does not matter.
    """
    ordered = sorted(deviations, key=lambda one: (one.instant, one.series_id))
    groups: list[list[Deviation]] = []
    for one in ordered:
        if groups and one.instant - groups[-1][-1].instant <= reach:
            groups[-1].append(one)
        else:
            groups.append([one])
    return [_joined(group) for group in groups]


def _joined(group: list[Deviation]) -> JointAnomaly:
    strongest: dict[int, Deviation] = {}
    for one in group:
        known = strongest.get(one.series_id)
        if known is None or one.score > known.score:
            strongest[one.series_id] = one
    total = sum(one.score * one.score for one in strongest.values())
    members = sorted(
        (
            Member(
                one.series_id,
                one.instant,
                one.score,
                one.score * one.score / total if total > 0 else 1.0 / len(strongest),
            )
            for one in strongest.values()
        ),
        key=lambda member: (-member.contribution, member.series_id),
    )
    return JointAnomaly(group[0].instant, group[-1].instant, sqrt(total), tuple(members))
