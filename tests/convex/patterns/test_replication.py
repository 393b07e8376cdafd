"""Confidence follows what became of earlier findings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.patterns import flights
from convex.patterns.detect import detect
from convex.patterns.model import HOUR, NEVER, History, Type
from convex.patterns.replication import AFTER, fit, judge, look_back, recalibrate
from convex.patterns.wall_clock import to_instant
from convex.patterns.wording import read_season, season_json
from tests.convex.patterns.test_detect import history, only

END = datetime(2026, 9, 7, tzinfo=UTC)
MONDAYS = [datetime(2026, 1, 5, 14, tzinfo=UTC) + timedelta(weeks=week) for week in range(34)]
CUT = to_instant(END) - AFTER


def weekly(times: list[datetime]) -> History:
    return history({"Backup": times}, END, since=datetime(2026, 1, 1, tzinfo=UTC))


def test_a_season_that_goes_on_has_held_and_one_that_stopped_has_not() -> None:
    going = judge(weekly(MONDAYS), CUT)
    stopped = [day for day in MONDAYS if to_instant(day) <= CUT]
    moved = [*stopped, *(day + timedelta(days=2, hours=5) for day in MONDAYS[-4:])]
    assert [held for _, held in going] == [True]
    assert [held for _, held in judge(weekly(stopped), CUT)] == [False]
    assert [held for _, held in judge(weekly(moved), CUT)] == [False]


def test_rules_that_meet_no_more_have_not_held() -> None:
    rng = np.random.default_rng(3)
    hours = np.sort(rng.choice(24 * 240, 160, replace=False))
    one = [datetime(2026, 1, 8, tzinfo=UTC) + timedelta(hours=int(hour)) for hour in hours]
    other = [at + timedelta(minutes=1 if to_instant(at) <= CUT else 2_000) for at in one]
    pair = judge(history({"One": one, "Other": other}, END), CUT)
    same = judge(
        history({"One": one, "Other": [at + timedelta(minutes=1) for at in one]}, END), CUT
    )
    assert {held for found, held in pair if found.other is not None} == {False}
    assert {held for found, held in same if found.other is not None} == {True}


def test_what_became_of_findings_moves_confidence_and_stands_on_the_card() -> None:
    found = only(weekly(MONDAYS), Type.SEASONAL)
    (bad,) = recalibrate([found], fit({Type.SEASONAL: [(0.99, False)] * 20}))
    (good,) = recalibrate([found], fit({Type.SEASONAL: [(0.99, True)] * 20}))
    assert bad.confidence < 50 < good.confidence
    assert bad.evidence["replication"] == {
        "judged": 20,
        "held": 0,
        "weeks": 4,
        "confidence_before": found.confidence,
    }
    assert replace(bad, confidence=found.confidence, evidence=found.evidence) == found
    assert recalibrate([found], {}) == [found]


_JUDGED = st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), max_size=60)


@given(_JUDGED, _JUDGED, st.booleans())
def test_another_finding_that_held_never_lowers_a_type(
    own: list[tuple[float, bool]], others: list[tuple[float, bool]], held: bool
) -> None:
    before = fit({Type.CYCLICAL: own, Type.SEASONAL: [*others, (0.5, not held)]})
    after = fit({Type.CYCLICAL: [*own, (0.5, held)], Type.SEASONAL: [*others, (0.5, not held)]})
    difference = after[Type.CYCLICAL].shift - before[Type.CYCLICAL].shift
    assert difference >= -1e-6 if held else difference <= 1e-6


def test_looking_back_sees_nothing_that_came_later() -> None:
    year = flights.read_triggers()
    cut = year.end - AFTER
    noise = np.random.default_rng(1).integers(cut + AFTER, cut + AFTER + HOUR, 500)
    later = replace(
        year,
        subject=np.concatenate([year.subject, np.zeros(500, np.int64)]),
        opened=np.concatenate([year.opened, noise]),
        resolved=np.concatenate([year.resolved, np.full(500, NEVER)]),
    )
    assert [(one.fingerprint, held) for one, held in judge(later, cut - AFTER)] == [
        (one.fingerprint, held) for one, held in judge(year, cut - AFTER)
    ]


def test_the_year_of_flights_judges_its_findings_and_keeps_their_order() -> None:
    year = flights.read_triggers()
    records = look_back(year)
    assert records == look_back(year)
    correlated = records[Type.CORRELATED]
    assert 0 < correlated.held <= correlated.judged
    found = [one for one in detect(year).findings if one.type is Type.CORRELATED]
    moved = recalibrate(found, records)
    before, after = ([one.confidence for one in each] for each in (found, moved))
    assert [x for _, x in sorted(zip(before, after, strict=True))] == sorted(after)


def test_a_season_is_read_from_its_card_as_it_was_written() -> None:
    card = only(weekly(MONDAYS), Type.SEASONAL).evidence["season"]
    assert season_json(read_season(card), card["zone"]) == card
