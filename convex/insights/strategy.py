"""Judging a strategy document: its passages as evidence, the rubric's word when no model can."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from uuid import UUID

from convex.db import Connection
from convex.frameworks import get_framework, strategies, strategy_store
from convex.frameworks.rubric import CheckResult, Judgement, judge
from convex.frameworks.strategy import ScoredBy, StrategyScore, StrategyVersion, SubScores, Verdict
from convex.insights.answers import SUB_SCORES, Advice, Statement, Strategy, SubScore
from convex.insights.model import Insight, Kind, Pack, Source
from convex.insights.packing import LONGEST_TEXT, Packer, pack
from convex.insights.service import Order

_MOST_BYTES = 40_000
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_ADDRESS = re.compile(r"\S+@\S+\.\S+")
_SAYS = {
    Verdict.PASS: "can go out as it is",
    Verdict.NEEDS_REVISION: "needs revision",
    Verdict.FAIL: "does not hold yet",
}


async def strategy_order(
    connection: Connection,
    workspace_id: UUID,
    framework_id: UUID,
    *,
    version: int | None,
    now: datetime,
    requested_by: UUID | None = None,
) -> tuple[Order, StrategyVersion]:
    """The order for one version (the newest without a number). Raises `NotFound`."""
    framework = (await get_framework(connection, workspace_id, framework_id)).framework
    chosen = await strategies.get_version(connection, framework_id, version)
    packer = Packer(query=f"strategy_version({framework.slug}, {chosen.number})")
    for passage in passages(chosen.document):
        packer.add("passage", "a passage of the document", passage)
    made = pack(Kind.STRATEGY, framework.name, now, packer, most_bytes=_MOST_BYTES)
    judgement = await asyncio.to_thread(judge, chosen.document)
    fallback = by_rubric(judgement, made) if made.facts else None
    order = Order(
        workspace_id,
        made,
        framework_id=framework_id,
        requested_by=requested_by,
        fallback=fallback,
    )
    return order, chosen


async def keep_score(
    connection: Connection, workspace_id: UUID, version: StrategyVersion, insight: Insight
) -> StrategyScore | None:
    """Enter Claude's judgement into the history of scores, once; the rubric's is not entered here.

    None when a template wrote it, or when this insight has been entered before.
    """
    if insight.source is not Source.CLAUDE:
        return None
    known = await strategies.list_scores(connection, version.framework_id, version=version.number)
    if any(one.evidence.get("insight_id") == str(insight.id) for one in known.items):
        return None
    content = insight.content
    return await strategy_store.insert_score(
        connection,
        workspace_id,
        version,
        sub_scores=SubScores(**{name: float(content[name]["score"]) for name in SUB_SCORES}),
        scored_by=ScoredBy.CLAUDE,
        rationale=content["headline"]["text"],
        evidence={
            "insight_id": str(insight.id),
            **{
                name: [{"text": content[name]["text"], "quotes": [content[name]["quote"]]}]
                for name in SUB_SCORES
            },
        },
        author_id=insight.requested_by,
    )


def passages(document: str) -> list[str]:
    """The paragraphs of a document, long ones cut between sentences, e-mail addresses taken out."""
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n", _ADDRESS.sub("[…]", document)):
        text = " ".join(paragraph.split())
        piece = ""
        for sentence in _SENTENCE_END.split(text):
            for part in _cut(sentence):
                if piece and len(piece) + 1 + len(part) > LONGEST_TEXT:
                    found.append(piece)
                    piece = part
                else:
                    piece = f"{piece} {part}".strip()
        if piece:
            found.append(piece)
    return found


def _cut(sentence: str) -> list[str]:
    return [
        sentence[at : at + LONGEST_TEXT] for at in range(0, max(1, len(sentence)), LONGEST_TEXT)
    ]


def by_rubric(judgement: Judgement, evidence: Pack) -> Strategy:
    """The rubric's judgement in the same shape. Pure.

    What it counted is not repeated in words: those numbers are of the rubric, not of the document.
    """
    parts = {
        name: _part(name, judgement.sub_scores.values[name], judgement.checks[name], evidence)
        for name in SUB_SCORES
    }
    first = evidence.facts[0].id
    lowest = sorted(SUB_SCORES, key=lambda name: judgement.sub_scores.values[name])[:2]
    weak = " and ".join(_plain(name) for name in lowest)
    verdict = judgement.sub_scores.verdict
    text = f"By the rubric this strategy {_SAYS[verdict]}"
    text += "." if verdict is Verdict.PASS else f"; most is missing in {weak}."
    return Strategy(
        headline=Statement(text=text, facts=[first]),
        **parts,
        recommendations=[
            Advice(
                text=f"Add to {_plain(name)}: {missing}.",
                actionability=60,
                facts=parts[name].facts,
            )
            for name in lowest
            if (missing := _names(judgement.checks[name], found=False))
        ],
    )


def _part(name: str, score: float, checks: list[CheckResult], evidence: Pack) -> SubScore:
    found, missing = _names(checks, found=True), _names(checks, found=False)
    text = f"For {_plain(name)} the rubric finds {found or 'nothing that it looks for'}"
    text += f"; it misses {missing}." if missing else "."
    quote, fact = _quote(checks, evidence)
    return SubScore(score=round(score), text=text, facts=[fact], quote=quote)


def _names(checks: list[CheckResult], *, found: bool) -> str:
    names = [
        check.name
        for check in checks
        if (check.points >= check.of / 2) == found and not re.search(r"\d", check.name)
    ]
    return ", ".join(names)


def _quote(checks: list[CheckResult], evidence: Pack) -> tuple[str, str]:
    """Words of the document that a check found, and the passage that they are in."""
    for check in checks:
        for quote in check.quotes:
            words = " ".join(quote.split())
            for fact in evidence:
                if len(words) >= 3 and words.lower() in str(fact.value).lower():
                    return words, fact.id
    first = max(evidence.facts, key=lambda fact: min(len(str(fact.value)), 60))
    return str(first.value)[:120], first.id


def _plain(name: str) -> str:
    return name.replace("_", " ")
