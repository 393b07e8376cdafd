"""Label matchers, and the fingerprint of what an alert is about. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from uuid import UUID

import orjson

from convex.alerts.model import Matcher, Operator
from convex.errors import InvalidInput
from convex.metrics.model import Labels

_LONGEST_PATTERN = 500


@lru_cache(maxsize=10_000)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def check_matcher(matcher: Matcher, field: str = "label_matchers") -> None:
    """Raises `InvalidInput` for a matcher that cannot work."""
    if not matcher.label:
        raise InvalidInput("A matcher needs the name of a label.", field=field)
    if matcher.operator in (Operator.MATCHES, Operator.MATCHES_NOT):
        if len(matcher.value) > _LONGEST_PATTERN:
            raise InvalidInput(f"A pattern has at most {_LONGEST_PATTERN} characters.", field=field)
        try:
            _pattern(matcher.value)
        except re.error as error:
            raise InvalidInput(
                f"{matcher.value!r} is not a regular expression: {error}.", field=field
            ) from None


def matches(matcher: Matcher, labels: Labels) -> bool:
    """Whether the labels satisfy it; a missing label counts as ""."""
    value = labels.get(matcher.label, "")
    if matcher.operator is Operator.EQUAL:
        return value == matcher.value
    if matcher.operator is Operator.NOT_EQUAL:
        return value != matcher.value
    found = _pattern(matcher.value).fullmatch(value) is not None
    return found is (matcher.operator is Operator.MATCHES)


def match_all(matchers: Iterable[Matcher], labels: Labels) -> bool:
    """Whether the labels satisfy every matcher; none at all is satisfied by anything."""
    return all(matches(matcher, labels) for matcher in matchers)


def identity_of(labels: Labels, group_by: Sequence[str]) -> dict[str, str]:
    """The labels that tell one alert of a rule from another: all, or those it groups by."""
    if not group_by:
        return dict(sorted(labels.items()))
    return {name: labels.get(name, "") for name in sorted(group_by)}


def fingerprint_of(workspace_id: UUID, source: str, identity: Labels) -> str:
    """SHA-256 over workspace, rule (or other source) and identity labels, in hex.

    Values, names of rules and the order of labels do not matter.
    """
    text = orjson.dumps([str(workspace_id), source, dict(identity)], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()
