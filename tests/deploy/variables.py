"""Which variables of Convex there are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import BaseModel

from convex.settings import Settings

# Not of Convex itself: read by compose.yaml.
_OF_COMPOSE = {"CONVEX_IMAGE"}


def known_variables(area: type[BaseModel] = Settings, prefix: str = "CONVEX_") -> Iterator[str]:
    """The variable of every setting."""
    for name, field in area.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from known_variables(kind, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper()


def unknown_variables(text: str) -> set[str]:
    """What a text names like a setting and that is none."""
    return set(re.findall(r"\bCONVEX_[A-Z_]+\b", text)) - set(known_variables()) - _OF_COMPOSE
