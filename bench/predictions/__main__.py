"""Predictions: skill on the demo's year, forecasts of series against naive ones, 10,000 rules.

    python -m bench predictions [skill] [series] [scale] [--horizons 6 24 48 72] [--json FILE]

`skill` replays the demo's rules over its year and scores them from what was known at each time:
over the months that settings were chosen on, over those that they were not, and over May to
October, which the goals are for. `series` forecasts delays and departures hour
by hour. `scale` asks trained models about 10,000 rules. Goals: 24 h skill ≥ .15 with a lower bound
above 0, AUC ≥ .77, ECE ≤ .03; 6 h ≥ .30; 48 and 72 h never below 0; the mixture within .02 of its
best expert; at most a second for 10,000 rules.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.predictions.flights import flights_panel
from bench.predictions.scale import measure_scale
from bench.predictions.series import measure_series
from convex.metrics.model import HOUR, to_microseconds
from convex.predictions.backtest import replay
from convex.predictions.model import HORIZONS
from convex.predictions.panel import Panel

_PARTS = ("skill", "series", "scale")
# First month, and the month after the last.
_SPANS = {
    "March to August (chosen on)": (3, 9),
    "March and April": (3, 5),
    "September to December (held out)": (9, 13),
    "May to October": (5, 11),
}


def main() -> None:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=_PARTS, choices=[*_PARTS, []])
    parser.add_argument("--horizons", nargs="+", type=int, default=list(HORIZONS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    if "skill" in options.parts:
        found["skill"] = _skill(options.horizons)
    if "series" in options.parts:
        found["series"] = measure_series()
    if "scale" in options.parts:
        found["scale"] = measure_scale()
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def _skill(horizons: list[int]) -> dict[str, Any]:
    panel = flights_panel()
    spans = {name: tuple(_hour(panel, month) for month in span) for name, span in _SPANS.items()}
    begin, end = min(b for b, _ in spans.values()), max(e for _, e in spans.values())
    past = replay(panel, begin, end, horizons=horizons)
    found = {}
    for name, (since, until) in spans.items():
        scores = past.scores(since, until)
        table = Table(
            *("hours", "method", "n", "base rate", "Brier", "skill [90 %]", "AUC", "ECE"),
            title=f"{len(panel.rules)} rules, {name}",
        )
        for hours, by_method in scores.items():
            parts = {one: by_method[one] for one in ("mixture", "shown", "trusted")}
            for method, one in (parts | by_method["experts"]).items():
                if one is not None:
                    table.add_row(str(hours), method, *_row(one))
        Console(width=120).print(table)
        found[name] = {str(hours): by_method for hours, by_method in scores.items()}
    return found


def _hour(panel: Panel, month: int) -> int:
    """Where a month of 2013 begins (13 is the end of the year), at the airports' midnight."""
    moment = datetime(2013 + (month - 1) // 12, (month - 1) % 12 + 1, 1, 5, tzinfo=UTC)
    return min((to_microseconds(moment) - panel.start) // HOUR, panel.hours)


def _row(one: dict[str, Any]) -> list[str]:
    low, high = one["skill_interval"] or (float("nan"), float("nan"))
    return [
        str(one["n"]),
        f"{one['base_rate']:.3f}",
        f"{one['brier']:.4f}",
        f"{one['skill']:+.3f} [{low:+.3f}, {high:+.3f}]",
        f"{one['auc']:.3f}",
        f"{one['ece']:.3f}",
    ]


if __name__ == "__main__":
    main()
