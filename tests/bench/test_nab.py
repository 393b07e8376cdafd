"""NAB's scoring against its definition, and against what a perfect and a silent detector earn."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from bench.anomaly.nab import (
    PROFILES,
    LabelledSeries,
    Profile,
    normalise,
    read_folder,
    score_all,
    score_series,
    sigmoid,
)

STANDARD, LOW_FP, LOW_FN = PROFILES
MINUTE = 60_000_000


def series(
    count: int = 400, windows: tuple[tuple[int, int], ...] = ((200, 239),)
) -> LabelledSeries:
    return LabelledSeries(
        "made/up.csv", [at * MINUTE for at in range(count)], [0.0] * count, list(windows)
    )


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_silence_is_zero_and_the_first_point_of_each_window_is_a_hundred(profile: Profile) -> None:
    one = series(windows=((100, 139), (300, 339)))
    assert normalise([score_series(one, [], profile)], profile) == pytest.approx(0.0)
    assert normalise([score_series(one, [100, 300], profile)], profile) == pytest.approx(100.0)


def test_a_hit_is_worth_less_the_later_it_comes_and_counts_once() -> None:
    one = series()
    early = score_series(one, [200], STANDARD)
    late = score_series(one, [239], STANDARD)
    assert early.earned == pytest.approx(1.0)
    assert late.earned == pytest.approx(sigmoid(-1 / 40) / sigmoid(-1.0))
    assert 0 < late.earned < early.earned
    both = score_series(one, [200, 239], STANDARD)
    assert (both.earned, both.hits, both.false_positives) == (early.earned, 1, 0)


def test_a_false_positive_costs_more_the_further_it_is_behind_the_window() -> None:
    one = series()
    missed = -STANDARD.miss
    before = score_series(one, [150], STANDARD)
    assert before.earned == pytest.approx(missed - 0.11)
    near = score_series(one, [240], STANDARD).earned - missed
    far = score_series(one, [300], STANDARD).earned - missed
    furthest = score_series(one, [399], STANDARD).earned - missed
    assert near == pytest.approx(0.11 * (2 / (1 + math.exp(5 / 39)) - 1))
    assert 0 > near > far > furthest
    assert furthest == pytest.approx(-0.11)
    assert score_series(one, [150], LOW_FP).earned == pytest.approx(missed - 0.22)


def test_the_probation_is_not_scored() -> None:
    one = series(windows=((10, 40), (200, 239)))
    assert one.probation == 60
    result = score_series(one, [0, 20, 59], STANDARD)
    assert (result.hits, result.false_positives) == (0, 0)
    assert result.earned == pytest.approx(-1.0)  # of the window that is scored
    assert series(10_000).probation == 750


def test_a_miss_weighs_twice_where_misses_are_feared() -> None:
    one = series()
    assert score_series(one, [], LOW_FN).earned == pytest.approx(-2.0)


def test_the_kept_files_are_complete_and_their_windows_lie_within() -> None:
    files = read_folder()
    assert len(files) == 34
    assert sum(len(one.windows) for one in files) == 50
    for one in files:
        assert len(one.instants) == len(one.values)
        assert all(0 <= first < last < len(one.values) for first, last in one.windows)


def test_other_data_is_read_from_the_folder_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    rows = "\n".join(f"2024-01-01 00:{at:02}:00,{at}" for at in range(40))
    (tmp_path / "a" / "b.csv").write_text(f"timestamp,value\n{rows}\n")
    (tmp_path / "windows.json").write_text(
        '{"a/b.csv": [["2024-01-01 00:10:00.000000", "2024-01-01 00:19:00.000000"]]}'
    )
    monkeypatch.setenv("CONVEX_NAB_DATA", str(tmp_path))
    (one,) = read_folder()
    assert one.windows == [(10, 19)]
    assert one.values[:3] == [0.0, 1.0, 2.0]
    assert score_all([one], {"a/b.csv": [10]}) == {
        profile.name: pytest.approx(100.0) for profile in PROFILES
    }


def test_chance_earns_far_less_than_the_detector_is_held_to() -> None:
    files = read_folder()
    rng = random.Random(3)
    rows = {one.name: sorted(rng.sample(range(one.probation, len(one.values)), 3)) for one in files}
    assert score_all(files, rows)["standard"] < 40
