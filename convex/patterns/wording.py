"""Seasons, periods and instants in words, and how well a season held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convex.patterns.model import DAY, MINUTE, Floats, Instants
from convex.patterns.needs import SEASONAL_CYCLES
from convex.patterns.seasonal import Season, describe_season
from convex.patterns.wall_clock import WEEKDAYS, show_minute

_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LAST_THIRD = 2 / 3


@dataclass(frozen=True, slots=True)
class SeasonCard:
    """A season with how often it held: `hits` of `cycles` days, weeks or months."""

    season: Season
    hits: int
    cycles: int
    inside: NDArray[np.bool_]
    lift: float
    by_test: Floats
    out_of_sample: dict[str, Any] | None


def measure_season(local: Instants, by_test: Floats, since: int, end: int) -> SeasonCard:
    """The best season of one subject's episodes, and how it held; all local."""
    season = describe_season(local, by_test)
    hits, cycles, inside = _held(season, local, since, end)
    even = share_of_time(season)
    lift = float(inside.mean()) / even if even < 1 else 1.0
    cut = int(since + (end - since) * LAST_THIRD)
    early = local[local < cut]
    later = None
    if len(early) >= SEASONAL_CYCLES:
        guessed = describe_season(early, by_test)
        found, possible, _ = _held(guessed, local[local >= cut], cut, end)
        if possible:
            later = {
                "kind": "hit_rate",
                "hits": found,
                "of": possible,
                "rate": round(found / possible, 4),
                "season": season_label(guessed),
            }
    return SeasonCard(season, hits, cycles, inside, lift, by_test, later)


def _held(
    season: Season, local: Instants, since: int, end: int
) -> tuple[int, int, NDArray[np.bool_]]:
    """Distinct cycles with an episode inside, cycles that there were, and which are inside."""
    inside = season.holds(local)
    days = np.arange(since // DAY, end // DAY + 1, dtype=np.int64) * DAY + season.start * MINUTE
    days = days[(days >= since) & (days + season.minutes * MINUTE <= end) & season.holds(days)]
    unit = unit_of_season(season)
    if unit == "week" or unit == "month":
        possible, hit = season.cycle_of(days), season.cycle_of(local[inside])
    else:
        possible, hit = days // DAY, (local[inside] - season.start * MINUTE) // DAY
    hits = len(np.unique(hit))
    return hits, max(len(np.unique(possible)), hits), inside


def unit_of_season(season: Season) -> str:
    """What its hits are counted in: month, week or day."""
    if season.dates:
        return "month"
    return "week" if len(season.days) == 1 else "day"


def share_of_time(season: Season) -> float:
    """What an even spread would have inside."""
    days = 1 / 30.44 if season.dates else len(season.days) / 7
    return days * season.minutes / 1440


def season_json(season: Season, zone: str) -> dict[str, Any]:
    """A season on a card; times of the day as HH:MM in `zone`."""
    return {
        "zone": zone,
        "days": [WEEKDAYS[day].lower() for day in season.days],
        "dates": list(season.dates),
        "start": show_minute(season.start),
        "end": show_minute(season.end),
        "minutes": season.minutes,
    }


def read_season(card: Mapping[str, Any]) -> Season:
    """The season that `season_json` wrote; what it gathers around is not on the card."""
    hour, minute = card["start"].split(":")
    names = [name.lower() for name in WEEKDAYS]
    return Season(
        int(hour) * 60 + int(minute),
        card["minutes"],
        tuple(names.index(day) for day in card["days"]),
        tuple(card["dates"]),
    )


def season_label(season: Season) -> str:
    """ "Mon 09:00", "daily 14:00–18:00", "weekdays 09:00", "1st 02:00–04:00"."""
    if season.dates:
        (date,) = season.dates
        days = "last of the month" if date == -1 else _ordinal(date)
    elif season.days == tuple(range(7)):
        days = "daily"
    elif season.days == tuple(range(5)):
        days = "weekdays"
    elif season.days == (5, 6):
        days = "weekends"
    elif len(season.days) == 6:
        days = f"daily but {WEEKDAYS[_missing(season)]}"
    else:
        days = ", ".join(WEEKDAYS[day] for day in season.days)
    return days if season.whole_day else f"{days} {_hours(season)}"


def _hours(season: Season) -> str:
    if season.minutes <= 60:
        return show_minute(season.typical)
    return f"{show_minute(season.start)}–{show_minute(season.end)}"


def say_season(season: Season) -> str:
    """ "on Mondays at about 09:00", as part of a sentence."""
    if season.dates:
        (date,) = season.dates
        days = "on the last day of the month" if date == -1 else f"on the {_ordinal(date)}"
    elif season.days == tuple(range(7)):
        days = "every day"
    elif season.days == tuple(range(5)):
        days = "on weekdays"
    elif season.days == (5, 6):
        days = "at weekends"
    elif len(season.days) == 6:
        days = f"every day but {_NAMES[_missing(season)]}"
    else:
        days = "on " + _listed([f"{_NAMES[day]}s" for day in season.days])
    if season.whole_day:
        return days
    if season.minutes <= 60:
        return f"{days} at about {show_minute(season.typical)}"
    return f"{days} between {show_minute(season.start)} and {show_minute(season.end)}"


def _missing(season: Season) -> int:
    return next(day for day in range(7) if day not in season.days)


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _ordinal(number: int) -> str:
    ending = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{ending}"


def show_seconds(seconds: float) -> str:
    """45 s, 10 min, 6 h, 2.5 days: two figures at most."""
    for size, unit in ((86_400.0 * 2, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size * 0.995:
            scale = 86_400.0 if unit == "days" else size
            value = seconds / scale
            return (
                f"{value:.0f} {unit}"
                if value >= 9.95
                else f"{value:.1f}".removesuffix(".0") + f" {unit}"
            )
    return f"{seconds:.0f} s"


def iso(moment: datetime) -> str:
    """As the API writes instants."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
