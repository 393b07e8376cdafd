"""What can be done before it happens, from evidence: what people did before, the runbook, tuning.

Pure. Each action is `{kind, title, detail, evidence}`; nothing is proposed that no row supports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

_MOST_NOTES = 3
_LEAST_MARKED, _NOISY = 4, 0.5


@dataclass(frozen=True, slots=True)
class Handled:
    """A past trigger of the rule with what somebody wrote when they dealt with it."""

    trigger_id: UUID
    opened_at: datetime
    minutes: float | None
    note: str
    author: str


@dataclass(frozen=True, slots=True)
class Prevented:
    """A past prediction that somebody acted upon, and whether the rule fired all the same."""

    prediction_id: UUID
    action: str
    probability: float
    fired: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one rule. `marked` and `false_positives` count people's feedback."""

    runbook_url: str = ""
    handled: Sequence[Handled] = ()
    prevented: Sequence[Prevented] = ()
    marked: int = 0
    false_positives: int = 0


def propose(rule_id: UUID, evidence: Evidence) -> list[dict[str, Any]]:
    """The actions, the best supported first: what worked, what was done, the runbook, tuning."""
    actions: list[dict[str, Any]] = []
    by_action: dict[str, list[Prevented]] = {}
    for one in evidence.prevented:
        by_action.setdefault(one.action, []).append(one)
    for action, taken in sorted(by_action.items(), key=lambda item: (-_quiet(item[1]), item[0])):
        quiet = _quiet(taken)
        if quiet == 0:
            continue
        expected = sum(1 - one.probability / 100 for one in taken)
        actions.append(
            {
                "kind": "worked_before",
                "title": action,
                "detail": f"Done {len(taken)} times on a prediction; {quiet} times no alert came"
                f" ({expected:.1f} would have been quiet without it).",
                "evidence": {"prediction_ids": [str(one.prediction_id) for one in taken]},
            }
        )
    for past in evidence.handled[:_MOST_NOTES]:
        lasted = "" if past.minutes is None else f", over after {past.minutes:.0f} min"
        actions.append(
            {
                "kind": "done_before",
                "title": past.note,
                "detail": f"{past.author} on {past.opened_at:%Y-%m-%d}{lasted}.",
                "evidence": {"trigger_id": str(past.trigger_id)},
            }
        )
    if evidence.runbook_url:
        actions.append(
            {
                "kind": "runbook",
                "title": "Follow the runbook",
                "detail": evidence.runbook_url,
                "evidence": {"url": evidence.runbook_url},
            }
        )
    if evidence.marked >= _LEAST_MARKED and evidence.false_positives / evidence.marked >= _NOISY:
        actions.append(
            {
                "kind": "tune",
                "title": "Tune the rule",
                "detail": f"{evidence.false_positives} of {evidence.marked} marked alerts were"
                " false positives; tuning shows which settings would have saved them.",
                "evidence": {"rule_id": str(rule_id)},
            }
        )
    return actions


def _quiet(taken: Sequence[Prevented]) -> int:
    return sum(not one.fired for one in taken)
