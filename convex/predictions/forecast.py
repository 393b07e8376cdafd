"""From the histories of a workspace to the probabilities of now, and what the method's own past
says of them. Pure, and heavy: for worker processes.

Models are trained on the `MOST_TRAINED` rules with the most triggers, pooled; all other rules are
asked about in blocks, so memory depends neither on the number of rules nor on the number of
triggers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from convex.metrics.model import FloatArray, IntArray
from convex.predictions.experts import Fitted
from convex.predictions.features import Table, build_tables, choose_metrics
from convex.predictions.gates import LEAST_TRIGGERS
from convex.predictions.hindcast import Hindcast, hindcast
from convex.predictions.mixture import mix, recalibrate
from convex.predictions.model import EXPERTS, HORIZONS
from convex.predictions.panel import Panel, count_before
from convex.predictions.profile import climatology
from convex.predictions.scorecard import Score, score

MOST_TRAINED = 150
STEP = 3  # hours between the origins that models learn from
HINDCAST_DAYS, SCORED_DAYS, REFIT_DAYS = 84, 56, 28
LIVE_ROWS = 30_000
_BLOCK = 512
_WEEK = 168

Shown = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Model:
    """What answers for one horizon; `members` gives a rule's row in the training panel, or -1."""

    fitted: Fitted
    weights: FloatArray
    map_: tuple[float, float]
    trusted: bool
    members: IntArray

    def ask(self, table: Table, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Experts × rules and the mixture, at the table's newest origin; `rows` of the panel."""
        newest = slice(len(table.origins) - 1, len(table.origins))
        experts = self.fitted.predict(table, newest, self.members[rows])[:, :, 0]
        if not self.trusted:
            return experts, table.climatology[:, -1].copy()
        return experts, recalibrate(mix(self.weights, experts), self.map_)


@dataclass(frozen=True, slots=True)
class Outlook:
    """One horizon for all rules of the panel, as probabilities (0–1).

    `card` scores the hindcast of the last 8 weeks over rules with enough triggers, `by_rule` each
    of them, by its row. Unless `trusted`, the probability is the base rate.
    """

    horizon: int
    climatology: FloatArray
    experts: FloatArray
    probability: FloatArray
    card: Score | None
    by_expert: Mapping[str, Score]
    by_rule: Mapping[int, Score]
    weights: Mapping[str, float]
    map_: tuple[float, float]
    trusted: bool
    trained_rows: int


def choose_trained(panel: Panel) -> IntArray:
    """The rows to learn from: the most triggers first, then the panel's order; sorted."""
    counts = panel.openings.sum(axis=1, dtype=np.int64)
    order = np.argsort(-counts, kind="stable")[:MOST_TRAINED]
    return np.sort(order[counts[order] > 0]).astype(np.int64)


def origins_of(hours: int) -> IntArray:
    """Every `STEP` hours, back from the panel's end."""
    return np.arange(hours % STEP, hours + 1, STEP)


def forecast(panel: Panel, *, shown: Shown | None = None) -> dict[int, Outlook]:
    """The outlook of each horizon at the panel's end; {} while nothing has ever fired."""
    trained = choose_trained(panel)
    if len(trained) == 0:
        return {}
    part = panel.part(trained)
    metrics = choose_metrics(part)
    pooled = pooled_rates(panel)
    tables = build_tables(part, origins_of(panel.hours), pooled=pooled, metrics=metrics)
    members = np.full(len(panel.rules), -1)
    members[trained] = np.arange(len(trained))
    models, outlooks = {}, {}
    for number, horizon in enumerate(HORIZONS):

        def tell(done: float, number: int = number) -> None:
            if shown is not None:
                shown((number + done) / len(HORIZONS))

        past = hindcast(
            tables[horizon],
            panel.hours - HINDCAST_DAYS * 24,
            panel.hours,
            refit_days=REFIT_DAYS,
            most_rows=LIVE_ROWS,
            shown=tell,
        )
        assert past.fitted is not None
        models[horizon] = Model(past.fitted, past.weights, past.map_, past.trusted, members)
        outlooks[horizon] = _empty_outlook(panel, trained, past)
    _fill(outlooks, models, tables, trained)
    rest = np.setdiff1d(np.arange(len(panel.rules)), trained)
    for rows, small in newest_tables(panel, rest, metrics, pooled):
        _fill(outlooks, models, small, rows)
    never_less_likely(outlooks)
    return outlooks


def never_less_likely(outlooks: Mapping[int, Outlook]) -> None:
    """A longer window holds the shorter ones, so its probability is at least theirs."""
    shorter = None
    for horizon in sorted(outlooks):
        probability = outlooks[horizon].probability
        if shorter is not None:
            np.maximum(probability, shorter, out=probability)
        shorter = probability


def pooled_rates(panel: Panel) -> dict[int, FloatArray]:
    """By horizon, the base rate of all rules together at each of `origins_of`."""
    origins = origins_of(panel.hours)
    rates = {horizon: np.zeros(len(origins)) for horizon in HORIZONS}
    for start in range(0, len(panel.rules), _BLOCK):
        totals = count_before(panel.openings[start : start + _BLOCK])
        for horizon, rate in rates.items():
            rate += climatology(totals, origins, horizon)[1] * (len(totals) / len(panel.rules))
    return rates


def newest_tables(
    panel: Panel, rows: IntArray, metrics: tuple[str, ...], pooled: Mapping[int, FloatArray]
) -> Iterator[tuple[IntArray, dict[int, Table]]]:
    """Tables at the panel's end alone, for blocks of rules of neighbouring frameworks; `pooled` as
    `pooled_rates` gives it.
    """
    newest = np.array([panel.hours])
    now = {horizon: rates[-1:] for horizon, rates in pooled.items()}
    order = sorted(rows.tolist(), key=lambda row: (panel.rules[row].framework_id.hex, row))
    for start in range(0, len(order), _BLOCK):
        block = np.array(order[start : start + _BLOCK], np.int64)
        yield block, build_tables(panel.part(block), newest, pooled=now, metrics=metrics)


def _fill(
    outlooks: Mapping[int, Outlook],
    models: Mapping[int, Model],
    tables: Mapping[int, Table],
    rows: IntArray,
) -> None:
    for horizon, outlook in outlooks.items():
        table = tables[horizon]
        experts, mixed = models[horizon].ask(table, rows)
        outlook.climatology[rows] = table.climatology[:, -1]
        outlook.experts[:, rows] = experts
        outlook.probability[rows] = mixed


def _empty_outlook(panel: Panel, trained: IntArray, past: Hindcast) -> Outlook:
    assert past.fitted is not None
    count = len(panel.rules)
    enough = panel.openings[trained].sum(axis=1, dtype=np.int64) >= LEAST_TRIGGERS
    ended = past.origins >= panel.hours - SCORED_DAYS * 24
    ended &= past.origins + past.horizon <= panel.hours
    week = past.origins[ended] // _WEEK

    def scored(rows: IntArray, probability: FloatArray) -> Score | None:
        shape = (len(rows), int(ended.sum()))
        return score(
            probability[rows][:, ended].reshape(-1),
            past.climatology[rows][:, ended].reshape(-1),
            past.outcome[rows][:, ended].reshape(-1),
            np.broadcast_to(week, shape).reshape(-1),
        )

    known = np.flatnonzero(enough)
    by_rule = {
        int(trained[row]): found
        for row in known.tolist()
        if (found := scored(np.array([row]), past.mixed)) is not None
    }
    by_expert = {
        expert.value: found
        for number, expert in enumerate(EXPERTS)
        if (found := scored(known, past.experts[number])) is not None
    }
    return Outlook(
        past.horizon,
        np.zeros(count),
        np.zeros((len(EXPERTS), count)),
        np.zeros(count),
        scored(known, past.mixed),
        by_expert,
        by_rule,
        dict(zip((expert.value for expert in EXPERTS), past.weights.tolist(), strict=True)),
        past.map_,
        past.trusted,
        past.fitted.rows,
    )
