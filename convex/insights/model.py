"""Values of this package: facts, packs of them, and how an insight came about."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

Value = int | float | str


class Kind(StrEnum):
    """What an insight is about."""

    FRAMEWORK = "framework"
    DIGEST = "digest"
    TRIGGER = "trigger"
    STRATEGY = "strategy"
    QUESTION = "question"


class Source(StrEnum):
    """Who wrote it."""

    CLAUDE = "claude"
    TEMPLATE = "template"


class Fallback(StrEnum):
    """Why a template wrote it and not Claude."""

    NO_KEY = "no_key"
    OVER_BUDGET = "over_budget"
    TOO_LARGE = "too_large"
    NO_EVIDENCE = "no_evidence"
    REFUSAL = "refusal"
    CUT_OFF = "cut_off"
    INVALID_ANSWER = "invalid_answer"
    NOT_VERIFIED = "not_verified"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    REFUSED_KEY = "refused_key"
    REFUSED_REQUEST = "refused_request"
    UNPRICED_MODEL = "unpriced_model"


# Units that are more than a word behind a number.
RATIO, PERCENT, INSTANT, TEXT = "ratio", "%", "instant", "text"
HUNDRED = "points of 100"
NOTHING = 1e-9  # what is smaller is written as 0
SECONDS: Mapping[str, float] = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("week", "weeks"), 604800.0),
    **dict.fromkeys(("month", "months"), 2592000.0),
    **dict.fromkeys(("year", "years"), 31536000.0),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One result of one query.

    `what` says in our words what was measured, `of` and `within` hold names that members chose (the
    rule or metric, and its framework). `unit`: ratio (0-1, shown as a percentage), %, instant (the
    value is ISO 8601 UTC), text, a unit of time, or what is counted or measured. The window is
    [start, end) in UTC, None where the value is of the moment. `change`: a difference between two
    windows, whose sign is the direction.
    """

    id: str
    key: str
    query: str
    what: str
    value: Value
    unit: str = ""
    of: str = ""
    within: str = ""
    start: datetime | None = None
    end: datetime | None = None
    change: bool = False

    @property
    def shown(self) -> str:
        """The value as it is written in a sentence."""
        return show(self.value, self.unit)

    @property
    def window(self) -> str:
        """The time it is about, for people: first and last day, or the instant."""
        if self.end is None:
            return ""
        if self.start is None:
            return show_instant(self.end)
        if self.start.time() == self.end.time() == datetime.min.time():
            last = datetime.fromtimestamp(self.end.timestamp() - 1, UTC)
            return f"{self.start:%Y-%m-%d} to {last:%Y-%m-%d}"
        return f"{show_instant(self.start)} to {show_instant(self.end)}"

    def as_json(self) -> dict[str, Any]:
        """Everything, as it is stored beside the insight."""
        return {
            "id": self.id,
            "key": self.key,
            "query": self.query,
            "what": self.what,
            "of": self.of,
            "within": self.within,
            "value": self.value,
            "unit": self.unit,
            "shown": self.shown,
            "start": _iso(self.start),
            "end": _iso(self.end),
            "window": self.window,
            "change": self.change,
        }

    def as_prompt(self) -> dict[str, Any]:
        """What the model is given: no more than it needs."""
        names = {"of": self.of, "in": self.within}
        found: dict[str, Any] = {
            "id": self.id,
            "what": self.what,
            **{name: value for name, value in names.items() if value},
            "value": self.value,
        }
        if self.unit and self.unit != TEXT:
            found["unit"] = self.unit
        if self.shown != str(self.value):
            found["shown"] = self.shown
        if self.window:
            found["window"] = self.window
        return found


