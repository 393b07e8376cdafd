"""How much history each type takes. Light: the API asks it without loading the tests."""

from __future__ import annotations

from convex.patterns.model import Type

SEASONAL_EPISODES, SEASONAL_CYCLES = 8, 4
SEASONAL_DAYS, SEASONAL_WEEKS, SEASONAL_MONTHS = 14, 8, 6
CYCLICAL_INTERVALS = 8
PAIR_EPISODES, PAIR_DAYS = 4, 14
ESCALATING_EPISODES, ESCALATING_DAYS = 10, 90

_PAIRS = f"{PAIR_EPISODES} episodes and {PAIR_DAYS} days"
NEEDS = {
    Type.SEASONAL: (
        f"{SEASONAL_EPISODES} episodes and {SEASONAL_DAYS} days for times of the day,"
        f" {SEASONAL_WEEKS} weeks for weekdays, {SEASONAL_MONTHS} months for dates"
    ),
    Type.CYCLICAL: f"{CYCLICAL_INTERVALS + 1} episodes",
    Type.CORRELATED: _PAIRS,
    Type.TRIGGERED_BY: _PAIRS,
    Type.ESCALATING: f"{ESCALATING_EPISODES} episodes and {ESCALATING_DAYS} days",
}
_LEAST = {
    Type.SEASONAL: (SEASONAL_EPISODES, SEASONAL_DAYS),
    Type.CYCLICAL: (CYCLICAL_INTERVALS + 1, 0),
    Type.CORRELATED: (PAIR_EPISODES, PAIR_DAYS),
    Type.TRIGGERED_BY: (PAIR_EPISODES, PAIR_DAYS),
    Type.ESCALATING: (ESCALATING_EPISODES, ESCALATING_DAYS),
}


def lacking(episodes: int, days: float) -> list[Type]:
    """The types for which so many episodes in so many days are too little of a history."""
    return [kind for kind, (few, short) in _LEAST.items() if episodes < few or days < short]
