"""Label matchers, and the fingerprint of what an alert is about. Pure.

Members write the patterns, and every point and notification runs them, so they are matched by RE2:
its time is linear in pattern and text, where a backtracking engine could be made to hang. The price
is that look-around and back-references are refused. A pattern fits a whole value, as Prometheus'
matchers do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from uuid import UUID

import orjson
import re2
from psycopg.types.json import Jsonb

from convex.alerts.model import Matcher, Operator, RuleDraft
from convex.errors import InvalidInput
from convex.metrics.model import Labels

LONGEST_PATTERN = 500
_MEMORY = 1 << 20  # bytes that one compiled pattern may take: "((a{99}){99}){99}" would take more


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True  # as Prometheus 3: a dot is any character
    options.max_mem = _MEMORY
    return options


@lru_cache(maxsize=10_000)
def _pattern(text: str) -> re2._Regexp | None:
    """None for what is no pattern: nothing is stored that way, but for what is older than RE2."""
    try:
        return re2.compile(text, _options())
    except re2.error:
        return None


def fits(pattern: str, value: str) -> bool | None:
    """Whether the pattern fits the whole value; None if it is no pattern."""
    compiled = _pattern(pattern)
    return None if compiled is None else compiled.fullmatch(value) is not None


def check_matcher(matcher: Matcher, field: str = "label_matchers") -> None:
    """Raises `InvalidInput` for a matcher that cannot work."""
    if not matcher.label:
        raise InvalidInput("A matcher needs the name of a label.", field=field)
    if matcher.operator in (Operator.MATCHES, Operator.MATCHES_NOT):
        if len(matcher.value) > LONGEST_PATTERN:
            raise InvalidInput(f"A pattern has at most {LONGEST_PATTERN} characters.", field=field)
        try:
            re2.compile(matcher.value, _options())
        except re2.error as error:
            why = error.args[0] if error.args else "it cannot be read"
            if isinstance(why, bytes):
                why = why.decode(errors="replace")
            raise InvalidInput(
                f"{matcher.value!r} is not a regular expression that RE2 knows (it has neither"
                f" look-around nor back-references): {why}.",
                field=field,
            ) from None


def matches(matcher: Matcher, labels: Labels) -> bool:
    """Whether the labels satisfy it; a missing label counts as "". What is no pattern satisfies
    neither way, so that it can mute nothing.
    """
    value = labels.get(matcher.label, "")
    if matcher.operator is Operator.EQUAL:
        return value == matcher.value
    if matcher.operator is Operator.NOT_EQUAL:
        return value != matcher.value
    found = fits(matcher.value, value)
    return found is not None and found is (matcher.operator is Operator.MATCHES)


def read_matchers(stored: Iterable[Mapping[str, str]]) -> tuple[Matcher, ...]:
    """As they are kept in JSON columns."""
    return tuple(Matcher(one["label"], Operator(one["operator"]), one["value"]) for one in stored)


def write_matchers(matchers: Iterable[Matcher]) -> Jsonb:
    """The inverse of `read_matchers`."""
    return Jsonb(
        [
            {"label": one.label, "operator": one.operator.value, "value": one.value}
            for one in matchers
        ]
    )


def match_all(matchers: Iterable[Matcher], labels: Labels) -> bool:
    """Whether the labels satisfy every matcher; none at all is satisfied by anything."""
    return all(matches(matcher, labels) for matcher in matchers)


def identity_of(labels: Labels, rule: RuleDraft) -> dict[str, str]:
    """The labels that tell one alert of a rule from another: all, or those it groups by (none, for
    a joint rule that does not).
    """
    if not rule.is_grouped:
        return dict(sorted(labels.items()))
    return {name: labels.get(name, "") for name in sorted(rule.group_by)}


def fingerprint_of(workspace_id: UUID, source: str, identity: Labels) -> str:
    """SHA-256 over workspace, rule (or other source) and identity labels, in hex.

    Values, names of rules and the order of labels do not matter.
    """
    text = orjson.dumps([str(workspace_id), source, dict(identity)], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()
