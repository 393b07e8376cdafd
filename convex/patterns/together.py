"""The tests of one pair: firing together (correlated), and one after the other (triggered_by)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convex.patterns.model import SECOND, Floats, Instants
from convex.patterns.pairs import (
    JITTER,
    LEAST_MEETINGS,
    NEAR,
    Region,
    Sequence2,
    jitter_chances,
    sampling_step,
    shift_surrogates,
)
from convex.patterns.statistics import (
    binomial_tail,
    counted_tail,
    interquartile,
    poisson_binomial_tails,
)

LEAST_SHARE = 0.2
# Within five minutes "after" has to be told from "about the same time".
_ASYMMETRY, _ASYMMETRY_NEAR = 0.01, 0.001


@dataclass(frozen=True, slots=True)
class Meeting:
    """One direction of one pair: `met` of `n_a` and `n_b` episodes, against chance.

    `low` and `high` delimit the time from an episode of `a` to one of `b`; `expected` is the mean
    over shifts. For triggered_by `backward` counts the other order, and `lags` are in seconds.
    """

    met: int
    n_a: int
    n_b: int
    low: int
    high: int
    expected: float
    p_value: float
    p_jitter: float
    p_shift: float
    backward: int = 0
    p_asymmetry: float = 1.0
    lags: tuple[float, float, float] | None = None
    tried: int = 1


@dataclass(frozen=True, slots=True)
class Reach:
    """How far "at the same time" reaches to either side, and the stretches of the jitter test."""

    width: int
    stretch: int
    origin: int


def reaches(a: Instants, b: Instants) -> list[Reach]:
    """Five minutes; or for coarser data the same step, and the same or a neighbouring one.

    Stretches begin half a step off the grid, so that each holds whole steps.
    """
    step = min(sampling_step(a), sampling_step(b))
    if step <= 2 * NEAR:
        return [Reach(NEAR, JITTER * 2 * NEAR, 0)]
    origin = int((a[0] - step // 2) % step)
    return [Reach(times * step // 2, JITTER * step, origin) for times in (1, 3)]


def test_together(pairs: Sequence[Sequence2], least_p: float) -> list[Meeting | None]:
    """Whether each two fire at the same time. None with fewer than LEAST_MEETINGS meetings.

    The best reach counts, its p-value times the number of them. Surrogates are made only where the
    jitter test comes to `least_p`; else its p-value stands.
    """
    result: list[Meeting | None] = [None] * len(pairs)
    drafts, chances, hits = [], [], []
    for at, both in enumerate(pairs):
        a, b = both.a, both.b
        if min(len(a), len(b)) < LEAST_MEETINGS:
            continue
        tried = reaches(a, b)
        for reach in tried:
            low, high = -reach.width, reach.width - 1
            met, one = jitter_chances(a, b, low, high, reach.stretch, reach.origin)
            if met < LEAST_MEETINGS:
                continue
            back, other = jitter_chances(b, a, low, high, reach.stretch, reach.origin)
            drafts.append((at, met, low, high, len(tried)))
            chances += [one, other]
            hits += [met, back]
    tails = poisson_binomial_tails(chances, hits).reshape(-1, 2).max(axis=1).tolist()
    for (at, met, low, high, count), p_jitter in zip(drafts, tails, strict=True):
        both, expected, p_shift, best = pairs[at], 0.0, p_jitter, result[at]
        if p_jitter * count <= least_p:
            surrogates = shift_surrogates(both, low, high)
            expected, p_shift = float(surrogates.mean()), counted_tail(met, surrogates)
        p_value = min(1.0, max(p_jitter, p_shift) * count)
        if best is None or p_value < best.p_value:
            result[at] = Meeting(
                met,
                len(both.a),
                len(both.b),
                low,
                high,
                expected,
                p_value,
                p_jitter,
                p_shift,
                tried=count,
            )
    return result


def test_following(
    pairs: Sequence[Sequence2], lags: Sequence[tuple[int, ...]], least_p: float
) -> list[Meeting | None]:
    """Whether in each pair `b` follows `a` within one of its lags, more than it precedes it.

    The best lag counts, its p-value times the number of lags tried.
    """
    drafts, chances, hits = [], [], []
    for at, both in enumerate(pairs):
        if min(len(both.a), len(both.b)) < LEAST_MEETINGS:
            continue
        for lag in lags[at]:
            met, one = jitter_chances(both.a, both.b, SECOND, lag, JITTER * lag)
            if met >= LEAST_MEETINGS:
                drafts.append((at, met, lag))
                chances.append(one)
                hits.append(met)
    tails = poisson_binomial_tails(chances, hits).tolist()
    result: list[Meeting | None] = [None] * len(pairs)
    for (at, met, lag), p_jitter in zip(drafts, tails, strict=True):
        tried = len(lags[at])
        if p_jitter * tried > least_p:
            continue
        found, best = _followed(pairs[at], met, lag, p_jitter, tried), result[at]
        if found is not None and (best is None or found.p_value < best.p_value):
            result[at] = found
    return result


def _followed(both: Sequence2, met: int, lag: int, p_jitter: float, tried: int) -> Meeting | None:
    a, b = both.a, both.b
    backward = int(Region(b, SECOND, lag).holds(a).sum())
    if met <= backward:
        return None
    surrogates = shift_surrogates(both, SECOND, lag)
    p_shift = counted_tail(met, surrogates)
    reverse = Sequence2(b, a, both.start, both.days)
    p_asymmetry = _asymmetry(met, backward, surrogates, shift_surrogates(reverse, SECOND, lag))
    delays = _delays(a, b, lag)
    return Meeting(
        len(delays),
        len(a),
        len(b),
        SECOND,
        lag,
        float(surrogates.mean()),
        min(1.0, max(p_jitter, p_shift) * tried),
        p_jitter,
        p_shift,
        backward,
        p_asymmetry,
        interquartile(delays),
        tried,
    )


def is_one_way(found: Meeting) -> bool:
    """Whether "after" is more than "about the same time"."""
    most = _ASYMMETRY_NEAR if found.high <= NEAR else _ASYMMETRY
    return found.p_asymmetry <= most and found.met / found.n_a >= LEAST_SHARE


def is_together(found: Meeting) -> bool:
    """Whether they meet often enough to be called correlated."""
    return found.met / min(found.n_a, found.n_b) >= LEAST_SHARE


def _met(
    a: Instants, b: Instants, low: int, high: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    at = np.searchsorted(a + low, b, "right") - 1
    return (at >= 0) & (b <= a[np.maximum(at, 0)] + high)


def _delays(a: Instants, b: Instants, lag: int) -> Floats:
    """Seconds from each episode of `a` to the first of `b` within the lag."""
    at = np.searchsorted(b, a + SECOND, "left")
    there = at < len(b)
    delay = b[np.minimum(at, len(b) - 1)] - a
    return delay[there & (delay <= lag)] / SECOND


def _asymmetry(forward: int, backward: int, ahead: Floats, behind: Floats) -> float:
    """The larger of a sign test and the share of shifts that are as lopsided."""
    both = np.array([float(forward + backward)])
    sign = float(binomial_tail(np.array([float(forward)]), both, np.array([0.5]))[0])
    shifted = float(((ahead - behind) >= forward - backward).mean()) if len(ahead) else 1.0
    return max(sign, shifted)
