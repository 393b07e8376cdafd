"""The rubric: a strategy document judged by what can be found in it. Pure.

Each of the six sub-scores is made of checks. A check counts something in the document, wants a
certain amount of it, and gives its points in proportion; the points of a sub-score add up to 100.
What was counted and where is kept as evidence, so that a score can be argued with. The rubric reads
English, and it cannot tell a true sentence from a false one: it says whether a claim, a figure, a
source, an objection or a guarantee is there at all. docs/analytics.md lists the checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from convex.frameworks.strategy import SubScores

_SHOWN = 3
_QUOTED = 160
_LONG_SENTENCE = 25
_LONG_OPENING = 60
_READABLE = 0.9

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"[\w'’-]+")
_STRUCTURE = re.compile(r"^\s*(?:#{1,6}\s|[-*+]\s|\d+[.)]\s)", re.MULTILINE)
_MARK = re.compile(r"^\s*(?:#{1,6}|[-*+]|\d+[.)])\s+")
_FIGURE = re.compile(
    r"(?:[€$£]\s?\d|\d[\d.,]*\s?(?:%|percent|k\b|m\b|million|€|\$|£|hours?|days?|weeks?|months?"
    r"|minutes?|customers?|users?|leads?|visits?|points?|times|x\b))",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b(?:20\d\d|q[1-4]\b|jan(?:uary)?|feb(?:ruary)?|march|april|june|july|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|deadline"
    r"|(?:within|in|after|by)\s+(?:\d+|the end of|next)\s+\w+)",
    re.IGNORECASE,
)
_OUTCOME = re.compile(
    r"\b(?:increas|reduc|grow|improv|rais|cut|lower|sav|win|gain|reach|achiev|doubl|halv|convert"
    r"|retain|shorten|lift)(?:e|es|ed|s|ing|t|n|ting)?\b",
    re.IGNORECASE,
)
_GOAL = re.compile(
    r"\b(?:goals?|objectives?|outcomes?|targets?|so that|success means)\b", re.IGNORECASE
)
_SOURCE = re.compile(
    r"https?://|\[\d+\]|\bsources?:|\baccording to\b|\((?:[A-Z]\w+,? )?20\d\d\)", re.IGNORECASE
)
_EVIDENCE = re.compile(
    r"\b(?:stud(?:y|ies)|survey\w*|interview\w*|case stud\w+|benchmark\w*|experiment\w*|a/b test\w*"
    r"|pilot\w*|measured|data shows?|testimonial\w*|references?|results? (?:show|from))\b",
    re.IGNORECASE,
)
_OBJECTION = re.compile(
    r"\?|\b(?:objections?|concerns?|doubts?|too (?:expensive|slow|risky|complex|late)|hesita\w+"
    r"|sceptic\w*|skeptic\w*|competitors?|alternatives?|why not|drawbacks?)\b",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"\b(?:because|answers?|instead|unlike|therefore|we (?:show|offer|prove|respond|address)"
    r"|which is why|yes|no,)\b",
    re.IGNORECASE,
)
_GUARANTEE = re.compile(
    r"\b(?:guarantee\w*|refund\w*|money[- ]back|free trial|trial period|cancel\w*|warrant\w+"
    r"|no lock-?in|pilot|opt[- ]out|without obligation|sla)\b",
    re.IGNORECASE,
)
_FALLBACK = re.compile(
    r"\b(?:risks?|fall-?back|roll-?back|contingenc\w+|mitigat\w+|plan b|worst case"
    r"|if .{1,60}\bfails?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Known:
    """What is measured of the framework: names of its metrics, and of those with recent points."""

    metrics: Sequence[str] = ()
    measured: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: how much was found of what is wanted, what it gave, and where it was found."""

    name: str
    found: float
    wanted: float
    points: float
    of: float
    quotes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The sub-scores, and by sub-score the checks behind it."""

    sub_scores: SubScores
    checks: dict[str, list[CheckResult]]

    def evidence(self) -> dict[str, Any]:
        """As it is stored and shown."""
        return {name: [asdict(check) for check in found] for name, found in self.checks.items()}

    def rationale(self) -> str:
        """What would lift the score most, in words."""
        missing = sorted(
            (
                (check.of - check.points, name, check.name)
                for name, checks in self.checks.items()
                for check in checks
            ),
            reverse=True,
        )
        named = [f"{side}: {check} ({lost:.0f} points)" for lost, side, check in missing[:3]]
        return f"Most is missing in {'; '.join(named)}."


def judge(document: str, known: Known | None = None) -> Judgement:
    """Judge a document; the same text and the same metrics always give the same scores."""
    known = known or Known()
    sentences = [s for part in _SENTENCE_END.split(document) if (s := _MARK.sub("", part).strip())]
    count = _counter(sentences)
    named = [m for m in known.metrics if _mentions(document, m)]
    measured = [m for m in known.measured if _mentions(document, m)]
    outcomes = [s for s in sentences if _OUTCOME.search(s)]
    checks = {
        "clarity": [
            _readable(sentences),
            _check("headings or lists", len(_STRUCTURE.findall(document)), 3, 30),
            _short_opening(document),
        ],
        "specificity": [
            count("figures with a unit", _FIGURE, 5, 40),
            count("dates and deadlines", _DATE, 2, 30),
            _check("own metrics named", len(named), 2, 30, named),
        ],
        "outcome_focus": [
            _check("sentences about an outcome", len(outcomes), 4, 40, outcomes),
            _listed("outcomes with a figure", [s for s in outcomes if _FIGURE.search(s)], 2, 40),
            count("a goal said as such", _GOAL, 1, 20),
        ],
        "proof": [
            count("sources", _SOURCE, 2, 35),
            count("studies, tests, references", _EVIDENCE, 3, 35),
            _check("named metrics with points in the last week", len(measured), 1, 30, measured),
        ],
        "objection_handling": [
            count("objections raised", _OBJECTION, 3, 60),
            _listed("objections answered", _answered(sentences), 2, 40),
        ],
        "risk_removal": [
            count("guarantees and ways out", _GUARANTEE, 2, 60),
            count("risks and what is done about them", _FALLBACK, 2, 40),
        ],
    }
    scores = {name: sum(check.points for check in found) for name, found in checks.items()}
    return Judgement(SubScores(**scores), checks)


def _check(
    name: str, found: float, wanted: float, of: float, quotes: Sequence[str] = ()
) -> CheckResult:
    points = of * min(1.0, found / wanted)
    return CheckResult(name, found, wanted, points, of, [q[:_QUOTED] for q in quotes[:_SHOWN]])


def _listed(name: str, found: Sequence[str], wanted: float, of: float) -> CheckResult:
    return _check(name, len(found), wanted, of, found)


def _counter(sentences: Sequence[str]) -> Callable[[str, re.Pattern[str], int, float], CheckResult]:
    def count(name: str, pattern: re.Pattern[str], wanted: int, of: float) -> CheckResult:
        return _listed(name, [s for s in sentences if pattern.search(s)], wanted, of)

    return count


def _readable(sentences: Sequence[str]) -> CheckResult:
    long = [s for s in sentences if len(_WORD.findall(s)) > _LONG_SENTENCE]
    share = 1 - len(long) / len(sentences) if sentences else 0.0
    return _check("share of sentences up to 25 words", share, _READABLE, 40, long)


def _short_opening(document: str) -> CheckResult:
    for part in re.split(r"\n\s*\n", document):
        words = len(_WORD.findall(part))
        if words and not part.lstrip().startswith("#"):
            return _check("opening of up to 60 words", float(words <= _LONG_OPENING), 1, 30)
    return _check("opening of up to 60 words", 0, 1, 30)


def _answered(sentences: Sequence[str]) -> list[str]:
    """Objections in or after which an answer is given."""
    pairs = zip(sentences, [*sentences, ""][1:], strict=True)
    return [s for s, after in pairs if _OBJECTION.search(s) and _ANSWER.search(f"{s} {after}")]


def _mentions(document: str, metric: str) -> bool:
    words = re.split(r"[\s_.-]+", metric.strip())
    loose = r"[\s_.-]+".join(re.escape(word) for word in words if word)
    return bool(loose) and re.search(rf"(?<!\w){loose}(?!\w)", document, re.IGNORECASE) is not None
