"""Numbers and quantities as people read them. Pure.

| unit of the metric | 0.2534 becomes | 5000 becomes |
|---|---|---|
| none ("", "1", "none") | 0.2534 | 5,000 |
| ratio, share, fraction | 25.34 % | 500,000 % |
| percent, % | 0.2534 % | 5,000 % |
| s, ms, µs, ns (s here) | 253.4 ms | 1 h 23 min 20 s |
| bytes, B, By | 0.2534 B | 4.883 KiB |
| EUR, USD, … (€, $, £) | 0.25 EUR (€0.25) | 5,000.00 EUR (€5,000.00) |
| anything else | 0.2534 flights | 5,000 flights |
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor, isfinite, log10
from typing import Final

_SHARES: Final = frozenset({"ratio", "share", "fraction"})
_PERCENT: Final = frozenset({"percent", "%"})
_PLAIN: Final = frozenset({"", "1", "none"})
_BYTES: Final = frozenset({"b", "by", "byte", "bytes"})
_SECONDS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6,
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
}  # fmt: skip
_SYMBOLS: Final = frozenset({"$", "€", "£", "¥"})
_CURRENCIES: Final = frozenset(
    {"AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "INR", "KRW", "MXN"}
    | {"NOK", "NZD", "PLN", "SEK", "SGD", "TRY", "USD", "ZAR"}
)
_DIGITS: Final = (4, 6, 9, 15)
_LARGE, _SMALL = 1e15, 1e-6


def number(value: float | None, digits: int = 4) -> str:
    """With that many digits that count; what is whole stays whole below a thousand million."""
    if value is None:
        return "unknown"
    if not isfinite(value):
        return str(value)
    size = abs(value)
    if size == 0:
        return "0"
    if size >= _LARGE or size < _SMALL:
        return f"{value:.{digits}g}"
    if value == int(value) and size < 1e9:
        return f"{int(value):,}"
    decimals = max(0, digits - 1 - floor(log10(size)))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def quantity(value: float | None, unit: str = "", digits: int = 4) -> str:
    """The value in the metric's unit."""
    if value is None or not isfinite(value):
        return number(value)
    word = unit.strip()
    if word in _PLAIN:
        return number(value, digits)
    if word.lower() in _SHARES:
        return f"{number(_cleaned(value * 100), digits)} %"
    if word.lower() in _PERCENT:
        return f"{number(value, digits)} %"
    if word.lower() in _SECONDS:
        return _duration(_cleaned(value * _SECONDS[word.lower()]), digits)
    if word.lower() in _BYTES:
        return _bytes(value, digits)
    if word in _SYMBOLS or word.upper() in _CURRENCIES:
        return _money(value, word, digits)
    return f"{number(value, digits)} {word}"


def apart(write: Callable[[float | None, int], str], *values: float | None) -> list[str]:
    """Several values with as few digits as tell those apart that differ: never "5 is above 5"."""
    texts: list[str] = []
    for digits in _DIGITS:
        texts = [write(value, digits) for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts


def quantities(unit: str, *values: float | None) -> list[str]:
    """`apart` in one unit."""
    return apart(lambda value, digits: quantity(value, unit, digits), *values)


def _cleaned(value: float) -> float:
    """Without what multiplying has added: 0.07 × 100 is 7."""
    return float(f"{value:.12g}")


def _duration(seconds: float, digits: int) -> str:
    size = abs(seconds)
    if size < 1:
        for unit, factor in (("ms", 1e3), ("µs", 1e6), ("ns", 1e9)):
            if size * factor >= 1 or unit == "ns" or size == 0:
                return f"{number(_cleaned(seconds * factor), digits)} {unit}" if size else "0 s"
    if size < 60:
        return f"{number(seconds, digits)} s"
    whole = round(size, 0 if digits == _DIGITS[0] else 3)
    parts = []
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        count, whole = divmod(whole, length)
        if count:
            parts.append(f"{int(count)} {unit}")
    if whole and size < 86_400:
        parts.append(f"{number(whole, digits)} s")
    return ("−" if seconds < 0 else "") + " ".join(parts)


def _bytes(value: float, digits: int) -> str:
    size, step = abs(value), 0
    while size >= 1024 and step < 6:
        size, step = size / 1024, step + 1
    unit = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")[step]
    return f"{number(value / 1024**step, digits)} {unit}"


def _money(value: float, unit: str, digits: int) -> str:
    text = f"{abs(value):,.2f}" if digits == _DIGITS[0] else number(abs(value), digits)
    sign = "−" if value < 0 else ""
    return f"{sign}{unit}{text}" if unit in _SYMBOLS else f"{sign}{text} {unit.upper()}"
