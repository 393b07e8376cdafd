"""Frameworks: the things that are watched, a marketing strategy as well as an airport.

Owns their rows, and the overview of what is wrong with each. Owns no metric, no rule and no score;
strategy versions and their scores will live here too.
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
