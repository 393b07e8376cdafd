"""Triggers of a subject that lie close together are one episode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convex.patterns.model import DAY, MINUTE, History, Instants

GAP = 30 * MINUTE
REACH = DAY


@dataclass(frozen=True, slots=True)
class Episodes:
    """Sorted by subject and start; `first` and `last` delimit each subject's.

    `order` holds the rows of the history in the same order, `episode` which one each belongs to.
    """

    subject: NDArray[np.int64]
    start: Instants
    end: Instants
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    order: NDArray[np.int64]
    episode: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many each subject has."""
        return self.last - self.first

    def starts_of(self, subject: int) -> Instants:
        """When the episodes of one subject began, oldest first."""
        return self.start[self.first[subject] : self.last[subject]]

    def ends_of(self, subject: int) -> Instants:
        """When they were over; NEVER while one lasts."""
        return self.end[self.first[subject] : self.last[subject]]

    def rows_of(self, subject: int, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The history's rows of the chosen episodes of one subject."""
        first, last = int(self.first[subject]), int(self.last[subject])
        low, high = np.searchsorted(self.episode, (first, last), "left")
        rows: NDArray[np.int64] = self.order[low:high][chosen[self.episode[low:high] - first]]
        return rows


def merge(history: History) -> Episodes:
    """A trigger within half an hour of the resolution of those before it goes on their episode.

    One that lasts for more than a day takes up only what opens within that day: of a rule on many
    series, one stuck series must not swallow what the others do.
    """
    order = np.lexsort((history.resolved, history.opened, history.subject))
    subject, start = history.subject[order], history.opened[order]
    end = history.resolved[order]
    if not len(order):
        none = np.zeros(0, np.int64)
        empty = np.zeros(len(history.subjects), np.int64)
        return Episodes(none, none, none, empty, empty.copy(), none, none)
    # The running maximum of each subject's ends: a step that is larger than any difference of
    # instants keeps the subjects apart.
    origin = int(start.min())
    step = int(start.max()) - origin + REACH + GAP + 2
    reach = np.minimum(end, start + REACH) - origin
    latest = np.maximum.accumulate(reach + subject * step) - subject * step
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (subject[1:] != subject[:-1]) | (start[1:] - origin > latest[:-1] + GAP)
    at = np.flatnonzero(fresh)
    ends = np.maximum.reduceat(end, at)
    positions = np.arange(len(history.subjects))
    of = subject[at]
    return Episodes(
        of,
        start[at],
        ends,
        np.searchsorted(of, positions, "left").astype(np.int64),
        np.searchsorted(of, positions, "right").astype(np.int64),
        order,
        np.cumsum(fresh) - 1,
    )
