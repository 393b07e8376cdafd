"""Unit tests of rules: series go in, triggers are to come out. Pure.

A test gives series in the short notation (`series_text`) and, for each rule it looks at, all the
triggers that there are to be; each may say as much about itself as matters. The rules run through
the same functions that decide about real points, one point after the other, and the silence up to
the end of the test is decided as the flow that watches for it would.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

import numpy as np
from pydantic import Field, PlainValidator, ValidationError, WithJsonSchema

from convex.alerts.backtest import History, prepare
from convex.alerts.code.document import Duration, Name, Number, Part
from convex.alerts.code.read import Entry
from convex.alerts.code.series_text import STALE, Value, read_series
from convex.alerts.code.tree import Path, Problem, Tree, read_trees
from convex.alerts.describe import format_duration, parse_duration
from convex.alerts.groups import Member, Shared, replay_group
from convex.alerts.matchers import identity_of
from convex.alerts.measure import Points
from convex.alerts.model import Kind, Rule, RuleDraft, RuleState
from convex.alerts.replay import Episode
from convex.metrics.model import SECOND, Labels, to_microseconds

_SPACE = UUID(int=0)
_START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday, so that weeks begin where one expects it
_DRAFT = tuple(one.name for one in fields(RuleDraft))
_TOLERANCE = 1e-9


def _read_values(text: object) -> list[Value]:
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str):
        raise ValueError("must be values such as '0+10x5 _ 5x3 stale'")
    return read_series(text)


class SeriesGiven(Part):
    """The points of one series, one each interval from the start on."""

    framework: Name
    metric: Name
    labels: dict[str, str] = Field(default_factory=dict)
    values: Annotated[
        list[Any], PlainValidator(_read_values), WithJsonSchema({"type": ["string", "number"]})
    ]
    target: Number | None = None
    """Of the metric, with `limit`: what performance rules take for better and worse."""
    limit: Number | None = None


class TriggerExpected(Part):
    """A trigger. What is left out may be anything; times count from the start."""

    opened: Duration
    resolved: Duration | Literal["never"] | None = None
    labels: dict[str, str] | None = None
    resolution: str | None = None
    """recovered, stale, no_data, milestone, …"""
    reason: str | None = None
    """Why it opened: condition_met, no_data_alert, goal_reached."""
    value: Number | None = None
    """At the opening."""
    flapping: bool | None = None


class StateExpected(Part):
    """Where the rule stands on a series at an instant, its point included."""

    at: Duration
    state: Literal["ok", "pending", "firing", "recovering", "no_data", "error"]
    labels: dict[str, str] = Field(default_factory=dict)


class Expectation(Part):
    """All triggers that a rule is to open, and states at instants."""

    rule: Name
    triggers: list[TriggerExpected] = Field(default_factory=list)
    states: list[StateExpected] = Field(default_factory=list)


class RuleTest(Part):
    """One test."""

    name: Name
    start: datetime = _START
    interval: Duration = "1m"
    until: Duration | None = None
    """How long it goes on; to the last point, or the last expected time, without it."""
    series: Annotated[list[SeriesGiven], Field(min_length=1)]
    expect: Annotated[list[Expectation], Field(min_length=1)]


class RuleTestFile(Part):
    """A file of tests; `rules` are files of rules, seen from this one."""

    rules: Annotated[list[Name], Field(min_length=1)]
    tests: Annotated[list[RuleTest], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test ended: passed, if there are no failures."""

    name: str
    failures: list[str]


def read_tests(file: str, text: str) -> tuple[RuleTestFile | None, list[Problem]]:
    """One file of tests, and what is wrong with it."""
    trees, problems = read_trees(file, text)
    if problems or len(trees) != 1:
        return None, problems or [Problem(file, 1, "", "A file of tests is one YAML document.")]
    (tree,) = trees
    try:
        return RuleTestFile.model_validate(tree.value), []
    except ValidationError as error:
        return None, [_problem(tree, detail["loc"], detail["msg"]) for detail in error.errors()]


