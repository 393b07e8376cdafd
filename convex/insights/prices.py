"""What tokens cost, with the day from which a price holds. Pure.

US dollars per million tokens, from Anthropic's price list as it was on `CHECKED`. A model that is
not here is not called, since nobody could say what it may cost; settings can name its price.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from convex.insights.model import Usage

CHECKED = date(2026, 10, 24)
_BATCH = 0.5  # the batch API costs half
_SNAPSHOT = re.compile(r"-\d{8}$")


@dataclass(frozen=True, slots=True)
class Price:
    """Input, output, cache write (5 minutes) and cache read.

    `since`: the day from which it holds. `longer_than`: it is the price of requests whose whole
    prompt has more tokens than that.
    """

    input: float
    output: float
    cache_write: float
    cache_read: float
    since: date = date(2026, 1, 1)
    longer_than: int = 0


# The newest and longest first.
_TABLE: Mapping[str, tuple[Price, ...]] = {
    "claude-sonnet-5-5": (
        Price(2.0, 10.0, 2.5, 0.10, since=date(2026, 10, 7)),
        Price(2.0, 10.0, 2.5, 0.20),
    ),
    "claude-haiku-5-5": (
        Price(0.5, 2.5, 0.625, 0.05, longer_than=100_000),
        Price(0.1, 0.5, 0.125, 0.01),
    ),
    "claude-opus-5-5": (Price(4.0, 20.0, 5.0, 0.20),),
    "claude-sonnet-5": (Price(2.0, 10.0, 2.5, 0.20),),
    "claude-opus-5": (Price(5.0, 25.0, 6.25, 0.50),),
    "claude-haiku-4-5": (Price(1.0, 5.0, 1.25, 0.10),),
}
Extra = Mapping[str, tuple[float, float, float, float]]


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices of one model on one day."""

    bands: tuple[Price, ...]
    of: str

    def cost(self, usage: Usage, *, batch: bool = False) -> float:
        """US dollars of one call. Thinking is billed as output, and is in `usage.output`."""
        prompt = usage.input + usage.cache_read + usage.cache_write
        price = next(band for band in self.bands if prompt > band.longer_than or not prompt)
        dollars = (
            usage.input * price.input
            + usage.cache_read * price.cache_read
            + usage.cache_write * price.cache_write
            + usage.output * price.output
        ) / 1e6
        return dollars * (_BATCH if batch else 1.0)

    def most(self, input_tokens: int, max_tokens: int, *, batch: bool = False) -> float:
        """The most that one call can cost: everything is written to the cache, all output used."""
        return self.cost(Usage(cache_write=input_tokens, output=max_tokens), batch=batch)


def find_prices(model: str, on: date, extra: Extra | None = None) -> PriceList | None:
    """The prices of a model (a dated snapshot costs what its model does); None: not known."""
    name = _SNAPSHOT.sub("", model)
    given = (extra or {}).get(model) or (extra or {}).get(name)
    if given is not None:
        return PriceList((Price(*given),), "settings")
    known = [price for price in _TABLE.get(name, ()) if price.since <= on]
    bands: dict[int, Price] = {}
    for price in known:
        bands.setdefault(price.longer_than, price)
    if not bands:
        return None
    ordered = tuple(bands[size] for size in sorted(bands, reverse=True))
    return PriceList(ordered, CHECKED.isoformat())
