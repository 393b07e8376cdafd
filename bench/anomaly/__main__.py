"""Row 11, and how good the detector is: scores by NAB's rules on the development files, injected
anomalies by kind, microseconds a point, memory a series.

`python -m bench anomaly [--data FOLDER] [--series N] [--seed N] [--json]`; the published figures
beside the scores are of all 58 files, ours of the development half.
"""

from __future__ import annotations

import argparse
import json
import secrets
from collections import Counter
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from bench.anomaly import flights, injections, nab, scale, stability
from convex.anomaly.confidence import EDGES
from convex.anomaly.model import WEEK, Condition, Sensitivity
from convex.anomaly.novelty import Novelty

CONFIGURATIONS_TRIED = 393  # counted by hand while the detector was made, hold-offs included


def measure_nab(files: list[nab.LabelledSeries]) -> dict[str, Any]:
    """Every file through one detector each; scores, speed and false alarms by sensitivity."""
    found: dict[Sensitivity, dict[str, list[int]]] = {one: {} for one in Sensitivity}
    bands: Counter[tuple[int, bool]] = Counter()
    points, spent, weeks = 0, 0.0, 0.0
    scores: dict[str, list[float]] = {}
    threshold = Novelty.thresholds[Sensitivity.MEDIUM]
    for series in files:
        detector = Novelty(probation=series.probation)
        rows: dict[Sensitivity, list[int]] = {one: [] for one in Sensitivity}
        kept = scores[series.name] = []
        begin = process_time()
        for row, (instant, value) in enumerate(zip(series.instants, series.values, strict=True)):
            said = detector.update(instant, value)
            kept.append(said.score)
            if said.raised:
                for one in Sensitivity:
                    if said.raises(one, Condition.CHANGES_BY):
                        rows[one].append(row)
                if said.raises(Sensitivity.MEDIUM, Condition.CHANGES_BY):
                    band = sum(said.score / threshold >= edge for edge in EDGES)
                    bands[(band, series.window_of(row) is not None)] += 1
        spent += process_time() - begin
        points += len(series.values)
        weeks += (series.instants[-1] - series.instants[series.probation]) / WEEK
        for one in Sensitivity:
            found[one][series.name] = rows[one]
    by_sensitivity = {}
    for one in Sensitivity:
        results = [nab.score_series(s, found[one][s.name], nab.PROFILES[0]) for s in files]
        false = sum(result.false_positives for result in results)
        by_sensitivity[one.value] = {
            **nab.score_all(files, found[one]),
            "hits": sum(result.hits for result in results),
            "windows": sum(result.windows for result in results),
            "false_alarms": false,
            "false_alarms_a_series_week": false / weeks,
            "alerts_a_series_week": sum(map(len, found[one].values())) / weeks,
        }
    stable = stability.measure(files, scores)
    return {
        "halves": stable.halves,
        "nearby": stable.nearby,
        "files": len(files),
        "points": points,
        "series_weeks": weeks,
        "microseconds_a_point": spent / points * 1e6,
        "by_sensitivity": by_sensitivity,
        "by_category": _by_category(files, found[Sensitivity.MEDIUM]),
        "confirmed_by_band": [[bands[(at, True)], bands[(at, False)]] for at in range(5)],
    }


def _by_category(
    files: list[nab.LabelledSeries], found: dict[str, list[int]]
) -> dict[str, dict[str, float]]:
    answer = {}
    for category in dict.fromkeys(series.category for series in files):
        some = [series for series in files if series.category == category]
        results = [nab.score_series(one, found[one.name], nab.PROFILES[0]) for one in some]
        answer[category] = {
            "windows": sum(result.windows for result in results),
            "hits": sum(result.hits for result in results),
            "false_alarms": sum(result.false_positives for result in results),
            "earned": sum(result.earned for result in results),
        }
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench anomaly", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with windows.json and the files")
    parser.add_argument("--series", type=int, default=20_000, help="how many are kept in memory")
    parser.add_argument(
        "--seed", type=int, default=None, help="of the injections; private if unset"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    files = nab.read_folder(options.data)
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    measured = measure_nab(files)
    year = flights.run()
    tallies = injections.run(files, seed)
    size = scale.run(options.series)
    if options.json:
        injected = {
            kind: {"runs": t.runs, "recall": t.recall, "precision": t.precision}
            for kind, t in tallies.items()
        }
        scaled = {name: getattr(size, name) for name in size.__slots__}
        print(json.dumps({"nab": measured, "injections": injected, "seed": seed, "scale": scaled}))
        return
    _print_nab(measured)
    print(
        f"\n{year.series} series of flights and weather:"
        f" {year.alerts / year.series_weeks:.2f} alerts a series and week;"
        f" mean delay on {flights.STORM}: {', '.join(year.storm) or 'none'}"
    )
    print(f"\ninjected anomalies, seed {seed}, one a run")
    print(f"{'kind':16} {'runs':>5} {'recall':>7} {'precision':>9} {'median delay':>13}")
    for kind, t in tallies.items():
        delay = f"{median(t.delays):.0f} points" if t.delays else "-"
        print(f"{kind:16} {t.runs:5} {t.recall:7.2f} {t.precision:9.2f} {delay:>13}")
    print(
        f"\n{size.series:,} series of {size.history:,} points each:"
        f" {size.bytes_a_series / 1000:.1f} kB a series in memory,"
        f" {size.snapshot_bytes / 1000:.1f} kB a snapshot;"
        f" {size.alone_us:.0f} µs a point alone, {size.together_us:.0f} µs together"
        f" ({1e6 / size.together_us:,.0f} points/s on one core)"
    )


def _print_nab(measured: dict[str, Any]) -> None:
    print(
        f"NAB, {measured['files']} development files, {measured['points']:,} points,"
        f" {measured['series_weeks']:.0f} series-weeks; one parameter set, one threshold a"
        f" sensitivity; {CONFIGURATIONS_TRIED} configurations were tried on these files"
    )
    print(
        f"{'sensitivity':12} {'standard':>9} {'low FP':>7} {'low FN':>7} {'hits':>8}"
        f" {'false':>6} {'false/week':>11} {'alerts/week':>12}"
    )
    for name, row in measured["by_sensitivity"].items():
        print(
            f"{name:12} {row['standard']:9.2f} {row['low_FP']:7.2f} {row['low_FN']:7.2f}"
            f" {row['hits']:4}/{row['windows']:<3} {row['false_alarms']:6}"
            f" {row['false_alarms_a_series_week']:11.2f} {row['alerts_a_series_week']:12.2f}"
        )
    print(
        f"medium, threshold chosen on one half of the files and scored on the other:"
        f" {measured['halves']:.2f}; mean within 10 % of the threshold: {measured['nearby']:.2f}"
    )
    print("published, standard profile, all 58 files: ", end="")
    print(", ".join(f"{name} {score}" for name, score in nab.PUBLISHED))
    for category, row in measured["by_category"].items():
        print(
            f"  {category:22} {row['hits']:3}/{row['windows']:<3} windows,"
            f" {row['false_alarms']:3} false alarms, {row['earned']:6.2f} earned"
        )
    shares = ", ".join(f"{yes} of {yes + no}" for yes, no in measured["confirmed_by_band"])
    print(f"alerts inside windows by score ×1, ×1.5, ×2.5, ×5, ×12.5: {shares}")
    print(f"{measured['microseconds_a_point']:.1f} µs of CPU a point, one at a time")


if __name__ == "__main__":
    main()
