"""Unit tests of rules: what they find, and how they say what differs."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings

from convex.alerts.code.read import read_files
from convex.alerts.code.rule_tests import read_tests, run_tests
from convex.alerts.code.series_text import STALE, read_series
from convex.alerts.groups import Member, Shared, replay_group
from convex.alerts.model import Rule, RuleState
from convex.alerts.replay import replay_each
from tests.convex.alerts.rules import threshold_rules
from tests.convex.alerts.test_replay import Stream, facts, streams
from tests.convex.cli.conftest import run_convex

RULES = """\
rules:
  - {name: high, framework: f, metric: m, threshold_value: 5, for: 2m, keep_firing_for: 1m}
  - {name: by host, framework: f, metric: m, threshold_value: 5, group_by: [dc]}
  - {name: quiet, framework: f, metric: m, threshold_value: 5, no_data: alert, no_data_after: 5m}
  - {name: slow, framework: f, metric: m, threshold_value: 5, aggregate: mean, window: 10m}
  - {name: goal, framework: f, metric: m, type: milestone, threshold_value: 20, aggregate: sum}
"""


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("5", [5.0]),
        ("5x2", [5.0, 5.0, 5.0]),
        ("0+10x3", [0.0, 10.0, 20.0, 30.0]),
        ("9-2x2", [9.0, 7.0, 5.0]),
        ("-1.5e1 .5", [-15.0, 0.5]),
        ("1 _ _x2 2", [1.0, None, None, None, 2.0]),
        ("1 stale 2", [1.0, STALE, 2.0]),
        ("0x0", [0.0]),
    ],
)
def test_the_short_notation(text: str, values: list[object]) -> None:
    assert read_series(text) == values


@pytest.mark.parametrize(
    "text", ["x", "1x", "1+2", "1 2,3", "1x-1", "nan", "1x100000000", "_x999999"]
)
def test_what_is_no_series_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="series"):
        read_series(text)


def run(text: str, rules: str = RULES) -> list[str]:
    tests, problems = read_tests("t.yaml", dedent(text))
    assert problems == []
    assert tests is not None
    (outcome,) = run_tests(tests.tests, read_files([("rules.yaml", rules)]).entries)
    return outcome.failures


HEAD = """\
rules: [rules.yaml]
tests:
  - name: t
    series:
"""


def test_a_trigger_opens_after_for_and_ends_after_keep_firing_for() -> None:
    text = (
        HEAD
        + """\
      - {framework: f, metric: m, values: "0x4 9x5 0x5"}
    expect:
      - rule: high
        triggers:
          - {opened: 7m, resolved: 12m, resolution: recovered, value: 9, reason: condition_met}
        states:
          - {at: 4m, state: ok}
          - {at: 6m, state: pending}
          - {at: 7m, state: firing}
          - {at: 11m, state: recovering}
          - {at: 12m, state: ok}
"""
    )
    assert run(text) == []


def test_series_that_end_are_silent_or_are_grouped() -> None:
    text = (
        HEAD
        + """\
      - {framework: f, metric: m, labels: {dc: a, host: x}, values: "0 9 9 0x9"}
      - {framework: f, metric: m, labels: {dc: a, host: y}, values: "0 0 9 9 stale"}
      - {framework: f, metric: m, labels: {dc: b, host: z}, values: "0 0 9 9 _x9"}
      - {framework: f, metric: other, values: "99x9"}
    until: 20m
    expect:
      - rule: by host
        triggers:
          - {labels: {dc: a}, opened: 1m, resolved: 4m, resolution: stale}
          - {labels: {dc: b}, opened: 2m, resolved: never}
      - rule: quiet
        triggers:
          - {labels: {dc: a, host: x}, opened: 1m, resolved: 3m}
          - {labels: {dc: a, host: x}, opened: 17m, reason: no_data_alert}
          - {labels: {dc: a, host: y}, opened: 2m, resolution: stale}
          - {labels: {dc: a, host: y}, opened: 9m, reason: no_data_alert}
          - {labels: {dc: b, host: z}, opened: 2m, resolved: never}
        states:
          - {at: 9m, state: no_data, labels: {dc: b, host: z}}
