from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.predictions.scorecard import auc, calibration_error, reliability, score


def test_a_score_by_hand() -> None:
    found = score(
        np.array([0.9, 0.2, 0.1, 0.6]),
        np.full(4, 0.5),
        np.array([1.0, 0.0, 0.0, 0.0]),
        np.array([1, 1, 2, 2]),
    )
    assert found is not None
    assert found.n == 4
    assert found.positives == 1
    assert found.brier == pytest.approx((0.01 + 0.04 + 0.01 + 0.36) / 4)
    assert found.climatology_brier == pytest.approx(0.25)
    assert found.skill == pytest.approx(1 - 0.105 / 0.25)
    assert found.auc == pytest.approx(1.0)
    assert found.ece == pytest.approx((0.1 + 0.2 + 0.1 + 0.6) / 4)
    assert found.interval is None  # two blocks say nothing about the spread


def test_nothing_has_no_score() -> None:
    empty = np.zeros(0)
    assert score(empty, empty, empty, np.zeros(0, np.int64)) is None


def test_the_base_rate_itself_has_no_skill() -> None:
    random = np.random.default_rng(2)
    base = np.full(400, 0.3)
    outcome = (random.random(400) < 0.3).astype(float)
    found = score(base, base, outcome, np.arange(400) // 20)
    assert found is not None
    assert found.skill == 0
    assert found.interval == (0.0, 0.0)


def test_the_interval_holds_the_skill_and_is_the_same_every_time() -> None:
    random = np.random.default_rng(4)
    truth = random.random(2000)
    outcome = (random.random(2000) < truth).astype(float)
    arguments = (truth, np.full(2000, 0.5), outcome, np.arange(2000) // 50)
    one, two = score(*arguments), score(*arguments)
    assert one == two
    assert one is not None
    assert one.interval is not None
    assert one.skill is not None
    assert one.interval[0] < one.skill < one.interval[1]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
)
def test_auc_is_the_share_of_pairs_in_the_right_order(pairs: list[tuple[float, bool]]) -> None:
    probability = np.array([p for p, _ in pairs])
    outcome = np.array([float(y) for _, y in pairs])
    ones, zeros = probability[outcome == 1], probability[outcome == 0]
    found = auc(probability, outcome)
    if len(ones) == 0 or len(zeros) == 0:
        assert found is None
        return
    gaps = ones[:, None] - zeros[None, :]
    expected = ((gaps > 0) + 0.5 * (gaps == 0)).mean()
    assert found == pytest.approx(expected)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_bins_hold_every_prediction_and_make_up_the_calibration_error(
    pairs: list[tuple[float, bool]],
) -> None:
    probability = np.array([p for p, _ in pairs])
    outcome = np.array([float(y) for _, y in pairs])
    bins = reliability(probability, outcome)
    assert sum(one.count for one in bins) == len(pairs)
    weighted = sum(abs(one.probability - one.observed) * one.count for one in bins) / len(pairs)
    assert calibration_error(probability, outcome) == pytest.approx(weighted)
