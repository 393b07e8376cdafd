"""Rules evaluated a second: the engine's path against a plain loop over the pure function.

    python -m bench.evaluation [--series 1000] [--rules 1000 10000] [--repeat 5]

Threshold rules with `for` over one batch that has one new point of each series. `wide` rules watch
every series, `narrow` ones a single series each by a label. Both sides get the same points and
reach the same states; reading and writing the database are in neither. Prometheus evaluates about
29,000 pairs of rule and series a second where it was measured; it is not run here.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

import numpy as np
from rich.console import Console
from rich.table import Table

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


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--rules", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--repeat", type=int, default=5)
    asked = parser.parse_args()
    table = Table(
        "rules", "pairs", "engine, pairs/s", "pure loop, pairs/s", "ratio", "ms a batch",
        title=f"Rule evaluation, one new point on each of {asked.series:,} series",
    )  # fmt: skip
    for count in asked.rules:
        for narrow in (False, True):
            rules = [_rule(number, asked.series, narrow=narrow) for number in range(count)]
            intake = _intake(asked.series)
            pairs = count * (1 if narrow else asked.series)
            mine, plain = [], []
            _engine(rules, intake)  # what a process remembers of a rule is there from now on
            for _ in range(asked.repeat):
                mine.append(_timed(lambda: _engine(rules, intake)))  # noqa: B023
                plain.append(_timed(lambda: _loop(rules, intake)) / min(pairs, _PLAIN))  # noqa: B023
            seconds, each = statistics.median(mine), statistics.median(plain)
            table.add_row(
                f"{count:,} {'narrow' if narrow else 'wide'}",
                f"{pairs:,}",
                f"{pairs / seconds:,.0f}",
                f"{1 / each:,.0f}",
                f"{each * pairs / seconds:.1f}",
                f"{seconds * 1000:.1f}",
            )
    Console().print(table)


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


def _loop(rules: list[Rule], intake: Intake) -> None:
    done, now = 0, 20_000 * DAY
    values = intake.values.tolist()
    for rule in rules:
        for place, value in zip(intake.places, values, strict=True):
            if rule.label_matchers and not match_all(rule.label_matchers, place.labels):
                continue
            evaluate(rule, Measurement(value, value), RuleState(), now)
            done += 1
            if done >= _PLAIN:
                return


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
