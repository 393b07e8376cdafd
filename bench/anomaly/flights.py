"""The detector on data that nothing was chosen by: the demo's year of flights and weather."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime

from convex.anomaly.model import WEEK, Condition, Sensitivity
from convex.anomaly.novelty import Novelty
from demo.timeline import derive_points, read_flights, read_weather

STORM = date(2013, 3, 8)  # mean delays were unusual at all three airports


@dataclass(frozen=True, slots=True)
class Flights:
    """Alerts of medium sensitivity; `storm` are the airports whose mean delay alerted that day."""

    series: int
    series_weeks: float
    alerts: int
    storm: list[str]


def run() -> Flights:
    points: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for point in derive_points(read_flights(), read_weather()):
        instant = int(point.timestamp.timestamp()) * 1_000_000
        points[(point.framework, point.metric)].append((instant, point.value))
    alerts, weeks = 0, 0.0
    storm = set()
    for (airport, metric), series in points.items():
        detector = Novelty("America/New_York")
        weeks += (series[-1][0] - series[0][0]) / WEEK
        for instant, value in series:
            if detector.update(instant, value).raises(Sensitivity.MEDIUM, Condition.CHANGES_BY):
                alerts += 1
                on = datetime.fromtimestamp(instant / 1e6, UTC).date()
                if metric == "delay_mean" and on == STORM:
                    storm.add(airport)
    return Flights(len(points), weeks, alerts, sorted(storm))
