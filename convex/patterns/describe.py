"""What a pattern looks like to people: a title, a label, and the card with the evidence.

A card is JSON by nature. Each has `test` (what was computed), `effect` (its size with a 90 %
interval), `history` (from when to when), `rules`, `triggers` (how many, how they are chosen) and
`out_of_sample`: the pattern as the first two thirds of the time show it, held against the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convex.patterns import seasonal
from convex.patterns.cyclical import Cycle
from convex.patterns.episodes import Episodes
from convex.patterns.escalating import Growth
from convex.patterns.model import (
    NEVER,
    SECOND,
    Finding,
    Frequency,
    History,
    Subject,
    Type,
)
from convex.patterns.statistics import confidence, wilson
from convex.patterns.wall_clock import WallClock, to_datetime
from convex.patterns.wording import (
    LAST_THIRD,
    SeasonCard,
    iso,
    say_season,
    season_json,
    season_label,
    show_seconds,
    unit_of_season,
)

_PERIODS = {
    Frequency.HOURLY: 3600.0,
    Frequency.DAILY: 86_400.0,
    Frequency.WEEKLY: 604_800.0,
    Frequency.MONTHLY: 30.44 * 86_400,
}


@dataclass(frozen=True, slots=True)
class Proof:
    """What the false-discovery control made of a p-value; `family` is the number of tests."""

    p_value: float
    q_value: float
    real: float
    family: int

    @property
    def confidence(self) -> int:
        """0 to 99."""
        return confidence(self.p_value, self.real)

    def as_json(self, name: str, **statistics: object) -> dict[str, Any]:
        """The part `test` of a card."""
        return {
            "name": name,
            "p_value": self.p_value,
            "q_value": self.q_value,
            "tests": self.family,
            "prior": round(self.real, 4),
            **statistics,
        }


def seasonal_finding(
    history: History,
    episodes: Episodes,
    subject: int,
    clock: WallClock,
    card: SeasonCard,
    proof: Proof,
) -> Finding:
    """A season of one subject."""
    season, rule = card.season, history.subjects[subject]
    unit = unit_of_season(season)
    if season.dates:
        frequency = Frequency.MONTHLY
    else:
        frequency = Frequency.DAILY if len(season.days) == 7 else Frequency.WEEKLY
    label = f"{season_label(season)}, {card.hits} of {card.cycles} {unit}s"
    starts = episodes.starts_of(subject)
    low, high = wilson(card.hits, card.cycles)
    tests = {
        name: float(p)
        for name, p in zip(seasonal.TESTS, card.by_test, strict=True)
        if not np.isnan(p)
    }
    evidence = {
        "label": label,
        "test": proof.as_json(
            "Cauchy combination of cluster-robust Rayleigh tests and scans", parts=tests
        ),
        "effect": {
            "name": f"share of {unit}s hit",
            "value": round(card.hits / card.cycles, 4),
            "low": round(low, 4),
            "high": round(high, 4),
            "hits": card.hits,
            "cycles": card.cycles,
            "unit": unit,
            "share_inside": round(float(card.inside.mean()), 4),
            "lift": round(card.lift, 2),
        },
        "season": season_json(season, history.zone),
        "out_of_sample": card.out_of_sample,
        **about(history, [subject], episodes),
    }
    inside = starts[card.inside]
    return Finding(
        Type.SEASONAL,
        rule,
        None,
        f"{rule.name} fires {say_season(season)}",
        label,
        frequency,
        _PERIODS[frequency],
        proof.confidence,
        card.hits,
        proof.p_value,
        proof.q_value,
        by_time(history, episodes.rows_of(subject, card.inside)),
        to_datetime(int(inside[-1])) if len(inside) else None,
        clock.next_time(
            history.end,
            season.days,
            season.typical if season.minutes <= 60 else season.start,
            season.dates,
        ),
        evidence,
    )


def cyclical_finding(
    history: History, episodes: Episodes, subject: int, cycle: Cycle, proof: Proof
) -> Finding:
    """A period of one subject."""
    rule = history.subjects[subject]
    starts, ends = episodes.starts_of(subject), episodes.ends_of(subject)
    frequency = next(
        (f for f, p in _PERIODS.items() if abs(cycle.period - p) / p < 0.02), Frequency.PERIOD
    )
    cut = int(starts[0] + (history.end - starts[0]) * LAST_THIRD)
    intervals = np.diff(starts) / SECOND
    early, later = intervals[starts[1:] < cut], intervals[starts[1:] >= cut]
    middle = float(np.median(early)) if len(early) else cycle.period
    within = int((np.abs(later - middle) <= 0.25 * middle).sum())
    label = f"every {show_seconds(cycle.period)}, {cycle.intervals} intervals"
    is_open = ends[-1] == NEVER
    following = int(ends[-1] + cycle.quiet * SECOND) if not is_open else None
    overdue = following is not None and following <= history.end
    evidence = {
        "label": label,
        "test": proof.as_json(
            "Moran's statistic on the times between episodes, lower tail",
            spread=round(cycle.spread, 3),
        ),
        "effect": {
            "name": "seconds from one start to the next",
            "value": round(cycle.period, 1),
            "low": round(cycle.low, 1),
            "high": round(cycle.high, 1),
            "interval": "quartiles",
            "quiet_seconds": round(cycle.quiet, 1),
        },
        "overdue": overdue,
        "out_of_sample": {
            "kind": "intervals_within_a_quarter_of_the_period",
            "hits": within,
            "of": len(later),
            "rate": round(within / len(later), 4),
        }
        if len(later)
        else None,
        **about(history, [subject], episodes),
    }
    return Finding(
        Type.CYCLICAL,
        rule,
        None,
        f"{rule.name} fires about every {show_seconds(cycle.period)}",
        label,
        frequency,
        cycle.period,
        proof.confidence,
        cycle.intervals,
        proof.p_value,
        proof.q_value,
        by_time(history, episodes.rows_of(subject, np.ones(len(starts), np.bool_))),
        to_datetime(int(starts[-1])),
        to_datetime(following) if following is not None and not overdue else None,
        evidence,
    )


def escalating_finding(
    history: History, episodes: Episodes, subject: int, since: int, growth: Growth, proof: Proof
) -> Finding:
    """A subject that fires more and more often."""
    rule = history.subjects[subject]
    starts = episodes.starts_of(subject)
    label = (
        f"{growth.ratio:.1f} × as often in the second half:"
        f" {growth.first_half}, then {growth.second_half}"
    )
    evidence = {
        "label": label,
        "test": proof.as_json(
            "slope of three-day counts (HAC) and Lewis-Robinson, the larger p",
            p_slope=growth.p_slope,
            p_lewis_robinson=growth.p_laplace,
        ),
        "effect": {
            "name": "second half of the time against the first",
            "value": round(growth.ratio, 3),
            "low": round(growth.low, 3),
            "high": round(growth.high, 3) if np.isfinite(growth.high) else None,
            "first_half": growth.first_half,
            "second_half": growth.second_half,
            "more_a_week_each_week": round(growth.slope_a_week, 3),
        },
        "out_of_sample": None,
        **about(history, [subject], episodes),
    }
    middle = since + (history.end - since) // 2
    return Finding(
        Type.ESCALATING,
        rule,
        None,
        f"{rule.name} fires more and more often",
        label,
        Frequency.NONE,
        None,
        proof.confidence,
        len(starts),
        proof.p_value,
        proof.q_value,
        by_time(history, episodes.rows_of(subject, starts > middle)),
        to_datetime(int(starts[-1])),
        None,
        evidence,
    )


def about(history: History, subjects: list[int], episodes: Episodes) -> dict[str, Any]:
    """The part of every card that says whose history it is, and how long."""
    chosen = [history.subjects[subject] for subject in subjects]
    first = min(int(episodes.starts_of(subject)[0]) for subject in subjects)
    known = min([first, *(subject.since for subject in chosen)])
    return {
        "n": [int(episodes.counts[subject]) for subject in subjects],
        "history": {"start": iso(to_datetime(known)), "end": iso(to_datetime(history.end))},
        "rules": [_rule(subject) for subject in chosen],
    }


def _rule(subject: Subject) -> dict[str, Any]:
    return {
        "id": str(subject.rule_id) if subject.rule_id else None,
        "name": subject.name,
        "framework": subject.framework,
        "severity": subject.severity,
    }


def by_time(history: History, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the history, oldest first."""
    return rows[np.lexsort((rows, history.opened[rows]))]
