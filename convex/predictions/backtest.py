"""`convex predictions backtest`: the whole method over a workspace's past, scored. Pure but for the
reading.

Rolling origin with purging: experts are fitted anew every four weeks, on windows that had ended;
weights and calibration use outcomes that had ended at each origin, as in live runs. "mixture" is
scored on every rule; "shown" is what members would have seen, the base rate where history was not
enough; "trusted" are the predictions that were more than a base rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convex.metrics.model import HOUR, BoolArray, FloatArray, to_datetime, to_microseconds
from convex.predictions.features import build_tables
from convex.predictions.forecast import LIVE_ROWS, choose_trained, origins_of
from convex.predictions.gates import LEAST_DAYS, LEAST_TRIGGERS
from convex.predictions.hindcast import FIRST_DAYS, Hindcast, hindcast
from convex.predictions.history import Known
from convex.predictions.model import EXPERTS, HORIZONS
from convex.predictions.panel import Panel, count_before
from convex.predictions.present import score_json
from convex.predictions.scorecard import Score, score

BACKTEST_REFIT_DAYS = 14  # live models are trained each night
WARM_UP_DAYS = 92  # predicted before the range begins, so that weights have settled
_WEEK = 168

Shown = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Replay:
    """What would have been said of the rules of `panel` in hours [since, until), by horizon."""

    panel: Panel
    since: int
    until: int
    past: Mapping[int, Hindcast]

    def scores(self, since: int, until: int) -> dict[int, dict[str, Any]]:
        """Of windows inside hours [since, until) by horizon."""
        known = count_before(self.panel.openings)
        return {
            horizon: _scores(past, self.panel, known, since, until)
            for horizon, past in self.past.items()
        }


def replay(
    panel: Panel,
    since: int,
    until: int,
    *,
    horizons: Sequence[int] = HORIZONS,
    shown: Shown | None = None,
) -> Replay:
    """Predict at every origin of the hours [since, until) of the panel, as it could be then."""
    trained = choose_trained(panel)
    part = panel.part(trained)
    past: dict[int, Hindcast] = {}
    if len(trained) == 0:
        return Replay(part, since, until, past)
    tables = build_tables(part, origins_of(panel.hours))
    for number, horizon in enumerate(horizons):

        def tell(done: float, number: int = number) -> None:
            if shown is not None:
                shown((number + done) / len(horizons))

        past[horizon] = hindcast(
            tables[horizon],
            since - WARM_UP_DAYS * 24,
            until,
            refit_days=BACKTEST_REFIT_DAYS,
            most_rows=LIVE_ROWS,
            final_fit=False,
            shown=tell,
        )
    return Replay(part, since, until, past)


def backtest(
    panel: Panel, since: int, until: int, *, shown: Shown | None = None
) -> dict[int, dict[str, Any]]:
    """Scores by horizon, of windows inside hours [since, until) of the panel."""
    return replay(panel, since, until, shown=shown).scores(since, until)


def _scores(
    past: Hindcast, panel: Panel, known: NDArray[np.int32], since: int, until: int
) -> dict[str, Any]:
    inside = (past.origins >= since) & (past.origins + past.horizon <= until)
    origins = past.origins[inside]
    outcome, base = past.outcome[:, inside], past.climatology[:, inside]
    mixed = past.mixed[:, inside]
    enough = (known[:, origins] >= LEAST_TRIGGERS) & (origins >= LEAST_DAYS * 24)
    week = np.broadcast_to(origins // _WEEK, outcome.shape)

    def scored(probability: FloatArray, where: BoolArray | None = None) -> Score | None:
        chosen = np.ones(outcome.shape, np.bool_) if where is None else where
        return score(probability[chosen], base[chosen], outcome[chosen], week[chosen])

    each = np.arange(len(panel.rules))
    return {
        "mixture": score_json(scored(mixed)),
        "shown": score_json(scored(np.where(enough, mixed, base)), bins=False),
        "trusted": score_json(scored(mixed, enough), bins=False),
        "experts": {
            expert.value: score_json(scored(past.experts[row][:, inside]), bins=False)
            for row, expert in enumerate(EXPERTS)
        },
        "rules": {
            facts.name: score_json(
                scored(mixed, np.broadcast_to((each == row)[:, None], outcome.shape)), bins=False
            )
            for row, facts in enumerate(panel.rules)
        },
    }


def backtest_known(
    known: Known,
    since: datetime | None,
    until: datetime | None,
    *,
    shown: Shown | None = None,
) -> dict[str, Any]:
    """As `convex predictions backtest --json` prints it; the range is the last half of the history
    without `since`.
    """
    panel = known.panel
    last = panel.hours
    if until is not None:
        last = min(last, (to_microseconds(until) - panel.start) // HOUR)
    first = last // 2
    if since is not None:
        first = (to_microseconds(since) - panel.start) // HOUR
    first = int(max(first, FIRST_DAYS * 24))
    last = int(max(last, first))
    horizons = backtest(panel, first, last, shown=shown) if last > first else {}
    return {
        "from": to_datetime(panel.start + first * HOUR).isoformat(),
        "to": to_datetime(panel.start + last * HOUR).isoformat(),
        "rules": len(panel.rules),
        "rules_that_fired": len(choose_trained(panel)),
        "history_days": round(known.days, 1),
        "horizons": {str(hours): scores for hours, scores in horizons.items()},
    }
