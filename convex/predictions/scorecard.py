"""How good predictions were: Brier score, skill with its interval, AUC, calibration. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convex.metrics.model import FloatArray, IntArray

_SAMPLES = 1_000
_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of about one probability: their mean, the share that came true, how many."""

    probability: float
    observed: float
    count: int


@dataclass(frozen=True, slots=True)
class Score:
    """Of n predictions. `skill` is 1 − Brier / Brier of the climatology; its interval is the middle
    90 % over resampled blocks of time, None with fewer than three blocks; `auc` is None where all
    outcomes are the same.
    """

    n: int
    positives: int
    base_rate: float
    brier: float
    climatology_brier: float
    skill: float | None
    interval: tuple[float, float] | None
    auc: float | None
    ece: float
    bins: tuple[Bin, ...]


def score(
    probability: FloatArray,
    climatology: FloatArray,
    outcome: FloatArray,
    block: IntArray,
) -> Score | None:
    """Score flat arrays of equal length; `block` numbers stretches of time that belong together
    (weeks), which are resampled as a whole. None without any.
    """
    if len(probability) == 0:
        return None
    squared = (probability - outcome) ** 2
    reference = (climatology - outcome) ** 2
    brier, base = float(squared.mean()), float(reference.mean())
    return Score(
        n=len(outcome),
        positives=int(outcome.sum()),
        base_rate=float(outcome.mean()),
        brier=brier,
        climatology_brier=base,
        skill=1.0 - brier / base if base > 0 else None,
        interval=_interval(squared, reference, block),
        auc=auc(probability, outcome),
        ece=calibration_error(probability, outcome),
        bins=reliability(probability, outcome),
    )


def auc(probability: FloatArray, outcome: FloatArray) -> float | None:
    """The chance that a positive was given more than a negative; ties count half."""
    positive = outcome > 0.5
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if ones == 0 or zeros == 0:
        return None
    _, inverse, counts = np.unique(probability, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    ranks = (upper - counts + upper + 1) / 2.0
    total = float(ranks[inverse][positive].sum())
    return (total - ones * (ones + 1) / 2) / (ones * zeros)


def calibration_error(probability: FloatArray, outcome: FloatArray) -> float:
    """The mean distance of probability and frequency over ten bins of equal width."""
    place = np.minimum((probability * _BINS).astype(np.int64), _BINS - 1)
    given = np.bincount(place, probability, _BINS)
    seen = np.bincount(place, outcome, _BINS)
    return float(np.abs(given - seen).sum() / len(outcome))


def reliability(probability: FloatArray, outcome: FloatArray) -> tuple[Bin, ...]:
    """The bins of `calibration_error` that hold any prediction."""
    place = np.minimum((probability * _BINS).astype(np.int64), _BINS - 1)
    counts = np.bincount(place, minlength=_BINS)
    given = np.bincount(place, probability, _BINS)
    seen = np.bincount(place, outcome, _BINS)
    return tuple(
        Bin(
            float(given[index] / counts[index]),
            float(seen[index] / counts[index]),
            int(counts[index]),
        )
        for index in np.flatnonzero(counts).tolist()
    )


def _interval(
    squared: FloatArray, reference: FloatArray, block: IntArray
) -> tuple[float, float] | None:
    _, place = np.unique(block, return_inverse=True)
    own, base = np.bincount(place, squared), np.bincount(place, reference)
    return skill_interval(own.astype(np.float64), base.astype(np.float64))


def skill_interval(own: FloatArray, base: FloatArray) -> tuple[float, float] | None:
    """The middle 90 % of the skill over resampled blocks, from each block's sums of squared errors
    of the prediction and of the climatology; None with fewer than three blocks.
    """
    count = len(own)
    if count < 3:
        return None
    drawn = np.random.default_rng(7).integers(0, count, (_SAMPLES, count))
    bases = base[drawn].sum(axis=1)
    usable = bases > 0
    if not usable.any():
        return None
    skills = 1.0 - own[drawn].sum(axis=1)[usable] / bases[usable]
    low, high = np.quantile(skills, [0.05, 0.95])
    return float(low), float(high)