@dataclass(frozen=True, slots=True)
class Pack:
    """The evidence of one insight. `subject` is what it is about, in a member's words.

    `as_of` is a whole hour, so that packs made within it from the same data are equal. `left_out`
    counts facts that did not fit; `missing` names sources that could not be asked, and why.
    """

    kind: Kind
    subject: str
    as_of: datetime
    facts: Sequence[Fact]
    left_out: int = 0
    missing: Sequence[str] = ()
    question: str = ""
    names: Sequence[str] = ()

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.facts)

    def find(self, key: str) -> Fact | None:
        """The first fact of that key."""
        return next((fact for fact in self.facts if fact.key == key), None)

    def all(self, prefix: str) -> list[Fact]:
        """Facts whose key is `prefix`, or begins with it and a dot."""
        return [f for f in self.facts if f.key == prefix or f.key.startswith(prefix + ".")]

    def by_id(self) -> dict[str, Fact]:
        """The facts by id."""
        return {fact.id: fact for fact in self.facts}

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "kind": self.kind.value,
            "subject": self.subject,
            "as_of": _iso(self.as_of),
            "question": self.question,
            "left_out": self.left_out,
            "missing": list(self.missing),
            "names": list(self.names),
            "facts": [fact.as_json() for fact in self.facts],
        }

    def as_prompt(self) -> str:
        """The JSON that the model reads. No < > & in it, so no name can end the fence around it."""
        asked = {"question": self.question} if self.question else {}
        body = {
            "subject": self.subject,
            "as_of": _iso(self.as_of),
            **asked,
            "facts": [fact.as_prompt() for fact in self.facts],
            **({"not_available": list(self.missing)} if self.missing else {}),
        }
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")

    def fingerprint(self, *more: str) -> bytes:
        """SHA-256 of the evidence and of `more` (the model, the prompt's version)."""
        content = self.as_json()
        del content["as_of"]
        canonical = json.dumps([content, *more], sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).digest()


def read_pack(stored: Mapping[str, Any]) -> Pack:
    """The way back from `Pack.as_json`."""
    return Pack(
        kind=Kind(stored["kind"]),
        subject=stored["subject"],
        as_of=datetime.fromisoformat(stored["as_of"]),
        question=stored["question"],
        left_out=stored["left_out"],
        missing=tuple(stored["missing"]),
        names=tuple(stored["names"]),
        facts=[
            Fact(
                **{name: one[name] for name in _PLAIN},
                start=_instant(one["start"]),
                end=_instant(one["end"]),
            )
            for one in stored["facts"]
        ],
    )


_PLAIN = ("id", "key", "query", "what", "value", "unit", "of", "within", "change")


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def show_instant(at: datetime) -> str:
    """Day and minute in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def show_number(value: float) -> str:
    """Thousands separated; as many digits as one reads: none from 1,000, three of a small one."""
    size = abs(value)
    if float(value).is_integer() or size < NOTHING:
        return f"{int(value):,}"
    digits = 0 if size >= 1000 else 1 if size >= 10 else 2 if size >= 0.1 else 2 - _exponent(size)
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _exponent(size: float) -> int:
    return math.floor(math.log10(size))


_LONGER = (("s", 120, 60, "min"), ("min", 120, 60, "h"), ("h", 96, 24, "days"))


def show(value: Value, unit: str) -> str:
    """A value with its unit, as it is written in a sentence."""
    if isinstance(value, str):
        return show_instant(datetime.fromisoformat(value)) if unit == INSTANT else value
    if unit == RATIO:
        return f"{show_number(_tidy(value * 100))} %"
    for small, longest, size, large in _LONGER:  # 537 min are read as 8.95 h
        if unit == small and abs(value) >= longest:
            return show(_tidy(value / size), large)
    return f"{show_number(value)} {unit}".rstrip()


def _tidy(value: float) -> float:
    return float(f"{value:.12g}")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or several calls; `output` includes `thinking`."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    thinking: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.output + other.output,
            self.thinking + other.thinking,
        )


@dataclass(frozen=True, slots=True)
class Insight:
    """A row of framework_insights."""

    id: UUID
    workspace_id: UUID
    framework_id: UUID | None
    trigger_id: UUID | None
    kind: Kind
    source: Source
    source_reason: str
    content: Mapping[str, Any]
    evidence: Mapping[str, Any]
    model: str | None
    request_id: str | None
    input_tokens: int | None
    output_tokens: int | None
    thinking_tokens: int | None
    cost_usd: float | None
    prices_of: str | None
    verification: Mapping[str, Any] = field(default_factory=dict)
    feedback: str | None = None
    requested_by: UUID | None = None
    created_at: datetime | None = None


_ADDRESS = re.compile(r"@|://|www\.", re.IGNORECASE)
_HARMLESS = str.maketrans({'"': "'", "“": "'", "”": "'", "`": "'", "<": "‹", ">": "›"})


def clean_name(name: str, longest: int = 80) -> str:
    """A name as evidence holds it: one line, no control or invisible characters, no addresses.

    What members write reaches the model as data; e-mail addresses and links are no part of it.
    """
    text = unicodedata.normalize("NFKC", name)
    text = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    words = ["[…]" if _ADDRESS.search(word) else word for word in text.split()]
    text = " ".join(words).translate(_HARMLESS).replace("](", "] (")
    return text if len(text) <= longest else text[: longest - 1] + "…"