def _problem(tree: Tree, path: Path, message: str) -> Problem:
    known = [part for number, part in enumerate(path) if path[: number + 1] in tree.lines]
    return tree.problem(
        tuple(known) if known else path, message.removeprefix("Value error, ") + "."
    )


def run_tests(tests: Iterable[RuleTest], entries: Iterable[Entry]) -> list[Outcome]:
    """Run them in order."""
    rules = {entry.name: entry for entry in entries}
    return [Outcome(test.name, list(_run(test, rules))) for test in tests]


def _run(test: RuleTest, rules: Mapping[str, Entry]) -> Iterable[str]:
    for expected in test.expect:
        entry = rules.get(expected.rule)
        if entry is None:
            known = ", ".join(sorted(rules)) or "none"
            yield f"there is no rule {expected.rule!r}; the files have: {known}"
            continue
        trial = _Trial(test, entry, expected)
        yield from _compare(expected, trial)
        for state in expected.states:
            found = trial.state_at(parse_duration(state.at, "at"), state.labels)
            if found != state.state:
                labels = f" of {_labels(state.labels)}" if state.labels else ""
                yield (
                    f"{expected.rule}{labels} at {_offset(parse_duration(state.at, 'at'))}:"
                    f" expected {state.state}, got {found or 'no such series'}"
                )


def _compare(expected: Expectation, trial: _Trial) -> Iterable[str]:
    left = trial.triggers()
    for wanted in expected.triggers:
        found = next((one for one in left if not _differences(wanted, one)), None)
        if found is not None:
            left.remove(found)
            continue
        lines = [f"{expected.rule}: expected a trigger {_wanted(wanted)}, got none like it"]
        near = min(left, key=lambda one: len(_differences(wanted, one)), default=None)
        if near is not None:
            lines.append(f"    nearest: {_found(near)}")
            lines += [f"    {line}" for line in _differences(wanted, near)]
            left.remove(near)
        yield "\n".join(lines)
    for one in left:
        yield f"{expected.rule}: got a trigger {_found(one)} that was not expected"


Fact = dict[str, Any]


def _differences(wanted: TriggerExpected, found: Fact) -> list[str]:
    told = []
    for name in ("opened", "resolved", "labels", "resolution", "reason", "value", "flapping"):
        want, have = getattr(wanted, name), found[name]
        if want is None:
            continue
        if name in ("opened", "resolved"):
            same = have is None if want == "never" else have == parse_duration(want, name)
            want = want if want == "never" else _offset(parse_duration(want, name))
            have = _offset(have)
        elif name == "value":
            same = have is not None and abs(want - have) <= _TOLERANCE * max(1.0, abs(want))
        else:
            same = want == have
        if not same:
            told.append(f"{name}: expected {want}, got {have}")
    return told


def _wanted(wanted: TriggerExpected) -> str:
    said = wanted.model_dump(exclude_none=True)
    return ", ".join(f"{name} {value}" for name, value in said.items())


def _found(found: Fact) -> str:
    said = {**found, "opened": _offset(found["opened"]), "resolved": _offset(found["resolved"])}
    said["labels"] = _labels(found["labels"])
    return ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)


def _labels(labels: Labels) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in sorted(labels.items())) + "}"


def _offset(seconds: int | None) -> str:
    return "never" if seconds is None else format_duration(seconds)


