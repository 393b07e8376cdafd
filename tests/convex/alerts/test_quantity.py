"""Numbers and sentences as people read them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.alerts.describe import describe_opening
from convex.alerts.model import Condition, Reason, RuleType
from convex.alerts.quantity import number, quantities, quantity
from convex.metrics.model import Aggregate
from tests.convex.alerts.rules import make_rule, milestone_rule

BASELINE = "its own baseline of the last four weeks"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.25341, "", "0.2534"),
        (5000, "", "5,000"),
        (100_000, "", "100,000"),
        (1234.56, "", "1,235"),
        (0, "", "0"),
        (-0.5, "none", "-0.5"),
        (1e-9, "", "1e-09"),
        (2.5e18, "1", "2.5e+18"),
        (None, "ratio", "unknown"),
        (math.inf, "s", "inf"),
        (0.5747, "ratio", "57.47 %"),
        (0.07, "share", "7 %"),
        (0.2, "Ratio", "20 %"),
        (12.5, "percent", "12.5 %"),
        (12.5, "%", "12.5 %"),
        (0.2534, "s", "253.4 ms"),
        (250, "ms", "250 ms"),
        (1500, "ms", "1.5 s"),
        (0.0000125, "s", "12.5 µs"),
        (0, "s", "0 s"),
        (59.9, "seconds", "59.9 s"),
        (5000, "s", "1 h 23 min 20 s"),
        (90, "s", "1 min 30 s"),
        (-90, "s", "−1 min 30 s"),
        (90_061, "s", "1 d 1 h 1 min"),
        (83.5, "min", "83.5 min"),
        (512, "bytes", "512 B"),
        (5000, "By", "4.883 KiB"),
        (3 * 1024**3, "B", "3 GiB"),
        (0.253, "EUR", "0.25 EUR"),
        (5000, "usd", "5,000.00 USD"),
        (-12.5, "$", "−$12.50"),
        (1240, "flights", "1,240 flights"),
        (4.25, " mph ", "4.25 mph"),
    ],
)
def test_a_quantity_is_written_in_its_unit(value: float | None, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


@given(
    value=st.floats(allow_nan=False, allow_infinity=False),
    unit=st.sampled_from(["", "ratio", "percent", "s", "ms", "bytes", "EUR", "$", "flights"]),
)
def test_every_number_can_be_written(value: float, unit: str) -> None:
    assert quantity(value, unit)
    assert number(value)


@given(first=st.integers(-(10**6), 10**6), step=st.integers(1, 9))
def test_values_that_differ_never_read_the_same(first: int, step: int) -> None:
    one, other = quantities("flights", first / 1000, (first + step) / 1000)
    assert one != other


@pytest.mark.parametrize(
    ("fields", "value", "score", "text"),
    [
        ({"threshold_value": 0.2, "unit": "ratio", "for_seconds": 7200}, 0.575, 0.575,
         "delay is 57.5 %, above 20 %, for 2h."),
        ({"threshold_value": 10.0, "unit": "min"}, 10.00004, 10.00004,
         "delay is 10.00004 min, above 10 min."),
        ({"aggregate": Aggregate.P95, "window_seconds": 300, "unit": "s", "threshold_value": 2.0},
         2.5, 2.5, "The 95th percentile of delay over 5m is 2.5 s, above 2 s."),
        ({"aggregate": Aggregate.COUNT, "window_seconds": 300, "unit": "ratio",
          "threshold_value": 3.0, "condition": Condition.BELOW},
         2, 2, "The count of delay over 5m is 2, below 3."),
        ({"condition": Condition.CHANGES_BY, "threshold_value": None, "change_percentage": 30.0,
          "unit": "EUR"}, 1300, 42.4242,
         "delay is 1,300.00 EUR, a change of 42.42 % against the point before (alert at 30 %)."),
        ({"condition": Condition.CHANGES_BY, "threshold_value": None, "change_percentage": 30.0},
         13, 1.7976931348623157e308,
         "delay is 13, after nothing in the point before (alert at 30 %)."),
        ({"type": RuleType.PERFORMANCE, "threshold_value": None, "change_percentage": 10.0,
          "unit": "ratio"}, 0.7, 12.5,
         f"delay is 70 %, 12.5 % worse than {BASELINE} (alert at 10 %)."),
        ({"type": RuleType.ANOMALY, "threshold_value": None, "method": "robust_z", "unit": "min"},
         83.5, 7.123456,
         "delay is 83.5 min: unusual for this hour of the week (score 7.123, alert at 4.5)."),
    ],
)  # fmt: skip
def test_an_opening_is_one_sentence_in_the_unit_of_the_metric(
    fields: dict[str, Any], value: float, score: float, text: str
) -> None:
    rule = make_rule(metric="delay", **fields)
    assert describe_opening(rule, value, score, Reason.CONDITION_MET) == text


def test_a_milestone_says_what_was_reached() -> None:
    rule = milestone_rule(metric="departures", unit="flights")
    assert describe_opening(rule, 100_000, 100_000, Reason.GOAL_REACHED) == (
        "The total of departures is 100,000 flights and has reached the goal of 10 flights."
    )
