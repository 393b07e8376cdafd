"""What is forgotten together, and how long it is kept when nobody says that it changed."""

from __future__ import annotations

from enum import StrEnum


class Area(StrEnum):
    """What an answer is made from. A change of that forgets the whole area of its workspace."""

    RULES = "rules"
    STATISTICS = "statistics"
    PATTERNS = "patterns"
    HEALTH = "health"


# Seconds. Health is read from the newest points, of which nobody tells the cache: a minute.
LONGEST = {Area.RULES: 300, Area.STATISTICS: 3600, Area.PATTERNS: 21_600, Area.HEALTH: 60}
