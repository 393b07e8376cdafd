"""When a failed attempt is repeated: exponential backoff with jitter, or when it was asked for."""

from __future__ import annotations

import random
from datetime import timedelta

_FIRST = 1.0
_LONGEST = 300.0


def pause(attempt: int, retry_after: float | None, rng: random.Random) -> timedelta:
    """How long to wait after the `attempt`-th failure (from 1).

    Between half of and the whole of 1, 4, 16, 64 … seconds, at most five minutes. A Retry-After (in
    seconds) is a lower bound, with up to a tenth on top, so that not all come back at once.
    """
    whole = min(_FIRST * 4.0 ** (attempt - 1), _LONGEST)
    seconds = whole * rng.uniform(0.5, 1.0)
    if retry_after is not None:
        seconds = max(seconds, retry_after * rng.uniform(1.0, 1.1))
    return timedelta(seconds=seconds)
