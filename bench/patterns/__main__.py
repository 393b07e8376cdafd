"""Row 12, and how far patterns can be trusted: runs without anything, runs with one thing planted,
the usual naive methods beside them, and the time for 10,000 rules.

`python -m bench patterns [--runs 100] [--rules 10000] [--triggers 931000] [--seed N] [--json]`
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.patterns import acceptance, flights, histories
from convex.patterns.detect import detect
from convex.patterns.model import Type
from convex.patterns.replication import look_back


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--triggers", type=int, default=931_000)
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    nulls = acceptance.run_nulls(options.runs, options.seed)
    planted = acceptance.run_planted(options.runs, options.seed)
    held = {
        str(kind): {"judged": record.judged, "held": record.held}
        for kind, record in look_back(flights.read_triggers()).items()
        if record.judged
    }
    size = _scale(options.rules, options.triggers, options.repeat, options.seed)
    if options.json:
        print(json.dumps(_as_json(nulls, planted, size) | {"replicated": held}))
        return
    console = Console()
    console.print(_null_table(nulls))
    console.print(_planted_table(planted))
    for kind, one in held.items():
        console.print(f"flights of 2013, {kind}: {one['held']} of {one['judged']} findings held")
    console.print(
        f"{options.rules:,} rules, {options.triggers:,} triggers of 90 days:"
        f" {size['seconds']:.1f} s of one core ({size['low']:.1f}–{size['high']:.1f};"
        f" {size['wall']:.1f} s by the clock,"
        f" {options.repeat} runs; goal ≤ 30 s), {size['megabytes']:,.0f} MB at most"
    )


def _scale(rules: int, triggers: int, repeat: int, seed: int) -> dict[str, float]:
    made = histories.large(np.random.default_rng(seed), rules, triggers, 90)
    seconds, wall = [], []
    for _ in range(repeat):
        begun, clock = time.process_time(), time.perf_counter()
        detect(made.history)
        seconds.append(time.process_time() - begun)
        wall.append(time.perf_counter() - clock)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "seconds": statistics.median(seconds),
        "low": min(seconds),
        "high": max(seconds),
        "wall": statistics.median(wall),
        "megabytes": most,
    }


def _null_table(nulls: dict[str, acceptance.Null]) -> Table:
    runs = next(iter(nulls.values())).runs
    allowed = next(iter(nulls.values())).allowed
    table = Table(
        "nothing but",
        *(str(kind) for kind in Type),
        "naive, by type",
        title=f"Share of {runs} runs that find anything (allowed: {allowed:.3f})",
    )
    for name, null in nulls.items():
        ours = [f"{null.ours[kind] / runs:.3f}" if kind in null.types else "" for kind in Type]
        plain = " ".join(f"{null.naive[kind] / runs:.2f}" for kind in null.types)
        table.add_row(name, *ours, plain)
    return table


def _planted_table(planted: dict[str, acceptance.Planted]) -> Table:
    table = Table(
        *("planted", "recall", "goal", "precision", "as planted", "naive recall"),
        "naive precision",
        title=f"One pattern among {acceptance.RULES} rules, {acceptance.PLANTED_DAYS} days",
    )
    for name, one in planted.items():
        table.add_row(
            name,
            f"{one.hits / one.runs:.2f}",
            f"≥ {one.goal}" if one.goal else "",
            f"{one.hits / max(one.found, 1):.3f}",
            f"{one.near / max(one.hits, 1):.2f}",
            f"{one.naive_hits / one.runs:.2f}",
            f"{one.naive_hits / max(one.naive_found, 1):.3f}",
        )
    return table


def _as_json(
    nulls: dict[str, acceptance.Null],
    planted: dict[str, acceptance.Planted],
    size: dict[str, float],
) -> dict[str, Any]:
    return {
        "nulls": {
            name: {
                "runs": null.runs,
                "allowed": null.allowed,
                "found": {str(kind): null.ours[kind] / null.runs for kind in null.types},
                "naive": {str(kind): null.naive[kind] / null.runs for kind in null.types},
            }
            for name, null in nulls.items()
        },
        "planted": {
            name: {
                "runs": one.runs,
                "recall": one.hits / one.runs,
                "precision": one.hits / max(one.found, 1),
                "as_planted": one.near / max(one.hits, 1),
                "naive_recall": one.naive_hits / one.runs,
                "naive_precision": one.naive_hits / max(one.naive_found, 1),
            }
            for name, one in planted.items()
        },
        "scale": size,
    }


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
