from __future__ import annotations

import pytest

from convex.predictions.gates import NOT_ENOUGH, confidence_of, risk_of
from convex.predictions.model import Confidence


@pytest.mark.parametrize(
    ("days", "triggers", "bound", "expected"),
    [
        (83.9, 500, 0.3, Confidence.LOW),
        (400, 19, 0.3, Confidence.LOW),
        (84, 20, None, Confidence.MEDIUM),
        (84, 20, 0.3, Confidence.MEDIUM),
        (119, 40, 0.3, Confidence.MEDIUM),
        (120, 39, 0.3, Confidence.MEDIUM),
        (120, 40, 0.0, Confidence.MEDIUM),
        (120, 40, -0.1, Confidence.MEDIUM),
        (120, 40, 0.01, Confidence.HIGH),
    ],
)
def test_confidence_needs_history_and_skill(
    days: float, triggers: int, bound: float | None, expected: Confidence
) -> None:
    found, why = confidence_of(days, triggers, bound)
    assert found is expected
    assert why.startswith(NOT_ENOUGH) == (expected is Confidence.LOW)


def test_risk_is_the_probability_weighted_by_severity() -> None:
    assert risk_of(0.5, "critical") == 50
    assert risk_of(0.5, "critical") > risk_of(0.5, "warning") > risk_of(0.5, "info") > 0
