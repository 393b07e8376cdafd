"""One conversation about one pack: ask, verify, ask once more, or give up with a reason.

Touches no database. What it cost is known whatever came of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from convex.insights.answers import AnyContent, Content, Strategy
from convex.insights.claude import Answer, CallFailed, Claude
from convex.insights.model import Fallback, Pack, Usage
from convex.insights.prompts import Prompt, repair_prompt, shape_of, write_prompt
from convex.insights.verify import Verdict, describe, verify

MOST_CALLS = 2


@dataclass(slots=True)
class Outcome:
    """What came of it: content, or why there is none. `uncertain`: a call may have cost more."""

    content: AnyContent | None = None
    why: Fallback | None = None
    usages: list[Usage] = field(default_factory=list)
    request_id: str = ""
    verdicts: list[Verdict] = field(default_factory=list)
    detail: str = ""
    uncertain: bool = False

    @property
    def usage(self) -> Usage:
        """Of all calls together."""
        return sum(self.usages, Usage())

    def verification(self) -> dict[str, Any]:
        """The counts that quality is made of, and what was refused.

        `statements` are those of the first answer; `repaired` those that were refused there and
        hold in the second; `rejected` those that never held.
        """
        if not self.verdicts:
            return {"calls": len(self.usages), "detail": self.detail}
        first, last = self.verdicts[0], self.verdicts[-1]
        refused = first.statements - first.verified
        repaired = 0
        if len(self.verdicts) > 1:
            still = last.statements - last.verified
            repaired = max(0, refused - still) if self.content is not None else 0
        return {
            "calls": len(self.usages),
            "statements": first.statements,
            "verified": first.verified,
            "repaired": repaired,
            "rejected": refused - repaired,
            "answers": [verdict.as_json() for verdict in self.verdicts],
            "detail": self.detail,
        }


async def converse(
    claude: Claude, pack: Pack, model: str, *, first: Answer | None = None
) -> Outcome:
    """Ask about the pack; `first` is an answer that is there already (from a batch)."""
    outcome = Outcome()
    asked = write_prompt(pack)
    prompt = asked
    for call in range(MOST_CALLS):
        try:
            answer = first if first is not None else await claude.ask(prompt, model)
        except CallFailed as failed:
            outcome.why = failed.why
            outcome.detail = failed.detail
            outcome.uncertain = failed.charged
            return outcome
        first = None
        outcome.usages.append(answer.usage)
        outcome.request_id = answer.request_id
        content, why, problems = judge(answer, pack, outcome)
        if content is not None:
            outcome.content, outcome.why = content, None
            return outcome
        outcome.why = why
        if why is Fallback.REFUSAL or call + 1 == MOST_CALLS:
            return outcome
        prompt = _again(asked, answer, problems)
    return outcome


def judge(
    answer: Answer, pack: Pack, outcome: Outcome
) -> tuple[AnyContent | None, Fallback | None, str]:
    """The content if it may be shown; else why not, and what to tell the model."""
    if answer.stop == "refusal":
        return None, Fallback.REFUSAL, ""
    if answer.stop in ("max_tokens", "model_context_window_exceeded"):
        return None, Fallback.CUT_OFF, "- it was cut off: be much shorter"
    shape: type[Content] | type[Strategy] = shape_of(pack.kind)
    try:
        content = shape.model_validate_json(answer.text)
    except ValidationError as error:
        outcome.detail = f"{error.error_count()} errors in the answer's shape"
        return None, Fallback.INVALID_ANSWER, "- it was not the JSON that the schema asks for"
    verdict = verify(content, pack)
    outcome.verdicts.append(verdict)
    if verdict.holds:
        return content, None, ""
    return None, Fallback.NOT_VERIFIED, describe(verdict.problems)


def _again(asked: Prompt, answer: Answer, problems: str) -> Prompt:
    # Half an answer would only be gone on with.
    text = "" if answer.stop == "max_tokens" else answer.text
    return repair_prompt(asked, text, problems)
