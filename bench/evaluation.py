"""Rules evaluated a second: the engine's path, a plain loop over the pure function, Prometheus.

    python -m bench.evaluation [--series 1000] [--rules 1000 10000] [--repeat 5] [--all]

Threshold rules with `for: 5m` over one new point of each series; nothing is near a threshold, which
is the usual case on every side. `narrow` rules watch a single series each, by a label; `wide` ones
watch every series. The engine and the loop reach the same states; reading and writing the database
are in neither. Prometheus' figure is its own (prometheus_rule_group_last_duration_seconds) for one
group of the same rules over the same series, which it scrapes; it is stopped while the others are
measured, and they take turns. One core on every side. Goals: the engine at least 10 × Prometheus,
and at most 2 ms for a batch of one point.

Prometheus takes minutes for 10,000 wide rules: only `--all` waits for it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.peers import prometheus
from convex.alerts.assess import Assessor
from convex.alerts.evaluate import evaluate
from convex.alerts.matchers import match_all
from convex.alerts.measure import Measurement
from convex.alerts.model import Matcher, Operator, Rule, RuleState
from convex.db import Connection
from convex.metrics.catalog import Place
from convex.metrics.intake import Intake
from convex.metrics.model import DAY
from convex.metrics.store import NEVER

_METRIC, _FRAMEWORK = UUID(int=4), UUID(int=3)
_PLAIN = 200_000  # pairs of the plain loop: more would only take longer
_MOST_FOR_PROMETHEUS = 2_000_000  # pairs that it evaluates in less than half a minute


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--rules", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--all", action="store_true", help="Prometheus on every row")
    asked = parser.parse_args()
    available = prometheus.find() is not None
    table = Table(
        "rules", "pairs", "engine, pairs/s", "pure loop, pairs/s", "× loop",
        "Prometheus, pairs/s", "× Prometheus",
        title=f"Rule evaluation, one new point on each of {asked.series:,} series:"
        " median (min–max)",
    )  # fmt: skip
    for narrow in (True, False):
        for count in asked.rules:
            skipped = not narrow and count * asked.series > _MOST_FOR_PROMETHEUS and not asked.all
            peer = "peer missing" if not available else "not waited for" if skipped else None
            row = _measure(count, asked.series, asked.repeat, narrow=narrow, peer=peer is None)
            if peer is not None:
                row += [peer, ""]
            table.add_row(f"{count:,} {'narrow' if narrow else 'wide'}", *row)
    Console().print(table)
    _print_overhead(asked.repeat)


def _measure(count: int, series: int, repeat: int, *, narrow: bool, peer: bool) -> list[str]:
    rules = [_rule(number, series, narrow=narrow) for number in range(count)]
    intake = _intake(series)
    pairs = count * (1 if narrow else series)
    looped = _pairs(rules, intake)
    mine, plain, theirs = [], [], []
    _engine(rules, intake)  # what a process remembers of a rule is there from now on
    with ExitStack() as stack:
        server = None
        if peer:
            expressions = [_expression(rule) for rule in rules]
            # Far enough apart that no evaluation begins while it is being stopped.
            interval = max(1, round(pairs / 40_000) + 2 if narrow else round(pairs / 50_000))
            server = stack.enter_context(
                prometheus.running(intake.values.tolist(), expressions, interval)
            )
        for _ in range(repeat):
            mine.append(pairs / _timed(lambda: _engine(rules, intake)))
            plain.append(len(looped) / _timed(lambda: _loop(looped)))
            if server is not None:
                theirs.append(pairs / server.evaluate())
    row = [f"{pairs:,}", _span(mine), _span(plain), _ratio(mine, plain)]
    return row + ([_span(theirs), _ratio(mine, theirs)] if theirs else [])


def _print_overhead(repeat: int) -> None:
    """What a batch costs however small it is."""
    table = Table("rules on the series", "ms (min–max)", "goal", title="A batch of one point")
    intake = _intake(1)
    for count in (1, 100):
        rules = [_rule(number, 1, narrow=False) for number in range(count)]
        _engine(rules, intake)
        times = [_timed(lambda: _engine(rules, intake)) * 1000 for _ in range(repeat * 20)]  # noqa: B023
        span = f"{statistics.median(times):.2f} ({min(times):.2f}–{max(times):.2f})"
        table.add_row(str(count), span, "≤ 2")
    Console().print(table)


def _span(rates: list[float]) -> str:
    return f"{statistics.median(rates):,.0f} ({min(rates):,.0f}–{max(rates):,.0f})"


def _ratio(ours: list[float], theirs: list[float]) -> str:
    return f"{statistics.median(ours) / statistics.median(theirs):.1f}"


def _expression(rule: Rule) -> str:
    matchers = ",".join(f'{one.label}="{one.value}"' for one in rule.label_matchers)
    return f"bench{{{matchers}}} > {rule.threshold_value}"


def _rule(number: int, series: int, *, narrow: bool) -> Rule:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    matchers = (Matcher("host", Operator.EQUAL, f"h{number % series}"),) if narrow else ()
    return Rule(
        id=UUID(int=1_000_000 + number + (10**9 if narrow else 0)),
        workspace_id=UUID(int=2),
        framework_id=_FRAMEWORK,
        metric_id=_METRIC,
        name=f"rule {number}",
        threshold_value=1000.0 + number,
        for_seconds=300,
        label_matchers=matchers,
        created_at=moment,
        updated_at=moment,
    )


def _intake(series: int) -> Intake:
    """One new point of each series, none of them near a threshold."""
    numbers = np.random.default_rng(1)
    return Intake(
        places=[Place(n + 1, _METRIC, _FRAMEWORK, {"host": f"h{n}"}) for n in range(series)],
        ids=np.arange(1, series + 1, dtype=np.int64),
        starts=np.arange(series + 1, dtype=np.int64),
        timestamps=np.full(series, 20_000 * DAY, np.int64),
        values=500 + 100 * numbers.standard_normal(series),
        newest=np.full(series, 20_000 * DAY - 1, np.int64),
        ended=np.full(series, NEVER, np.int64),
        first_met=np.zeros(series, np.int64),
        fresh=np.ones(series, np.bool_),
        arrived=np.zeros(series, np.bool_),
        stale={},
    )


def _engine(rules: list[Rule], intake: Intake) -> None:
    # No rule here needs the database: each is measured by the point itself.
    assessor = Assessor(cast("Connection", None), UUID(int=2), intake, 20_000 * DAY, None)
    asyncio.run(assessor.run({_METRIC: rules}, {}))


def _pairs(rules: list[Rule], intake: Intake) -> list[tuple[Rule, float]]:
    """What the loop goes over: matching labels is no part of it, the engine remembers that too."""
    pairs: list[tuple[Rule, float]] = []
    values = intake.values.tolist()
    for rule in rules:
        pairs += [
            (rule, value)
            for place, value in zip(intake.places, values, strict=True)
            if match_all(rule.label_matchers, place.labels)
        ]
        if len(pairs) >= _PLAIN:
            break
    return pairs[:_PLAIN]


def _loop(pairs: list[tuple[Rule, float]]) -> None:
    now = 20_000 * DAY
    for rule, value in pairs:
        evaluate(rule, Measurement(value, value), RuleState(), now)


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
