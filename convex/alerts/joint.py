"""The members of a joint trigger: which series of a framework deviate together, and how much of it
is theirs. Pure.

A member is a series that deviated while the trigger was open, with its strongest point. Taking the
strongest does not depend on the order, so however points are cut into batches, the same members are
named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from convex.alerts.present import instant_json
from convex.alerts.quantity import number, quantities
from convex.alerts.replay import Peak
from convex.anomaly import Explanation
from convex.anomaly.together import Deviation, join
from convex.metrics.model import Labels, to_datetime, to_microseconds

Member = Mapping[str, Any]  # as it is in a trigger's context
_NAMED: Final = 4  # in a sentence
_TOGETHER: Final = 2**62  # the trigger says what is one anomaly, not the time between two points


@dataclass(frozen=True, slots=True)
class Name:
    """What people call a series."""

    metric: str
    unit: str
    labels: Labels


def member_of(name: Name, series_id: int, peak: Peak, why: Explanation) -> Member:
    """A series at its strongest point, its contribution not known yet."""
    said = why.score
    return {
        "series_id": series_id,
        "metric": name.metric,
        "unit": name.unit,
        "labels": dict(name.labels),
        "at": instant_json(to_datetime(peak.at)),
        "value": why.value,
        "expected": said.expected,
        "low": said.low,
        "high": said.high,
        "score": peak.score,
    }


def together(found: Iterable[Member]) -> list[Member]:
    """One member for each series, at its strongest, by contribution, the largest first."""
    known = {(one["series_id"], _instant(one)): one for one in found}
    deviations = [Deviation(*key, one["score"]) for key, one in known.items()]
    return [
        {
            **known[member.series_id, member.instant],
            "contribution": round(member.contribution, 4),
        }
        for anomaly in join(deviations, _TOGETHER)
        for member in anomaly.members
    ]


def describe(framework: str, members: Sequence[Member]) -> str:
    """One sentence that names the first of them."""
    if len(members) == 1:
        (one,) = members
        return (
            f"One series of {framework} deviates: {_said(one)}"
            f" ({number(one['score'])} times the alert level)."
        )
    named = [f"{_said(one)} ({100 * one['contribution']:.0f} %)" for one in members[:_NAMED]]
    more = f"; and {len(members) - _NAMED} more" if len(members) > _NAMED else ""
    return f"{len(members)} series of {framework} deviate together: {'; '.join(named)}{more}."


def _said(one: Member) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in sorted(one["labels"].items()))
    what = f"{one['metric']} {{{labels}}}" if labels else one["metric"]
    came, low, high = quantities(one["unit"], one["value"], one["low"], one["high"])
    return f"{what} is {came}, {low} to {high} was expected"


def _instant(one: Member) -> int:
    return to_microseconds(datetime.fromisoformat(one["at"]))
