"""Predictions: skill on the demo's year, forecasts of series against naive ones, 10,000 rules.

    python -m bench.predictions [skill] [series] [scale] [--months 5 10] [--json FILE]

`skill` replays the demo's rules over its year and scores May to October from what was known at each
time; nothing was chosen by looking at those months. `series` forecasts delays and departures hour
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
from convex.predictions.backtest import backtest

_PARTS = ("skill", "series", "scale")


def main() -> None:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=_PARTS, choices=[*_PARTS, []])
    parser.add_argument("--months", nargs=2, type=int, default=(5, 10))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    if "skill" in options.parts:
        found["skill"] = _skill(*options.months)
    if "series" in options.parts:
        found["series"] = measure_series()
    if "scale" in options.parts:
        found["scale"] = measure_scale()
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def _skill(first: int, last: int) -> dict[str, Any]:
    panel = flights_panel()
    since = datetime(2013, first, 1, 5, tzinfo=UTC)
    until = datetime(2013 + last // 12, last % 12 + 1, 1, 5, tzinfo=UTC)
    begin, end = ((to_microseconds(at) - panel.start) // HOUR for at in (since, until))
    scores = backtest(panel, begin, end)
    table = Table(
        "hours",
        "method",
        "n",
        "base rate",
        "Brier",
        "skill [90 %]",
        "AUC",
        "ECE",
        title=f"{len(panel.rules)} rules, months {first} to {last}",
    )
    for hours, found in scores.items():
        parts = {name: found[name] for name in ("mixture", "shown", "trusted")} | found["experts"]
        for name, one in parts.items():
            if one is None:
                continue
            low, high = one["skill_interval"]
            table.add_row(
                str(hours),
                name,
                str(one["n"]),
                f"{one['base_rate']:.3f}",
                f"{one['brier']:.4f}",
                f"{one['skill']:+.3f} [{low:+.3f}, {high:+.3f}]",
                f"{one['auc']:.3f}",
                f"{one['ece']:.3f}",
            )
    Console().print(table)
    return {str(hours): found for hours, found in scores.items()}


if __name__ == "__main__":
    main()
