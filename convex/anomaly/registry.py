"""Detectors by the name that a rule gives its method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from convex.anomaly.model import Detector
from convex.anomaly.novelty import Novelty
from convex.anomaly.robust_z import RobustZ

METHODS: Final[Mapping[str, type[RobustZ]]] = {RobustZ.method: RobustZ}


def _kind(method: str) -> type[Novelty] | type[RobustZ]:
    kind = METHODS.get(method)
    if kind is None:
        raise ValueError(f"no detector is called {method!r}; use one of {', '.join(METHODS)}")
    return kind


def build(method: str, zone: str = "UTC", *, counter: bool = False) -> Detector:
    """A detector that has seen nothing yet; `zone` is the workspace's IANA zone."""
    return _kind(method)(zone, counter=counter)


def revive(method: str, data: bytes, zone: str = "UTC") -> Detector:
    """The detector that `dump` wrote. Raises `ValueError` if it has another format."""
    return _kind(method).load(data, zone)
