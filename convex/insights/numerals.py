"""Numbers, dates and times in prose, and whether a fact holds them. Pure.

A number is held when some fact, rounded to the digits that are shown, is that number in that unit:
53 % is no 53 triggers and 90 hours are no 90 minutes. Number words count as numbers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from convex.insights.model import HUNDRED, INSTANT, NOTHING, PERCENT, RATIO, SECONDS, Fact


class Sort(StrEnum):
    """What a number is of."""

    PLAIN = "plain"
    COUNT = "count"
    PERCENT = "percent"
    DURATION = "duration"
    DATE = "date"
    CLOCK = "clock"
    WORD = "word"


@dataclass(frozen=True, slots=True)
class Numeral:
    """One number as written. `half`: half of the last digit shown, in `value`'s unit.

    A date is year (0: not said), month, day (0: not said) in `parts`; a clock hour and minute; a
    word (v2, p95) stands for itself. Durations are in seconds.
    """

    text: str
    sort: Sort
    value: float = 0.0
    half: float = 0.0
    parts: tuple[int, ...] = ()


_MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_MONTHS = {name[:3]: i for i, name in enumerate(_MONTH_NAMES, start=1)}
_MONTH = "(?:" + "|".join(f"{n[:3]}(?:{n[3:]})?" if n[3:] else n for n in _MONTH_NAMES) + r")\b\.?"
_ST = r"(?:st|nd|rd|th)?"
_ISO = re.compile(r"(?<![\w-])(\d{4})-(\d\d)-(\d\d)(?![\d-])(?:T(?=\d\d:))?")
_DAY_RANGE = re.compile(
    rf"\b(\d{{1,2}}){_ST}\s*(?:-|–|—|to|and)\s*(\d{{1,2}}){_ST}\s+({_MONTH})(?:,?\s+(\d{{4}})\b)?"
)
_DAY_MONTH = re.compile(rf"\b(\d{{1,2}}){_ST}\s+(?:of\s+)?({_MONTH})(?:,?\s+(\d{{4}})\b)?")
_MONTH_DAY = re.compile(rf"\b({_MONTH})\s+(\d{{1,2}}){_ST}(?![\d:])(?:,?\s+(\d{{4}})\b)?")
_MONTH_YEAR = re.compile(rf"\b({_MONTH})\s+(\d{{4}})\b")
_CLOCK = re.compile(
    r"(?<!\d)(\d{1,2}):([0-5]\d)(?::[0-5]\d(?:\.\d+)?)?(?!\d)"
    r"(?:\s*([AaPp])\.?[Mm]\b\.?)?(?:Z\b|\s*UTC\b)?"
)

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER_WORD = {word: i for i, word in enumerate(_ONES)} | {
    word: (i + 2) * 10 for i, word in enumerate(_TENS)
}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_WORDS = re.compile(
    rf"\b(?:({'|'.join(_TENS)})(?:[- ]({'|'.join(_ONES[1:10])}))?|({'|'.join(_ONES)}))"
    rf"(?:[- ]({'|'.join(_SCALES)}))?\b",
    re.IGNORECASE,
)
# In this order: what is said in other words than a number. Replaced before numbers are looked for.
_SAYINGS = tuple(
    (re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), said)
    for pattern, said in (
        (r"half an hour|half-hour", "30 min"),
        (r"(?:a|one)[- ]third", "33 %"),
        (r"two[- ]thirds", "67 %"),
        (r"(?:a|one)[- ]quarter(?= of| less| more)", "25 %"),
        (r"three[- ]quarters", "75 %"),
        (r"a (?=hundred|thousand|million|billion)", "one "),
        (r"a dozen|dozen", "12"),
        (r"twofold|twice|doubled|doubles|double|doubling", "2 x"),
        (r"threefold|thrice|tripled|triples|triple|tripling", "3 x"),
        (r"halved|halves|halving|half", "50 %"),
        (r"none", "0"),
    )
)
_NOUNS = (
    r"(?:triggers?|alerts?|firings?|episodes?|pages?|notifications?|rules?|times|occurrences?"
    r"|incidents?|recommendations?|frameworks?|metrics?|predictions?|patterns?|checks?)\b"
)
_BETWEEN = (
    r"(?:\s+(?:open|critical|warning|info|firing|acknowledged|resolved|new|more|fewer|live|failed"
    r"|historical|actionable|noisy|false|of|the|those|such|alert|expected|passed)\b){0,2}\s+"
)
_NO = re.compile(rf"\bno(?={_BETWEEN}{_NOUNS})", re.IGNORECASE)
# Numbers that nobody can check.
_VAGUE = re.compile(r"\b(?:dozens|hundreds|thousands|millions|billions|countless)\b", re.IGNORECASE)
_UNIT = "|".join(sorted((re.escape(u) for u in SECONDS), key=len, reverse=True))
_NUMBER = re.compile(
    r"(?<![A-Za-z_\d.])(?<![A-Za-z]-)(?P<sign>(?<![\d\w])[+-])?"
    r"(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:(?P<point>[.,])(?P<rest>\d+))?"
    r"(?:\s?(?P<scale>[kKM]|thousand|million|billion)(?![A-Za-z_\d]))?"
    r"(?:"
    r"\s*(?P<percent>%|percent(?:age\s+points?)?\b|per\s+cent\b|pp\b)"
    rf"|[\s-]?(?P<unit>{_UNIT})(?![A-Za-z_\d])"
    rf"|(?P<count>(?={_BETWEEN}{_NOUNS}))"
    r"|\s?(?:x|×|st|nd|rd|th)(?![A-Za-z_\d])"
    r")?(?![A-Za-z_\d])"
)
_LINK = re.compile(r"\s*(?:-|–|—|to|and|or|through)\s*$", re.IGNORECASE)
_DIGITS = re.compile(r"[\w.#/+-]*\d[\w.#/+-]*")
_GROUP = re.compile(r"(?<=\d)[\u00a0\u2007\u2009\u202f'’](?=\d{3}(?!\d))")
_SPACED = re.compile(r"(?<![\w.,:-])\d{1,3}(?: \d{3})+(?![\w:-])")


def normalise(text: str) -> str:
    """The same text in one spelling: plain spaces, plain digits, commas between thousands."""
    text = unicodedata.normalize("NFKC", _GROUP.sub(",", text)).replace("−", "-")
    return "".join(
        str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in text
    )


@lru_cache(maxsize=4096)
def read_numerals(text: str) -> tuple[Numeral, ...]:
    """Every number, date and time in the text, in no particular order."""
    found: list[Numeral] = []
    rest = normalise(text)
    for pattern, read in _DATES:
        rest = _take(rest, pattern, read, found)
    rest = _take(rest, _CLOCK, _read_clock, found)
    for saying, said in _SAYINGS:
        rest = saying.sub(said, rest)
    rest = _NO.sub("0", rest)
    rest = _SPACED.sub(lambda match: match[0].replace(" ", ","), rest)
    found.extend(Numeral(match[0].lower(), Sort.WORD) for match in _VAGUE.finditer(rest))
    rest = _WORDS.sub(_digits_of, rest)
    found.extend(_read_numbers(rest))
    return tuple(found)


def holds(fact: Fact, numeral: Numeral) -> bool:
    """Whether the fact says that number."""
    if numeral.sort is Sort.DATE:
        return any(_same_day(numeral.parts, at) for at in _instants(fact)) or _says(fact, numeral)
    if numeral.sort is Sort.CLOCK:
        return any(numeral.parts == (at.hour, at.minute) for at in _instants(fact)) or _says(
            fact, numeral
        )
    if numeral.sort is Sort.WORD:
        return _says(fact, numeral)
    if not isinstance(fact.value, str) and _holds_value(fact.value, fact.unit, numeral):
        return True
    if numeral.sort is Sort.DURATION and fact.start is not None and fact.end is not None:
        length = (fact.end - fact.start).total_seconds()
        if abs(length - numeral.value) <= 1e-6 * length:
            return True
    return _says(fact, numeral)


def _holds_value(value: float, unit: str, numeral: Numeral) -> bool:
    seconds = SECONDS.get(unit)
    sort = numeral.sort
    if sort is Sort.PERCENT:
        if unit == RATIO:
            return _is(value * 100, numeral)
        return unit == PERCENT and _is(value, numeral)
    if sort is Sort.DURATION:
        return seconds is not None and _is(value * seconds, numeral)
    if unit == PERCENT:
        return False
    if sort is Sort.COUNT and (unit == RATIO or seconds is not None):
        return False
    return _is(value, numeral)


def _is(value: float, numeral: Numeral) -> bool:
    # "fell by 5" says -5; "-5" never says 5. A zero that is none is no rounding.
    said = numeral.value
    if value < 0 < said:
        value = -value
    if said == 0:
        return abs(value) < NOTHING
    return abs(value - said) <= numeral.half * (1 + 1e-9) + 1e-9 * abs(value)


def _says(fact: Fact, numeral: Numeral) -> bool:
    """Whether the number stands in the words of the fact: ours, or a text that is its value."""
    ours = [fact.what, fact.window, HUNDRED if fact.unit == HUNDRED else ""]
    if isinstance(fact.value, str) and fact.unit != INSTANT:
        ours.append(fact.value)
    if numeral.sort is Sort.WORD:
        return any(numeral.text in words.text for text in ours for words in read_numerals(text))
    return any(
        other.parts == numeral.parts and abs(other.value - numeral.value) <= 1e-9
        for text in ours
        for other in read_numerals(text)
        if other.sort is numeral.sort or {other.sort, numeral.sort} <= {Sort.COUNT, Sort.PLAIN}
    )


def _instants(fact: Fact) -> Iterable[datetime]:
    if fact.unit == INSTANT and isinstance(fact.value, str):
        yield datetime.fromisoformat(fact.value).astimezone(UTC)
    if fact.start is not None:
        yield fact.start.astimezone(UTC)
    if fact.end is not None:
        end = fact.end.astimezone(UTC)
        if fact.start is not None and end.time() == datetime.min.time():
            end -= timedelta(microseconds=1)  # the last day of the window, as people say it
        yield end


def _same_day(parts: tuple[int, ...], at: datetime) -> bool:
    year, month, day = parts
    return year in (0, at.year) and month == at.month and day in (0, at.day)


def _take(
    text: str,
    pattern: re.Pattern[str],
    read: Callable[[re.Match[str]], list[Numeral]],
    found: list[Numeral],
) -> str:
    def replaced(match: re.Match[str]) -> str:
        numerals = read(match)
        if not numerals:
            return match[0]
        found.extend(numerals)
        return " … "

    return pattern.sub(replaced, text)


def _date(text: str, year: str | None, month: str | int, day: str | int) -> Numeral:
    number = _MONTHS[month[:3]] if isinstance(month, str) else month
    return Numeral(text, Sort.DATE, parts=(int(year or 0), number, int(day)))


def _read_clock(match: re.Match[str]) -> list[Numeral]:
    hour, half = int(match[1]), (match[3] or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    if hour > 23:
        return []
    return [Numeral(match[0], Sort.CLOCK, parts=(hour, int(match[2])))]


def _digits_of(match: re.Match[str]) -> str:
    tens, ones, alone, scale = match.groups()
    if alone is not None and alone.lower() == "one" and scale is None:
        return match[0]  # as often an article as a number
    value = _NUMBER_WORD[(tens or alone).lower()] + (_NUMBER_WORD[ones.lower()] if ones else 0)
    return str(value * (_SCALES[scale.lower()] if scale else 1))


def _read_numbers(text: str) -> list[Numeral]:
    found = [(m.start(), m.end(), _read_number(m)) for m in _NUMBER.finditer(text)]
    # "20 to 30 %": what the second number is of, the first is of as well.
    for i in range(len(found) - 2, -1, -1):
        (start, end, first), (next_start, _, second) = found[i], found[i + 1]
        linked = _LINK.fullmatch(text[end:next_start]) is not None
        if linked and first.sort is Sort.PLAIN and second.sort is not Sort.PLAIN:
            unit = _NUMBER.match(text, next_start)
            factor = SECONDS[unit["unit"]] if unit and unit["unit"] else 1.0
            first = replace(
                first, sort=second.sort, value=first.value * factor, half=first.half * factor
            )
            found[i] = (start, end, first)
    covered = list(text)
    for start, end, _ in found:
        covered[start:end] = " " * (end - start)
    words = [Numeral(m[0].strip("."), Sort.WORD) for m in _DIGITS.finditer("".join(covered))]
    return [numeral for _, _, numeral in found] + words


def _read_number(match: re.Match[str]) -> Numeral:
    whole, rest, point = match["whole"], match["rest"] or "", match["point"]
    if point == "," and len(rest) == 3:
        whole, rest = whole + rest, ""  # a group of thousands after an odd beginning
    value = float(whole.replace(",", "") + ("." + rest if rest else ""))
    half = 0.5 * 10.0 ** -len(rest)
    scale = {"k": 1e3, "K": 1e3, "M": 1e6}.get(match["scale"] or "") or _SCALES.get(
        match["scale"] or "", 1
    )
    sort = Sort.PLAIN
    if match["percent"]:
        sort = Sort.PERCENT
    elif match["unit"]:
        sort, scale = Sort.DURATION, scale * SECONDS[match["unit"]]
    elif match["count"] is not None:
        sort = Sort.COUNT
    if match["sign"] == "-":
        value = -value
    return Numeral(match[0].strip(), sort, value * scale, half * scale)


_DATES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], list[Numeral]]], ...] = (
    (_ISO, lambda m: [_date(m[0], m[1], int(m[2]), m[3])] if 1 <= int(m[2]) <= 12 else []),
    (_DAY_RANGE, lambda m: [_date(m[0], m[4], m[3], m[1]), _date(m[0], m[4], m[3], m[2])]),
    (_DAY_MONTH, lambda m: [_date(m[0], m[3], m[2], m[1])]),
    (_MONTH_DAY, lambda m: [_date(m[0], m[3], m[1], m[2])]),
    (_MONTH_YEAR, lambda m: [_date(m[0], m[2], m[1], 0)]),
)
