"""Values of this package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    """What sort of thing is watched."""

    BRAND_POSITIONING = "brand_positioning"
    FUNNEL_DESIGN = "funnel_design"
    SEO_PATTERNS = "seo_patterns"
    COMPETITOR_MODEL = "competitor_model"
    OFFER_ARCHITECTURE = "offer_architecture"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class Framework:
    """A monitored thing. `slug` is how points name it, so it never changes."""

    id: UUID
    slug: str
    name: str
    kind: Kind
    description: str
    tags: Sequence[str]
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class OpenTriggers:
    """Triggers that are not resolved, counted by state and by severity."""

    firing: int
    acknowledged: int
    critical: int
    warning: int
    info: int


@dataclass(frozen=True, slots=True)
class FrameworkOverview:
    """A framework with what a list of them shows."""

    framework: Framework
    open_triggers: OpenTriggers
    last_point_at: datetime | None
    metrics: int
    series: int
