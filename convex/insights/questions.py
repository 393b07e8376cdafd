"""Questions in plain words: which fact queries answer them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import ValidationError

from convex.errors import InvalidInput
from convex.insights import service
from convex.insights.answers import QueryPlan
from convex.insights.catalogue import QUERIES
from convex.insights.claude import Claude
from convex.insights.evidence import question_pack
from convex.insights.model import Insight, clean_name
from convex.insights.prompts import plan_prompt
from convex.settings import InsightSettings

LONGEST = 500
MOST_QUERIES = 5
_DAYS = re.compile(r"\b(\d{1,3})\s*-?\s*(day|week|month)s?\b", re.IGNORECASE)
_SPANS = (
    ("today", 1),
    ("yesterday", 2),
    ("week", 7),
    ("month", 30),
    ("quarter", 90),
    ("year", 365),
)
_LENGTH = {"day": 1, "week": 7, "month": 30}
_LONGEST_DAYS = 365


async def answer(
    transact: service.Transact,
    claude: Claude | None,
    settings: InsightSettings,
    workspace_id: UUID,
    question: str,
    *,
    now: datetime,
    framework_id: UUID | None = None,
    requested_by: UUID | None = None,
) -> Insight:
    """An answer from fact queries alone, kept as an insight. Raises `InvalidInput`, `NotFound`."""
    asked = clean_name(question, LONGEST)
    if not asked:
        raise InvalidInput("Ask something.", field="question")
    queries = None
    if claude is not None:
        queries = await _plan(transact, claude, settings, workspace_id, asked, now)
    if queries is None:
        queries = plan(asked)
    async with transact() as connection:
        evidence = await question_pack(
            connection, workspace_id, asked, queries, now=now, framework_id=framework_id
        )
    order = service.Order(
        workspace_id, evidence, framework_id=framework_id, requested_by=requested_by
    )
    return await service.write(transact, claude, settings, order, now=now)


def plan(question: str) -> list[tuple[str, int]]:
    """The queries whose words the question uses, the closest first, and how many days back. Pure.

    None when it uses no such word.
    """
    words = set(re.findall(r"[a-z]+", question.lower()))
    days = _days_of(question)
    scored = [(len(words & set(query.words)), name) for name, query in QUERIES.items()]
    best = sorted((pair for pair in scored if pair[0]), key=lambda pair: -pair[0])
    return [(name, days) for _, name in best[:MOST_QUERIES]]


def _days_of(question: str) -> int:
    match = _DAYS.search(question)
    if match:
        return max(1, min(_LONGEST_DAYS, int(match[1]) * _LENGTH[match[2].lower()]))
    lower = question.lower()
    return next((days for word, days in _SPANS if word in lower), 7)


async def _plan(
    transact: service.Transact,
    claude: Claude,
    settings: InsightSettings,
    workspace_id: UUID,
    question: str,
    now: datetime,
) -> Sequence[tuple[str, int]] | None:
    """As Claude chooses; None when it could not be asked or chose nothing that there is."""
    prompt = plan_prompt(question, [(query.name, query.says) for query in QUERIES.values()])
    found = await service.ask_aside(transact, claude, settings, workspace_id, prompt, now=now)
    if found is None or found.stop != "end_turn":
        return None
    try:
        chosen = QueryPlan.model_validate_json(found.text)
    except ValidationError:
        return None
    return [
        (one.query, max(1, min(_LONGEST_DAYS, one.days)))
        for one in chosen.queries[:MOST_QUERIES]
        if one.query in QUERIES
    ]
