"""Frameworks: the things that are watched, a marketing strategy as well as an airport.

Owns their rows, the overview of what is wrong with each, the numbered versions of their strategies
(`strategies`) and what those were judged at (`rubric`). Owns no metric, rule, health or risk.
"""

from convex.frameworks.model import Framework, FrameworkOverview, Kind, OpenTriggers
from convex.frameworks.service import (
    create_framework,
    delete_framework,
    get_framework,
    list_frameworks,
    update_framework,
)

__all__ = [
    "Framework",
    "FrameworkOverview",
    "Kind",
    "OpenTriggers",
    "create_framework",
    "delete_framework",
    "get_framework",
    "list_frameworks",
    "update_framework",
]
