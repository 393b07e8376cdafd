"""Which series a rule watches, remembered: matching labels at every point would cost more than
evaluating it. Labels of a series never change, and a changed rule has another version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from convex.alerts.matchers import match_all
from convex.alerts.model import Rule
from convex.metrics.model import Labels

_REMEMBERED = 50_000  # rules, or series, then it starts afresh


@dataclass(slots=True)
class _Watch:
    """What one version of a rule watches among the first `judged` series met."""

    version: int
    judged: int = 0
    matched: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Met:
    """The series of one metric that this process has met, in the order of meeting, and what each
    rule watches of them.
    """

    order: list[tuple[int, Labels]] = field(default_factory=list)
    ids: set[int] = field(default_factory=set)
    watches: dict[UUID, _Watch] = field(default_factory=dict)


_met: dict[UUID, _Met] = {}


class Watching:
    """The series of one metric in one batch, asked by one rule after the other."""

    def __init__(self, metric_id: UUID, series: Mapping[int, Labels]) -> None:
        if sum(max(len(one.ids), len(one.watches)) for one in _met.values()) > _REMEMBERED:
            _met.clear()
        self._series = series
        self._metric = _met.setdefault(metric_id, _Met())
        if new := series.keys() - self._metric.ids:
            self._metric.ids |= new
            self._metric.order += [(series_id, series[series_id]) for series_id in new]

    def by(self, rule: Rule) -> set[int]:
        """Of the batch's series, the ids of those that satisfy the rule's matchers."""
        metric = self._metric
        watch = metric.watches.get(rule.id)
        if watch is None or watch.version != rule.version:
            watch = metric.watches[rule.id] = _Watch(rule.version)
        if watch.judged < len(metric.order):
            watch.matched.update(
                series_id
                for series_id, labels in metric.order[watch.judged :]
                if match_all(rule.label_matchers, labels)
            )
            watch.judged = len(metric.order)
        return watch.matched & self._series.keys()
