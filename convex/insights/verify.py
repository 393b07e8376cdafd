"""Whether an answer says only what its evidence holds. Pure.

Each statement cites facts of its pack, and every number, date and time in it is held by one of the
facts that *it* cites. Names that members chose are no claims: they are taken out first, but where
a name has digits only when it stands in quotation marks, so that it cannot pass for a figure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from convex.insights.answers import AnyContent, Content, Reply, Said, statements
from convex.insights.model import HUNDRED, PERCENT, RATIO, TEXT, Fact, Pack
from convex.insights.numerals import Numeral, Sort, holds, normalise, read_numerals
from convex.scoring.health import status_of

LONGEST = 600
MOST_CITED = 8
MOST = {"summary": 5, "findings": 6, "risks": 4, "recommendations": 4}
_MARKUP = re.compile(r"://|www\.|\]\(|</?[A-Za-z!]|```", re.IGNORECASE)
_UP = re.compile(
    r"\b(?:rose|risen|rising|increased?|grew|grown|climbed|up (?:by|from))\b"
    r"|\d\s*%?\s+(?:[a-z]+\s+)?(?:more|higher)\b",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"\b(?:fell|fallen|falling|decreased?|dropped|declined?|down (?:by|from))\b"
    r"|\d\s*%?\s+(?:[a-z]+\s+)?(?:fewer|less|lower)\b",
    re.IGNORECASE,
)
_STATUS = re.compile(r"\b(excellent|good|fair|poor|healthy)\b", re.IGNORECASE)
_HEALTHY = frozenset({"excellent", "good"})
_WORD = re.compile(r"[^\W\d_]{2,}")
_FEWEST_WORDS = 2
_QUOTES = "\"'“”„‘’«»"


class Wrong(StrEnum):
    """What can be wrong with a statement."""

    UNCITED = "uncited"
    UNKNOWN_FACT = "unknown_fact"
    NUMBER = "number"
    DIRECTION = "direction"
    SCORE = "score"
    QUOTE = "quote"
    MARKUP = "markup"
    EMPTY = "empty"
    STATUS = "status"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `detail` never repeats more of the answer than the number."""

    where: str
    wrong: Wrong
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many statements there are, how many of them hold, and what is wrong with the rest."""

    statements: int
    verified: int
    problems: Sequence[Problem]

    @property
    def holds(self) -> bool:
        """Whether everything may be shown."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "statements": self.statements,
            "verified": self.verified,
            "problems": [
                {"where": p.where, "wrong": p.wrong.value, "detail": p.detail}
                for p in self.problems
            ],
        }


def verify(content: AnyContent, pack: Pack) -> Verdict:
    """Hold every statement of `content` against `pack`."""
    facts = pack.by_id()
    open_ended = isinstance(content, Reply) and not content.answered
    count = verified = 0
    problems: list[Problem] = []
    for said in statements(content):
        count += 1
        wrong = list(_check(said, facts, pack))
        if open_ended and said.where == "headline":  # "the figures do not say" rests on none
            wrong = [one for one in wrong if one.wrong is not Wrong.UNCITED]
            if not said.facts and read_numerals(without_names(said.text, (), pack)):
                wrong.append(Problem(said.where, Wrong.NUMBER, "a number needs a cited fact"))
        verified += not wrong
        problems.extend(wrong)
    if isinstance(content, Content):
        for name, most in MOST.items():
            if len(getattr(content, name)) > most:
                problems.append(Problem(name, Wrong.TOO_MANY, f"at most {most} are shown"))
        if not content.summary and not open_ended:
            problems.append(Problem("summary", Wrong.EMPTY, "a summary is needed"))
    return Verdict(count, verified, problems)


def describe(problems: Sequence[Problem]) -> str:
    """The problems as a model is told of them, one a line."""
    return "\n".join(f"- {one.where}: {one.wrong.value}: {one.detail}" for one in problems[:40])


