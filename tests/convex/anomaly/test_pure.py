"""Confidence, joint anomalies, counters, and rows of text through the detector."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.anomaly.confidence import HIGHEST, ConfidenceMap
from convex.anomaly.model import MINUTE, State
from convex.anomaly.novelty import Novelty
from convex.anomaly.rate import Rate
from convex.anomaly.stream import read_instant, score_rows
from convex.anomaly.together import Deviation, join
from convex.cli.app import run
from tests.convex.anomaly.series import FIVE_MINUTES, START, feed, noisy

marks = st.lists(st.tuples(st.floats(1.0, 60.0), st.booleans()), max_size=300)


@given(feedback=marks, scores=st.lists(st.floats(1.0, 1e6), min_size=2, max_size=10))
def test_confidence_rises_with_the_score_and_is_never_certain(
    feedback: list[tuple[float, bool]], scores: list[float]
) -> None:
    fitted = ConfidenceMap(feedback)
    said = [fitted.of(score) for score in sorted(scores)]
    assert [one.percent for one in said] == sorted(one.percent for one in said)
    assert all(0 <= one.percent <= HIGHEST for one in said)
    assert all(one.count <= len(feedback) for one in said)


def test_feedback_moves_confidence_by_its_weight_and_is_counted() -> None:
    before = ConfidenceMap().of(3.0)
    assert before.count == 0
    doubted = ConfidenceMap([(3.0, False)] * 30).of(3.0)
    assert doubted.count == 30
    assert doubted.percent < before.percent - 15
    assert ConfidenceMap([(3.0, True)] * 500).of(3.0).percent == HIGHEST


@given(
    deviations=st.lists(
        st.builds(Deviation, st.integers(1, 5), st.integers(0, 10**10), st.floats(0.5, 100.0)),
        max_size=30,
    ),
    seed=st.integers(0, 99),
)
def test_joint_anomalies_hold_every_series_once_whatever_the_order(
    deviations: list[Deviation], seed: int
) -> None:
    joined = join(deviations)
    shuffled = list(deviations)
    random.Random(seed).shuffle(shuffled)
    assert join(shuffled) == joined
    for one in joined:
        series = [member.series_id for member in one.members]
        assert len(series) == len(set(series))
        assert sum(member.contribution for member in one.members) == pytest.approx(1.0)
        contributions = [member.contribution for member in one.members]
        assert contributions == sorted(contributions, reverse=True)
    assert {d.series_id for d in deviations} == {m.series_id for j in joined for m in j.members}


def test_series_that_deviate_together_are_one_anomaly_and_later_ones_another() -> None:
    first, second = join(
        [
            Deviation(1, 0, 1.0),
            Deviation(2, 5 * MINUTE, 3.0),
            Deviation(1, 6 * MINUTE, 2.0),
            Deviation(3, 60 * MINUTE, 1.0),
        ]
    )
    assert [member.series_id for member in first.members] == [2, 1]
    assert first.members[0].contribution == pytest.approx(9 / 13)
    assert (first.began_at, first.ended_at) == (0, 6 * MINUTE)
    assert [member.series_id for member in second.members] == [3]


def test_a_counter_is_its_increase_per_second_and_survives_resets() -> None:
    rate = Rate(counter=True)
    readings = [(0, 100.0), (10, 150.0), (20, 150.0), (30, 30.0)]
    got = [rate.push(seconds * 1_000_000, value) for seconds, value in readings]
    assert got == [None, 5.0, 0.0, 3.0]
    assert Rate(counter=False).push(0, 7.0) == 7.0
    again = Rate(counter=False)
    again.restore(rate.dump(), 0)
    assert again.push(40_000_000, 40.0) == 1.0


def test_a_counter_survives_a_snapshot() -> None:
    points = [(instant, 1e6 + 10 * at) for at, (instant, _) in enumerate(noisy(700))]
    points[500:] = [(instant, value - 1e6) for instant, value in points[500:]]
    expected = feed(Novelty(counter=True), points)
    detector = Novelty(counter=True)
    got = feed(detector, points[:450])
    got += feed(Novelty.load(detector.dump()), points[450:])
    assert got == expected


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01 00:00:01", 1_000_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00Z", 0),
        ("1.5", 1_500_000),
        ("1700000000000", 1_700_000_000_000_000),
        ("yesterday", None),
        ("nan", None),
        ("", None),
    ],
)
def test_instants_are_read_in_the_usual_ways(text: str, instant: int | None) -> None:
    assert read_instant(text) == instant


def test_rows_that_say_nothing_pass_unscored_and_repeated_times_go_on() -> None:
    rows = [(str(instant / 1e6), str(value)) for instant, value in noisy(300)]
    rows[100] = (rows[100][0], "NaN")
    rows[101] = ("never", "5")
    rows[150] = rows[149]
    scored = list(score_rows(rows, probation=50))
    assert len(scored) == len(rows)
    assert (scored[100].anomaly_score, scored[101].anomaly_score) == (0.0, 0.0)
    assert all(0.0 <= row.anomaly_score < 1.0 for row in scored)
    assert scored[150].anomaly_score > 0.0


def test_the_detect_command_scores_a_file_and_the_future_changes_no_row(tmp_path: Path) -> None:
    points = noisy(500)
    points[400] = (points[400][0], 80.0)
    lines = [f"{instant / 1e6},{value}" for instant, value in points]
    written = []
    for number, rows in enumerate((lines, lines[:420])):
        source, target = tmp_path / f"{number}.csv", tmp_path / f"{number}-scores.csv"
        source.write_text("timestamp,value\n" + "\n".join(rows) + "\n")
        assert run(["detect", str(source), "--out", str(target), "--probation", "75"]) == 0
        written.append(target.read_text().splitlines())
    whole, part = written
    assert whole[0] == "timestamp,value,anomaly_score,alert"
    assert len(whole) == 501
    assert whole[:421] == part
    scores = [line.split(",") for line in whole[1:]]
    assert scores[400][3] == "1"
    assert all((float(row[2]) >= 0.5) == (row[3] == "1") for row in scores)
    assert all(float(row[2]) == 0.0 for row in scores[:75])


def test_the_detect_command_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "a.csv"
    source.write_text("when,what\n1,2\n")
    assert run(["detect", str(source), "--out", str(tmp_path / "b.csv")]) == 1
    assert "timestamp and value" in capsys.readouterr().err
    assert run(["detect", str(source)]) == 2
    assert run(["detect", str(source), "--out", str(tmp_path / "b"), "--zone", "Mars"]) == 1


def test_scores_begin_once_the_probation_is_over() -> None:
    detector = Novelty(probation=20)
    states = [detector.update(START + at * FIVE_MINUTES, 1.0).state for at in range(30)]
    assert states == [State.LEARNING] * 20 + [State.WATCHING] * 10
