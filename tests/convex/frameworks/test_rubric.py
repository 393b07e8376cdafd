"""The rubric and the comparison of documents: pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.frameworks.diff import compare
from convex.frameworks.rubric import Known, judge
from convex.frameworks.strategy import SubScores, Verdict

GOOD = """# Goal

Our goal is to raise the on-time rate to 85 % by June so that families choose us.

## Outcomes

- We reduce cancellations by 30 % within 12 weeks.
- We increase bookings by 2,000 customers in Q3.
- We cut delays to 10 minutes and save $400,000.
- We improve conversion from 2 % to 3 %.

## Proof

A pilot at JFK measured 12 % fewer cancellations. Source: https://example.com/study
A survey of 800 customers (2024) shows the same. The case study is public, and a benchmark agrees.

## Objections

Is it too expensive? No, because the pilot paid for itself in 3 months.
Why not wait? Competitors start in May; we answer by starting in March.

## Risk removal

Every customer gets a refund guarantee and can cancel at any time.
The main risk is weather. If the plan fails, we roll back within 2 days.
"""
KNOWN = Known(["on_time_rate", "cancel_rate", "conversion"], ["on_time_rate", "conversion"])


def test_a_complete_document_passes() -> None:
    found = judge(GOOD, KNOWN)
    assert found.sub_scores.verdict is Verdict.PASS
    assert min(found.sub_scores.values.values()) >= 75


def test_words_without_figures_proof_or_guarantee_fail() -> None:
    found = judge("We are the best. Our synergies are holistic. Everything will be great.")
    assert found.sub_scores.verdict is Verdict.FAIL
    assert found.sub_scores.proof == found.sub_scores.risk_removal == 0


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("Is it too late? No, because we start today.", "objection_handling"),
        ("There is a full refund and a free trial. You can cancel.", "risk_removal"),
        ("Source: https://example.com. A survey measured it.", "proof"),
        ("We increase sales. We reduce churn. Our goal is growth.", "outcome_focus"),
        ("By June 2026 we have 300 customers, 12 % more.", "specificity"),
    ],
)
def test_each_side_is_lifted_by_what_it_looks_for(text: str, side: str) -> None:
    plain = judge("It is what it is.").sub_scores.values
    assert judge(f"It is what it is. {text}").sub_scores.values[side] > plain[side]


def test_points_come_with_what_was_found() -> None:
    checks = {check["name"]: check for check in judge(GOOD, KNOWN).evidence()["proof"]}
    measured = checks["named metrics with points in the last week"]
    assert measured["points"] == 30
    assert list(measured["quotes"]) == ["on_time_rate", "conversion"]
    assert checks["sources"]["found"] == 2


def test_what_is_missing_most_is_named() -> None:
    assert "risk_removal: guarantees" in judge("A plan.").rationale()


@given(st.text(max_size=400), st.lists(st.text(max_size=12), max_size=4))
def test_any_text_gets_scores_between_0_and_100_and_the_same_again(
    text: str, metrics: list[str]
) -> None:
    first = judge(text, Known(metrics, metrics[:1]))
    assert all(0 <= value <= 100 for value in first.sub_scores.values.values())
    assert first == judge(text, Known(metrics, metrics[:1]))


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((75, 75, 75, 75, 75, 75), Verdict.PASS),
        ((100, 100, 100, 100, 100, 49), Verdict.NEEDS_REVISION),
        ((74, 74, 74, 74, 74, 74), Verdict.NEEDS_REVISION),
        ((49, 49, 49, 49, 49, 49), Verdict.FAIL),
        ((100, 100, 100, 100, 100, 19), Verdict.FAIL),
    ],
)
def test_the_verdict_follows_from_the_scores(values: tuple[float, ...], verdict: Verdict) -> None:
    assert SubScores(*values).verdict is verdict


def test_a_diff_names_lines_of_both_sides() -> None:
    found = compare("a\nb\nc", "a\nx\nc\nd", "version 1", "version 2")
    assert [(c.kind, c.old_start, c.new_start, c.old, c.new) for c in found.changes] == [
        ("replaced", 2, 2, ["b"], ["x"]),
        ("added", 4, 4, [], ["d"]),
    ]
    assert (found.added, found.removed) == (2, 1)
    assert found.unified.startswith("--- version 1\n+++ version 2\n")


@given(st.text("ab\n", max_size=40), st.text("ab\n", max_size=40))
def test_applying_the_changes_gives_the_new_document(old: str, new: str) -> None:
    lines = old.splitlines()
    for change in reversed(compare(old, new, "old", "new").changes):
        start = change.old_start - 1
        lines[start : start + len(change.old)] = change.new
    assert lines == new.splitlines()