class _Trial:
    """One rule over the series of a test."""

    def __init__(self, test: RuleTest, entry: Entry, expected: Expectation) -> None:
        self._start = to_microseconds(test.start.replace(tzinfo=test.start.tzinfo or UTC))
        step = parse_duration(test.interval, "interval") * SECOND
        given = [
            one
            for one in test.series
            if one.framework == entry.framework and entry.metric in (None, one.metric)
        ]
        self._rule = as_rule(entry, given)
        self._ends: dict[int, list[int]] = {}
        self._histories = [
            self._history(number, one.labels, one.values, step) for number, one in enumerate(given)
        ]
        asked = [parse_duration(state.at, "at") for state in expected.states]
        for one in expected.triggers:
            asked += [
                parse_duration(each, "it")
                for each in (one.opened, one.resolved)
                if each not in (None, "never")
            ]
        last = max((len(one.values) - 1 for one in test.series), default=0) * step
        if test.until is not None:
            self._until = self._start + parse_duration(test.until, "until") * SECOND
        else:
            self._until = self._start + max([last, *(each * SECOND for each in asked)])

    def triggers(self) -> list[Fact]:
        """What the rule opened, in order of time."""
        found = []
        for members, episodes in self._replay(self._until):
            for episode in episodes:
                assert episode.opened is not None
                found.append(self._fact(episode, members))
        return sorted(found, key=lambda one: (one["opened"], _labels(one["labels"])))

    def state_at(self, seconds: int, labels: Labels) -> str | None:
        """Where the rule stands on this series then; None if it watches no such series."""
        until = self._start + seconds * SECOND
        for members, _ in self._replay(until):
            for member in members:
                if dict(self._histories[member.series_id].labels) == dict(labels):
                    return member.state.status.value
        return None

    def _history(self, number: int, labels: Labels, values: Sequence[Value], step: int) -> History:
        at, numbers = [], []
        for index, value in enumerate(values):
            instant = self._start + index * step
            if value == STALE:
                self._ends.setdefault(number, []).append(instant)
            elif isinstance(value, float):
                at.append(instant)
                numbers.append(value)
        return History(number, labels, Points(np.array(at, np.int64), np.array(numbers)))

    def _replay(self, until: int) -> Iterable[tuple[list[Member], list[Episode]]]:
        groups: dict[str, list[Member]] = {}
        for one in prepare(self._rule, self._histories, self._start - 1, until):
            ends = [each for each in self._ends.get(one.series_id, []) if each <= until]
            member = Member(one.series_id, RuleState(), one.at, one.measured, 0, ends)
            key = str(one.series_id)
            if self._rule.is_grouped:
                key = _labels(identity_of(one.labels, self._rule))
            groups.setdefault(key, []).append(member)
        for key, members in groups.items():
            outcome = replay_group(self._rule, key, members, Shared(), until)
            yield members, outcome.recorder.outcome.episodes

    def _fact(self, episode: Episode, members: Sequence[Member]) -> Fact:
        assert episode.opened is not None
        resolved: int | None = None
        resolution: str | None = None
        for change in episode.changes:
            if change.kind is Kind.RESOLVED:
                resolved = (change.at - self._start) // SECOND
                resolution = None if change.resolution is None else change.resolution.value
            elif change.kind is Kind.REOPENED:
                resolved, resolution = None, None
        labels = self._histories[members[0].series_id].labels
        return {
            "opened": (episode.opened.at - self._start) // SECOND,
            "resolved": resolved,
            "labels": dict(identity_of(labels, self._rule)),
            "resolution": resolution,
            "reason": episode.opened.reason.value,
            "value": episode.opened.value,
            "flapping": any(change.kind is Kind.FLAPPING for change in episode.changes),
        }


def as_rule(entry: Entry, given: Sequence[SeriesGiven] = ()) -> Rule:
    """The entry as a rule of no database; target and limit as the given series say."""
    values = {name: getattr(entry.draft, name) for name in _DRAFT}
    return Rule(
        **values,
        id=uuid5(_SPACE, entry.name),
        workspace_id=_SPACE,
        created_at=_START,
        updated_at=_START,
        framework=entry.framework,
        metric=entry.metric or "",
        target=next((one.target for one in given if one.target is not None), None),
        limit=next((one.limit for one in given if one.limit is not None), None),
    )
