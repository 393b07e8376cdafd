"""The detector as a fold (same points, same scores), blind to the future; and what it sees."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex.anomaly.codebook import CAPACITY
from convex.anomaly.model import DAY, Condition, Score, Sensitivity, State
from convex.anomaly.novelty import SEASON, Novelty, update_many
from convex.anomaly.windows import SCALES, Windows
from tests.convex.anomaly.series import FIVE_MINUTES, START, Series, daily, feed, irregular, noisy

MEDIUM = (Sensitivity.MEDIUM, Condition.CHANGES_BY)

walks = st.builds(
    lambda seed, count, kind: kind(count, seed=seed),
    st.integers(0, 2**32),
    st.integers(2, 700),
    st.sampled_from([noisy, daily, irregular]),
)


def alerts(scores: list[Score]) -> list[int]:
    return [at for at, score in enumerate(scores) if MEDIUM in score.raised]


@settings(max_examples=25, deadline=None)
@given(points=walks, cuts=st.lists(st.integers(0, 700), max_size=4))
def test_a_snapshot_at_any_time_changes_no_later_score(points: Series, cuts: list[int]) -> None:
    expected = feed(Novelty(), points)
    detector, got = Novelty(), []
    for at, (instant, value) in enumerate(points):
        if at in cuts:
            detector = Novelty.load(detector.dump())
        got.append(detector.update(instant, value))
    assert got == expected


@settings(max_examples=15, deadline=None)
@given(several=st.lists(walks, min_size=1, max_size=5))
def test_series_scored_together_score_as_they_do_alone(several: list[Series]) -> None:
    expected = [feed(Novelty(), points) for points in several]
    detectors = [Novelty() for _ in several]
    got: list[list[Score]] = [[] for _ in several]
    for at in range(max(map(len, several))):
        here = [which for which, points in enumerate(several) if at < len(points)]
        scores = update_many(
            [detectors[which] for which in here],
            [several[which][at][0] for which in here],
            [several[which][at][1] for which in here],
        )
        for which, score in zip(here, scores, strict=True):
            got[which].append(score)
    assert got == expected
    assert [one.dump() for one in detectors] == [_after(points).dump() for points in several]


def _after(points: Series) -> Novelty:
    detector = Novelty()
    feed(detector, points)
    return detector


@settings(max_examples=25, deadline=None)
@given(points=walks, cut=st.integers(0, 700), seed=st.integers(0, 2**32))
def test_a_corrupted_future_leaves_every_earlier_score_as_it_was(
    points: Series, cut: int, seed: int
) -> None:
    rng = random.Random(seed)
    corrupted = [
        (instant, value if at < cut else rng.choice([1e9, -1e9, 0.0, value * 7.0]))
        for at, (instant, value) in enumerate(points)
    ]
    assert feed(Novelty(), corrupted)[:cut] == feed(Novelty(), points)[:cut]


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(
        st.floats(-1e15, 1e15, allow_nan=False) | st.integers(-5, 5).map(float),
        min_size=1,
        max_size=200,
    ),
    steps=st.lists(st.integers(1, 10 * DAY), min_size=200, max_size=200),
)
def test_any_finite_values_at_any_distances_give_finite_scores(
    values: list[float], steps: list[int]
) -> None:
    detector, instant = Novelty(probation=5), START
    for value, step in zip(values, steps, strict=False):
        instant += step
        score = detector.update(instant, value)
        assert math.isfinite(score.score)
        assert score.score >= 0
        if score.low is not None and score.high is not None and score.expected is not None:
            assert score.low <= score.expected <= score.high


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=64, max_size=200))
def test_windows_are_mean_and_deviation_of_the_latest_values(values: list[float]) -> None:
    windows = Windows()
    rows = [windows.push(value) for value in values][-1]
    for length, (mean, deviation) in zip(SCALES, rows, strict=True):
        latest = np.array(values[-length:])
        assert mean == pytest.approx(latest.mean(), rel=1e-9, abs=1e-6)
        assert deviation == pytest.approx(latest.std(), rel=1e-6, abs=1e-6)


def test_points_that_do_not_advance_are_not_learnt() -> None:
    points = noisy(300)
    detector = _after(points)
    before = detector.dump()
    for instant in (points[-1][0], points[-1][0] - 1, START):
        assert detector.update(instant, 1e6).state is State.LEARNING
    assert detector.dump() == before
    assert detector.reaches == points[-1][0]


def test_it_says_learning_for_two_days_and_two_hundred_points_and_alerts_nothing() -> None:
    points = noisy(900)
    points[300] = (points[300][0], 500.0)  # 25 hours in
    scores = feed(Novelty(), points)
    two_days = 2 * DAY // FIVE_MINUTES
    assert all(score.state is State.LEARNING for score in scores[:two_days])
    assert all(score.state is State.WATCHING for score in scores[two_days:])
    assert not any(score.raised for score in scores[:two_days])
    slow = feed(Novelty(), noisy(230, step=DAY))
    assert [score.state for score in slow].index(State.WATCHING) == 200


@pytest.mark.parametrize("value", [0.0, 45.0, -3.5e8])
def test_a_constant_series_is_never_unusual_and_its_first_change_is(value: float) -> None:
    points = [(START + at * FIVE_MINUTES, value) for at in range(2000)]
    scores = feed(Novelty(), [*points, (START + 2000 * FIVE_MINUTES, value + abs(value) / 2 + 1)])
    assert {score.score for score in scores[:-1]} == {0.0}
    assert alerts(scores) == [2000]


def test_noise_alone_stays_within_the_budget_of_medium() -> None:
    weeks = 4
    count = sum(len(alerts(feed(Novelty(), noisy(weeks * 2016, seed=seed)))) for seed in range(3))
    assert count <= 0.5 * weeks * 3


@pytest.mark.parametrize(
    ("change", "condition"),
    [
        (lambda value: value + 30.0, Condition.ABOVE),
        (lambda value: value - 30.0, Condition.BELOW),
    ],
)
def test_a_spike_is_raised_at_once_and_on_its_own_side_only(
    change: Callable[[float], float], condition: Condition
) -> None:
    points = noisy(1500)
    points[1200] = (points[1200][0], change(points[1200][1]))
    score = feed(Novelty(), points)[1200]
    other = Condition.BELOW if condition is Condition.ABOVE else Condition.ABOVE
    assert score.raises(Sensitivity.MEDIUM, condition)
    assert score.raises(Sensitivity.LOW, Condition.CHANGES_BY)
    assert not score.raises(Sensitivity.MEDIUM, other)
    assert not score.continues(Sensitivity.HIGH, other)


def test_a_level_shift_is_known_after_one_window_of_each_scale() -> None:
    points = noisy(1000) + [
        (instant + 1000 * FIVE_MINUTES, value + 40.0) for instant, value in noisy(1000, seed=2)
    ]
    scores = feed(Novelty(), points)
    assert alerts(scores)[-1] < 1000 + 130
    assert 1000 in alerts(scores)
    medium = Novelty.thresholds[Sensitivity.MEDIUM]
    assert all(score.score < medium for score in scores[1000 + 130 : 1400])
    assert any(MEDIUM not in score.unusual for score in scores[1000 + 64 : 1000 + 130])


def test_a_day_without_its_jump_is_seen_against_the_hour() -> None:
    points = daily(14 * 96)
    quiet = 11
    points = [
        (
            instant,
            20.0 + (value - 80.0)
            if START + quiet * DAY <= instant < START + (quiet + 1) * DAY and value > 60
            else value,
        )
        for instant, value in points
    ]
    detector = Novelty()
    for at, (instant, value) in enumerate(points):
        score = detector.update(instant, value)
        if MEDIUM in score.raised and at > quiet * 96:
            break
    explanation = detector.explain()
    assert explanation is not None
    assert explanation.view == SEASON
    assert score.expected == pytest.approx(80.0, abs=3.0)
    assert score.high is not None
    assert score.low is not None
    assert score.low > 60


def test_the_hours_are_those_of_the_zone_through_daylight_saving() -> None:
    from datetime import UTC, datetime

    from convex.anomaly.calendar import hour_of_week

    winter = datetime(2024, 1, 8, 14, 30, tzinfo=UTC)  # a Monday
    summer = datetime(2024, 7, 8, 13, 30, tzinfo=UTC)
    for instant in (winter, summer):
        assert hour_of_week(int(instant.timestamp() * 1e6), "America/New_York") == 9
    assert hour_of_week(int(winter.timestamp() * 1e6), "UTC") == 14


def test_one_anomaly_is_one_alert_until_it_doubles() -> None:
    points = noisy(1500)
    for at, size in ((1200, 30.0), (1203, 31.0), (1206, 29.0), (1209, 300.0)):
        points[at] = (points[at][0], points[at][1] + size)
    assert [at for at in alerts(feed(Novelty(), points)) if at >= 1200] == [1200, 1209]


def test_a_gap_of_days_alone_raises_nothing() -> None:
    points = [
        (instant + (5 * DAY if at >= 1000 else 0), value)
        for at, (instant, value) in enumerate(daily(2000))
    ]
    assert [at for at in alerts(feed(Novelty(), points)) if 1000 <= at < 1030] == []


def test_an_explanation_names_the_band_the_scale_and_a_similar_past() -> None:
    points = noisy(1500)
    points[1200] = (points[1200][0], 60.0)
    detector = Novelty()
    assert detector.explain() is None
    score = feed(detector, points[:1201])[-1]
    explanation = detector.explain()
    assert explanation is not None
    assert explanation.value == 60.0
    assert explanation.score == score
    assert explanation.scale in SCALES
    assert 0.25 < explanation.share <= 1
    assert explanation.nearest_at is not None
    assert START - 1_000_000 <= explanation.nearest_at < points[1200][0]
    assert score.expected == pytest.approx(10.0, abs=1.5)
    assert score.high is not None
    assert score.high < 20.0
    assert Novelty.load(detector.dump()).explain() is None


def test_memory_is_bounded_however_varied_the_series() -> None:
    rng = random.Random(5)
    detector = Novelty()
    for at in range(6000):
        detector.update(START + at * FIVE_MINUTES, rng.choice([-1, 1]) * rng.lognormvariate(0, 4))
    assert detector.nbytes <= 2 * CAPACITY * len(SCALES) * 12
    assert len(detector.dump()) <= 64_000


def test_a_snapshot_of_another_format_is_refused() -> None:
    data = _after(noisy(10)).dump()
    with pytest.raises(ValueError, match="format"):
        Novelty.load(b"\xff\xff" + data[2:])
    with pytest.raises(ValueError, match="format"):
        Novelty.load(b"")
