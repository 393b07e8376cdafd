"""Files become entries; what is wrong in them is said with its place."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from textwrap import dedent
from typing import Any
from uuid import UUID

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.schemas.rules import RuleNew
from convex.alerts.code.document import RuleEntry, changes_of, entry_of
from convex.alerts.code.read import NOWHERE, read_files
from convex.alerts.code.schema import file_schema
from convex.alerts.code.write import write_entries
from convex.alerts.model import Condition, Matcher, Operator, RuleDraft, RuleType
from tests.convex.alerts.rules import threshold_rules

MINIMAL = {"name": "n", "framework": "ewr", "metric": "rate", "threshold_value": 1.0}


def problems_of(text: str) -> list[str]:
    return [str(one) for one in read_files([("a.yaml", dedent(text))]).problems]


def test_what_a_file_leaves_out_has_the_same_default_as_a_draft() -> None:
    draft = RuleDraft(
        framework_id=NOWHERE,
        metric_id=NOWHERE,
        **changes_of(RuleEntry(**MINIMAL)),  # type: ignore[arg-type]
    )
    assert draft == RuleDraft(
        name="n", framework_id=NOWHERE, metric_id=NOWHERE, threshold_value=1.0
    )


def test_a_file_can_say_whatever_the_api_can() -> None:
    by_api = {about.alias or name for name, about in RuleNew.model_fields.items()}
    by_file = {about.alias or name for name, about in RuleEntry.model_fields.items()}
    assert by_file - {"framework", "metric"} == by_api - {"framework_id", "metric_id"}
    said = {name.removesuffix("_seconds") for name in (one.name for one in fields(RuleDraft))}
    assert by_file - {"framework", "metric"} == said - {
        "framework_id",
        "metric_id",
        "provenance",
    }


def test_a_file_holds_one_rule_many_or_several_documents() -> None:
    text = """\
        name: alone
        framework: ewr
        metric: rate
        threshold_value: 1
        ---
        rules:
          - {name: one, framework: ewr, metric: rate, threshold_value: 1}
          - {name: two, framework: ewr, metric: rate, threshold_value: 1}
        ---
        """
    reading = read_files([("a.yaml", dedent(text)), ("empty.yaml", "")])
    assert reading.problems == []
    assert [(one.name, one.line) for one in reading.entries] == [
        ("alone", 1),
        ("one", 7),
        ("two", 8),
    ]


def test_anchors_and_merge_keys_spare_repetition() -> None:
    text = """\
        rules:
          - &usual
            name: one
            framework: ewr
            metric: rate
            threshold_value: 1
          - <<: *usual
            name: two
            for: 5m
        """
    reading = read_files([("a.yaml", dedent(text))])
    assert reading.problems == []
    assert [(one.name, one.draft.for_seconds) for one in reading.entries] == [
        ("one", 0),
        ("two", 300),
    ]


RULE = """\
rules:
  - name: n
    framework: ewr
    metric: rate
    threshold_value: 1