"""
    )
    assert run(text) == []


def test_windows_and_goals() -> None:
    text = (
        HEAD
        + """\
      - {framework: f, metric: m, values: "0x9 10x9"}
    expect:
      - {rule: slow, triggers: [{opened: 15m, value: 6}]}
      - {rule: goal, triggers: [{opened: 11m, resolved: 11m, resolution: milestone}]}
"""
    )
    assert run(text) == []


def test_a_difference_is_shown_next_to_what_was_found() -> None:
    text = (
        HEAD
        + """\
      - {framework: f, metric: m, values: "0x4 9x5 0x5"}
    expect:
      - rule: high
        triggers: [{opened: 5m, resolved: never, value: 9}]
        states: [{at: 6m, state: firing}]
      - rule: hihg
      - rule: by host
"""
    )
    first, second, third, fourth = run(text)
    assert first.splitlines()[0] == (
        "high: expected a trigger opened 5m, resolved never, value 9.0, got none like it"
    )
    assert "    opened: expected 5m, got 7m" in first
    assert "    resolved: expected never, got 12m" in first
    assert second == "high at 6m: expected firing, got pending"
    assert third.startswith("there is no rule 'hihg'; the files have: by host")
    assert fourth.startswith("by host: got a trigger opened 5m")
    assert fourth.endswith("that was not expected")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (
            HEAD + "      - {framework: f, metric: m, values: 1y}\n    expect: [{rule: a}]\n",
            "t.yaml:5",
        ),
        (HEAD + "      - {framework: f, metric: m, values: 1}\n", "t.yaml:3: tests[0]"),
        ("rules: [a]\ntests: []\n", "t.yaml:2: tests"),
        ("rules: [a\n", "not YAML"),
    ],
)
def test_a_file_that_is_wrong_says_where(text: str, part: str) -> None:
    _, problems = read_tests("t.yaml", text)
    assert part in str(problems[0])


@settings(max_examples=200)
@given(rule=threshold_rules(), stream=streams())
def test_a_group_of_one_is_decided_as_a_series_alone(rule: Rule, stream: Stream) -> None:
    alone = replay_each(rule, "f", *stream, RuleState(), 0)
    member = Member(1, RuleState(), *stream)
    group = replay_group(rule, "f", [member], Shared()).recorder.outcome
    assert facts(group)["triggers"] == facts(alone)["triggers"]
    assert group.reasons == alone.reasons
    assert member.state.status is alone.state.status


def test_the_command_runs_files_and_fails_with_them(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    file = tmp_path / "test.yaml"
    good = (
        HEAD
        + """\
      - {framework: f, metric: m, values: "0x4 9x5 0x5"}
    expect:
      - {rule: high, triggers: [{opened: 7m}]}
"""
    )
    file.write_text(good)
    ended = run_convex("rules", "test", str(file), variables={})
    assert (ended.status, ended.err) == (0, "")
    assert "1 passed, 0 failed" in ended.out
    file.write_text(good.replace("opened: 7m", "opened: 8m"))
    ended = run_convex("rules", "test", str(file), variables={})
    assert ended.status == 1
    assert "opened: expected 8m, got 7m" in ended.out
    (tmp_path / "rules.yaml").write_text(RULES.replace("threshold_value: 5", "treshold: 5", 1))
    ended = run_convex("rules", "test", str(file), variables={})
    assert ended.status == 1
    assert "rules.yaml:2" in ended.err


def test_the_examples_of_the_docs_work() -> None:
    text = (Path(__file__).parents[4] / "docs" / "rules-as-code.md").read_text()
    rules, tests, slos = [part.partition("```")[0] for part in text.split("```yaml\n")[1:]]
    assert run(tests, rules) == []
    assert len(read_files([("slos", slos)]).entries) == 3
