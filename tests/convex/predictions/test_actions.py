from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from convex.predictions.actions import Evidence, Handled, Prevented, propose

RULE = UUID(int=1)


def test_without_evidence_nothing_is_proposed() -> None:
    assert propose(RULE, Evidence()) == []


def test_what_worked_comes_first_and_what_did_not_is_left_out() -> None:
    evidence = Evidence(
        runbook_url="https://example.com/r",
        handled=[
            Handled(UUID(int=2), datetime(2026, 1, 2, tzinfo=UTC), 35.0, "Restarted it", "Ann")
        ],
        prevented=[
            Prevented(UUID(int=3), "Add a lane", 70, False),
            Prevented(UUID(int=4), "Add a lane", 60, True),
            Prevented(UUID(int=5), "Pray", 70, True),
        ],
        marked=4,
        false_positives=2,
    )
    found = propose(RULE, evidence)
    assert [one["kind"] for one in found] == ["worked_before", "done_before", "runbook", "tune"]
    assert found[0]["title"] == "Add a lane"
    assert "2 times" in found[0]["detail"]
    assert "0.7 would have been quiet" in found[0]["detail"]
    assert found[1]["detail"] == "Ann on 2026-01-02, over after 35 min."


def test_a_rule_that_is_mostly_right_need_not_be_tuned() -> None:
    assert propose(RULE, Evidence(marked=10, false_positives=4)) == []
    assert propose(RULE, Evidence(marked=3, false_positives=3)) == []