def _check(said: Said, facts: dict[str, Fact], pack: Pack) -> Sequence[Problem]:
    def problem(wrong: Wrong, detail: str) -> Problem:
        return Problem(said.where, wrong, detail)

    found: list[Problem] = []
    unknown = [one for one in said.facts if one not in facts]
    if unknown:
        found.append(problem(Wrong.UNKNOWN_FACT, f"there is no fact {unknown[0][:20]!r}"))
    cited = [facts[one] for one in said.facts if one in facts]
    if not cited:
        return [*found, problem(Wrong.UNCITED, "cite the facts that it rests on")]
    if len(cited) > MOST_CITED:  # who cites everything has backed nothing
        return [*found, problem(Wrong.TOO_MANY, f"cite at most {MOST_CITED} facts")]
    if len(said.text) > LONGEST:
        return [*found, problem(Wrong.TOO_LONG, f"at most {LONGEST} characters")]
    if _MARKUP.search(said.text):
        found.append(problem(Wrong.MARKUP, "plain text only: no links, no markup"))
    text = without_names(said.text, cited, pack)
    if len(_WORD.findall(text)) < _FEWEST_WORDS:
        return [*found, problem(Wrong.EMPTY, "it says nothing of its own")]
    found += [
        problem(Wrong.NUMBER, _explain(numeral, facts.values()))
        for numeral in read_numerals(text)
        if not any(holds(fact, numeral) for fact in cited)
    ]
    if not _agrees(text, cited):
        found.append(problem(Wrong.DIRECTION, "the cited change goes the other way"))
    if not _is_status(text, cited):
        found.append(problem(Wrong.STATUS, "the cited health is called otherwise"))
    if said.score is not None and not any(_is_score(fact, said.score) for fact in cited):
        found.append(problem(Wrong.SCORE, "the score is not that of a cited risk or probability"))
    if said.quote is not None and not _is_quoted(said.quote, cited):
        found.append(problem(Wrong.QUOTE, "these words are in no cited passage"))
    return found


def without_names(text: str, cited: Sequence[Fact], pack: Pack) -> str:
    """The text without the names of what it speaks of."""
    text = normalise(text)
    names = {name for fact in cited for name in (fact.of, fact.within)} | {pack.subject}
    names |= set(pack.names)
    for name in sorted((normalise(n) for n in names if n), key=len, reverse=True):
        body = re.escape(name)
        if read_numerals(name):
            body = f"[{_QUOTES}]{body}[{_QUOTES}]"
        elif len(_WORD.findall(name)) == 0:
            continue
        text = re.sub(rf"(?<![\w]){body}(?![\w])", " … ", text, flags=re.IGNORECASE)
    return text


def _explain(numeral: Numeral, facts: Iterable[Fact]) -> str:
    elsewhere = next((fact.id for fact in facts if holds(fact, numeral)), None)
    shown = numeral.text[:40]
    if elsewhere is not None:
        return f"{shown!r} is in no cited fact, but in {elsewhere}"
    if numeral.sort is Sort.WORD:
        return f"{shown!r} is in no fact; put names in double quotes, exactly as they are given"
    return f"{shown!r} is in no fact; use the values that are shown, compute nothing"


def _agrees(text: str, cited: Sequence[Fact]) -> bool:
    """Whether a statement that says up or down cites no change that all goes the other way."""
    changes = [f.value for f in cited if f.change and not isinstance(f.value, str) and f.value]
    up, down = bool(_UP.search(text)), bool(_DOWN.search(text))
    if not changes or up == down:
        return True
    return any((value > 0) == up for value in changes)


def _is_status(text: str, cited: Sequence[Fact]) -> bool:
    """Whether a statement that calls health something calls it what the cited health is."""
    called = {word.lower() for word in _STATUS.findall(text)}
    known: set[str] = set()
    for fact in cited:
        if fact.key == "health.status":
            known.add(str(fact.value))
        elif fact.key in ("health.score", "frameworks.health") and isinstance(
            fact.value, int | float
        ):
            known.add(status_of(fact.value).value)
    if not called or not known or "health" not in text.lower():
        return True
    return all(known & _HEALTHY if word == "healthy" else word in known for word in called)


def _is_score(fact: Fact, score: float) -> bool:
    if isinstance(fact.value, str) or not 0 <= score <= 100:
        return False
    value = fact.value * 100 if fact.unit == RATIO else fact.value
    scale = fact.unit in (RATIO, PERCENT, HUNDRED)
    return scale and abs(value - score) <= 0.5 + 1e-9


def _is_quoted(quote: str, cited: Sequence[Fact]) -> bool:
    words = " ".join(normalise(quote).split()).strip(_QUOTES + " .…").lower()
    if len(words) < 3:
        return False
    return any(
        words in " ".join(normalise(fact.value).split()).lower()
        for fact in cited
        if isinstance(fact.value, str) and fact.unit == TEXT
    )
