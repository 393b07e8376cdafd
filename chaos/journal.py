"""What the product has said that it took: the truth that its database is held against."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

Key = tuple[str, str, datetime]  # framework, series, instant


@dataclass(slots=True)
class Journal:
    """Everything that was answered, and what it cost to get the answers."""

    points: dict[Key, float] = field(default_factory=dict)
    episodes: dict[tuple[str, str], int] = field(default_factory=dict)  # points sent so far
    acknowledged: set[str] = field(default_factory=set)
    unchanged: int = 0  # taken by a request whose answer never came, and sent again
    answers: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)  # requests without an answer, by error
    wrong: list[str] = field(default_factory=list)  # answers that no failure excuses
    seconds: list[float] = field(default_factory=list)  # of batches that were taken at once

    def answered(self, what: str, status: int, said: str) -> None:
        """Count an answer. 429 and 503 are how a server says that it cannot now; 500 never is."""
        self.answers[f"{what} {status}"] += 1
        if status == 500 or (status >= 400 and status not in (409, 429, 503)):
            self.wrong.append(f"{what} answered {status}: {said[:300]}")
