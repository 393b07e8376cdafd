"""What counts as a number in prose, and which facts hold it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.insights.model import INSTANT, PERCENT, RATIO, Fact, Value
from convex.insights.numerals import Sort, holds, read_numerals
from tests.convex.insights.packs import instants, units, values

_START = datetime(2026, 11, 18, tzinfo=UTC)


def fact(value: Value, unit: str = "", *, days: int = 0, what: str = "something") -> Fact:
    start, end = (_START, _START + timedelta(days=days)) if days else (None, None)
    return Fact("f1", "k", "q", what, value, unit, start=start, end=end)


def held(text: str, *facts: Fact) -> bool:
    found = read_numerals(text)
    assert found, "the text has no number"
    return all(any(holds(one, numeral) for one in facts) for numeral in found)


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("it was 53.2 %", fact(0.5318, RATIO)),
        ("it was 53%", fact(0.5318, RATIO)),
        ("53 percent", fact(53.2, PERCENT)),
        ("by 53 percentage points", fact(53.2, PERCENT)),
        ("0.53 of them", fact(0.5318, RATIO)),
        ("1,234 alerts", fact(1234, "triggers")),
        ("1\u202f234 alerts", fact(1234, "triggers")),
        ("1’234 alerts", fact(1234, "triggers")),
        ("1 234 alerts", fact(1234, "triggers")),
        ("no alerts", fact(0, "triggers")),
        ("no critical alerts", fact(0, "triggers")),
        ("none was marked", fact(0, "triggers")),
        ("1.2k alerts", fact(1234, "triggers")),
        ("1.2 million points", fact(1_234_567, "points")),
        ("twelve alerts", fact(12, "triggers")),
        ("twenty-five alerts", fact(25, "triggers")),
        ("two hundred alerts", fact(200, "triggers")),
        ("a dozen alerts", fact(12, "triggers")),
        ("１２ alerts", fact(12, "triggers")),
        ("fell by 5.5 points", fact(-5.5, "points")),
        ("changed by −5.5", fact(-5.5, "points")),
        ("1.5 hours", fact(90, "min")),
        ("90 min", fact(1.5, "h")),
        ("half an hour", fact(30, "min")),
        ("two hours", fact(120, "min")),
        ("doubled", fact(2.0, "times as many")),
        ("half of them", fact(0.5, RATIO)),
        ("two thirds", fact(2 / 3, RATIO)),
        ("on 23 November 2026", fact("2026-11-23T07:15:00+00:00", INSTANT)),
        ("on November 23", fact("2026-11-23T07:15:00+00:00", INSTANT)),
        ("on Nov 23rd, 2026 at 07:15", fact("2026-11-23T07:15:00+00:00", INSTANT)),
        ("at 7:15 am", fact("2026-11-23T07:15:00+00:00", INSTANT)),
        ("at 2026-11-23T07:15:00Z", fact("2026-11-23T07:15:00+00:00", INSTANT)),
        ("in November 2026", fact("2026-11-23T07:15:00+00:00", INSTANT)),
        ("in the last 7 days", fact(1, days=7)),
        ("a 7-day window", fact(1, days=7)),
        ("over 168 h", fact(1, days=7)),
        ("from 18 to 24 November", fact(1, days=7)),
        ("2026-11-18 to 2026-11-24", fact(1, days=7)),
        ("11 of 13 weeks", fact("Mon 09:00, 11 of 13 weeks")),
        ("at 09:00", fact("Mon 09:00, 11 of 13 weeks")),
        ("the p95", fact(1.0, what="p95 of the delay")),
        ("between 20 and 30 %", fact("20 % to 30 %")),
    ],
)
def test_a_number_that_the_fact_holds_however_it_is_written(text: str, one: Fact) -> None:
    assert held(text, one)


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("it was 54 %", fact(0.5318, RATIO)),
        ("it was 53.0 %", fact(0.5318, RATIO)),
        ("53 % of alerts", fact(53, "triggers")),
        ("53 alerts", fact(53, PERCENT)),
        ("53 alerts", fact(0.53, RATIO)),
        ("90 hours", fact(90, "min")),
        ("90 alerts", fact(90, "min")),
        ("1,235 alerts", fact(1234, "triggers")),
        ("1.3k alerts", fact(1234, "triggers")),
        ("thirteen alerts", fact(12, "triggers")),
        ("twenty alerts", fact(12, "triggers")),
        ("tripled", fact(2.0)),
        ("changed by -5.5", fact(5.5)),
        ("no more than 0 alerts", fact(0.4)),
        ("24 November", fact("2026-11-23T07:15:00+00:00", INSTANT)),
        ("23 October", fact("2026-11-23T07:15:00+00:00", INSTANT)),
        ("23 November 2025", fact("2026-11-23T07:15:00+00:00", INSTANT)),
        ("at 07:16", fact("2026-11-23T07:15:00+00:00", INSTANT)),
        ("at 7:15 pm", fact("2026-11-23T07:15:00+00:00", INSTANT)),
        ("in the last 8 days", fact(1, days=7)),
        ("v2.1", fact(2.1)),
        ("p99", fact(99)),
        ("dozens of alerts", fact(24, "triggers")),
        ("no alerts", fact(3, "triggers")),
        ("٩٩ alerts", fact(12, "triggers")),
        ("between 20 and 30 %", fact("20 triggers, 30 %")),
    ],
)
def test_a_number_that_the_fact_does_not_hold(text: str, one: Fact) -> None:
    assert not held(text, one)


def test_words_without_a_number_hold_none() -> None:
    for text in (
        "One of the rules may fire again.",
        "No one acknowledged it.",
        "Mon, first of all",
    ):
        assert read_numerals(text) == ()


def test_every_digit_of_a_text_belongs_to_some_numeral() -> None:
    text = "v2 p95 12ms3 1.2.3 #4 5/6 7-8 £9 10€ x11 12x 13th 1e5 0x1F"
    told = "".join(numeral.text for numeral in read_numerals(text))
    assert sorted(c for c in told if c.isdigit()) == sorted(c for c in text if c.isdigit())


@given(value=values, unit=units)
def test_what_a_fact_shows_it_holds(value: float, unit: str) -> None:
    one = fact(value, unit)
    for numeral in read_numerals(f"It was {one.shown}, they say."):
        assert holds(one, numeral), (one.shown, numeral)


@given(instants)
def test_the_instant_that_a_fact_shows_it_holds(at: datetime) -> None:
    one = fact(at.replace(microsecond=0).isoformat(), INSTANT)
    assert held(f"It began at {one.shown}.", one)


@given(value=st.integers(0, 10**6), other=st.integers(0, 10**6))
def test_counts_are_held_exactly(value: int, other: int) -> None:
    assert held(f"{other:,} alerts", fact(value, "triggers")) == (value == other)


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    for numeral in read_numerals(text):
        assert numeral.sort in Sort
