"""Matchers: Prometheus' meaning, and no pattern that can hold up the process."""

from __future__ import annotations

import pytest

from convex.alerts.matchers import check_matcher, fingerprint_of, fits, identity_of, match_all
from convex.alerts.model import Matcher, Operator
from convex.errors import InvalidInput
from tests.convex.alerts.rules import RULE_ID, make_rule


@pytest.mark.parametrize(
    ("operator", "value", "labels", "expected"),
    [
        ("=", "a", {"gate": "a"}, True),
        ("=", "a", {"gate": "ab"}, False),
        ("=", "", {}, True),
        ("!=", "a", {}, True),
        ("!=", "", {}, False),
        ("=~", "a|b", {"gate": "b"}, True),
        ("=~", "a", {"gate": "ab"}, False),  # the whole value, not a part of it
        ("=~", "a.*", {"gate": "a\nb"}, True),  # a dot is any character
        ("=~", ".*", {}, True),
        ("=~", ".+", {}, False),
        ("=~", "(?i)NEWARK", {"gate": "newark"}, True),
        ("=~", "[é-ü]+", {"gate": "ü"}, True),
        ("!~", "a|b", {"gate": "c"}, True),
        ("!~", "a|b", {"gate": "a"}, False),
        ("!~", ".+", {}, True),
    ],
)
def test_what_a_matcher_fits(
    operator: str, value: str, labels: dict[str, str], expected: bool
) -> None:
    matcher = Matcher("gate", Operator(operator), value)
    check_matcher(matcher)
    assert match_all([matcher], labels) is expected


@pytest.mark.parametrize(
    "pattern", ["(", "a(?=b)", "(?<!a)b", r"(a)\1", "a" * 501, "((a{500}){500}){500}", "a{1001}"]
)
def test_a_pattern_that_cannot_be_matched_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_matcher(Matcher("gate", Operator.MATCHES, pattern), "matchers")
    assert refused.value.details["field"] == "matchers"


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|aa)+", "(.*a){12}", "(a*)*b", "(x+x+)+y"])
def test_a_pattern_that_would_make_backtracking_explode_answers_at_once(pattern: str) -> None:
    # A backtracking engine would not come back from this before the test's time is up.
    assert fits(pattern, "a" * 20_000 + "!") is False


def test_what_is_no_pattern_fits_neither_way() -> None:
    for operator in (Operator.MATCHES, Operator.MATCHES_NOT):
        assert not match_all([Matcher("gate", operator, "a(?=b)")], {"gate": "a"})


def test_a_fingerprint_is_of_the_identity_and_of_nothing_else() -> None:
    labels = {"gate": "a", "host": "h"}
    turned = dict(reversed(list(labels.items())))
    whole = fingerprint_of(RULE_ID, "rule", identity_of(labels, make_rule()))
    assert whole == fingerprint_of(RULE_ID, "rule", identity_of(turned, make_rule()))
    assert whole != fingerprint_of(
        RULE_ID, "rule", identity_of(labels, make_rule(group_by=("gate",)))
    )
    grouped = make_rule(group_by=("gate", "absent"))
    assert identity_of(labels, grouped) == {"absent": "", "gate": "a"}