"""


@pytest.mark.parametrize(
    ("text", "place", "part"),
    [
        (RULE + "    treshold: 5\n", "a.yaml:6: rules[0].treshold:", "no 'treshold' here"),
        (RULE + "    recovery_treshold: 5\n", "a.yaml:6:", "Did you mean 'recovery_threshold'?"),
        (RULE + "    for: 2 hours\n", "a.yaml:6: rules[0].for:", 'such as "2h"'),
        (RULE + "    for: true\n", "a.yaml:6: rules[0].for:", 'such as "2h"'),
        (RULE + "    severity: bad\n", "a.yaml:6: rules[0].severity:", "'critical'"),
        (RULE + "    enabled: 'yes'\n", "a.yaml:6: rules[0].enabled:", "it is 'yes'"),
        (RULE + "    recovery_threshold: 5\n", "a.yaml:6: rules[0].recovery_thr", "at or below"),
        (RULE + "    name: again\n", "a.yaml:6: rules[0].name:", "given twice"),
        (RULE + "    label_matchers:\n      - {label: a, operator: '=~', value: '('}\n",
         "a.yaml:6: rules[0].label_matchers", "regular expression"),
        (RULE + "    label_matchers:\n      - {label: a, operator: '~', value: b}\n",
         "a.yaml:7: rules[0].label_matchers[0].operator:", "'=~'"),
        (RULE + RULE.removeprefix("rules:\n"), "a.yaml:6: rules[1].name:", "a.yaml:2 already"),
        ("rules:\n  - name: n\n    framework: ewr\n    threshold_value: 1\n", "a.yaml:2:",
         "name a metric"),
        ("rules:\n  - 5\n", "a.yaml:2: rules[0]:", "mapping of fields"),
        ("rules: 5\n", "a.yaml:1: rules:", "must be a list"),
        ("rule: []\nslos: []\n", "a.yaml:1: rule:", "Did you mean 'rules'?"),
        ("- 1\n", "a.yaml:1:", "begins with `rules:`"),
        ("a: [1\nb: 2\n", "a.yaml:2:", "not YAML"),
        ("a: !!python/object:os.system x\n", "a.yaml:1:", "not YAML"),
    ],
)  # fmt: skip
def test_a_problem_says_where_it_is_and_what_to_do(text: str, place: str, part: str) -> None:
    (said,) = problems_of(text)
    assert said.startswith(place), said
    assert part in said


def test_a_small_file_cannot_become_a_huge_one() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (said,) = problems_of("\n".join(lines))
    assert "holds too much" in said
    (said,) = problems_of("a: &a [*a]\n")
    assert "holds too much" in said or "not YAML" in said


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    read_files([("a.yaml", text)])


@given(rule=threshold_rules(windows=True), enabled=st.booleans())
def test_what_is_written_is_read_again(rule: RuleDraft, enabled: bool) -> None:
    draft = RuleDraft(
        **{one.name: getattr(rule, one.name) for one in fields(RuleDraft)}
        | {
            "framework_id": NOWHERE,
            "metric_id": NOWHERE,
            "window_seconds": rule.window_seconds or 600,
            "no_data_after_seconds": rule.no_data_after_seconds or 60,
            "label_matchers": (Matcher("a", Operator.MATCHES, "b|c"),),
            "tags": ("12", "yes", "ä: b"),
            "templates": {"email": {"title": "{{ trigger.value }}"}},
            "enabled": enabled,
        }
    )
    text = write_entries([entry_of(draft, "ewr", "rate")])
    reading = read_files([("a.yaml", text)])
    assert reading.problems == []
    assert [one.draft for one in reading.entries] == [draft]


def _accepts(schema: dict[str, Any], value: object) -> bool:
    from jsonschema import Draft202012Validator

    return bool(Draft202012Validator(schema).is_valid(value))


@pytest.mark.parametrize(
    ("changes", "good"),
    [
        ({}, True),
        ({"for": "2h", "window": 300, "tags": ["a"], "enabled": False}, True),
        ({"type": "anomaly", "metric": None, "threshold_value": None}, True),
        ({"for": "2 hours"}, False),
        ({"for": -1}, False),
        ({"unknown": 1}, False),
        ({"severity": "bad"}, False),
        ({"threshold_value": "5"}, False),
        ({"name": None}, False),
        ({"label_matchers": [{"label": "a", "operator": "=", "value": "b"}]}, True),
        ({"label_matchers": [{"label": "a", "operator": "~", "value": "b"}]}, False),
    ],
)
def test_the_schema_and_the_checks_agree(changes: dict[str, Any], good: bool) -> None:
    schema = json.loads(json.dumps(file_schema()))
    value = {**MINIMAL, **changes}
    try:
        RuleEntry.model_validate(value)
    except ValidationError:
        assert not good
    else:
        assert good
    assert _accepts(schema, value) is good
    assert _accepts(schema, {"rules": [value]}) is good
    reading = read_files([("a.yaml", yaml.safe_dump(value))])
    assert (reading.problems == []) is good


def test_the_schema_in_the_docs_is_the_one_of_the_code() -> None:
    from pathlib import Path

    kept = Path(__file__).parents[4] / "docs" / "rules.schema.json"
    assert json.loads(kept.read_text()) == json.loads(json.dumps(file_schema()))


def test_a_rule_of_each_type_can_be_written() -> None:
    for draft in (
        RuleDraft(name="a", framework_id=NOWHERE, metric_id=NOWHERE, type=RuleType.ANOMALY,
                  condition=Condition.CHANGES_BY),
        RuleDraft(name="b", framework_id=UUID(int=0), metric_id=NOWHERE,
                  type=RuleType.PERFORMANCE, change_percentage=5.0),
        RuleDraft(name="c", framework_id=NOWHERE, metric_id=NOWHERE, type=RuleType.MILESTONE,
                  threshold_value=5.0),
        RuleDraft(name="d", framework_id=NOWHERE, type=RuleType.ANOMALY),
    ):  # fmt: skip
        text = write_entries([entry_of(draft, "ewr", None if draft.is_joint else "rate")])
        assert ("metric:" in text) is not draft.is_joint
        assert [one.draft for one in read_files([("a", text)]).entries] == [replace(draft)]
