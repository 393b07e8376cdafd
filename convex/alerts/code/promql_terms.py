"""What a PromQL expression compares with what, if a rule can say it. Pure.

A rule looks at the points of one series at a time. So an expression is taken apart into
`scale × core + shift  <comparison>  number`, where the core is a selector, alone or under an
aggregation over time; anything else is refused with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import promql_parser as promql

from convex.alerts.describe import format_duration, parse_duration

Matchers = tuple[tuple[str, str, str], ...]

_OVER_TIME = {
    "avg_over_time": "mean",
    "min_over_time": "min",
    "max_over_time": "max",
    "sum_over_time": "sum",
    "count_over_time": "count",
    "last_over_time": "last",
}
_QUANTILES = {0.5: "p50", 0.95: "p95"}
_FLIPPED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
_LOOKBACK = 300  # seconds for which Prometheus takes an older point for the current one


class Untranslatable(Exception):
    """Why an expression is no rule of ours."""


@dataclass(frozen=True, slots=True)
class Term:
    """`scale` × (an aggregate of one series) + `shift`; a number where there is no metric."""

    metric: str = ""
    matchers: Matchers = ()
    aggregate: str = "last"
    window: int = 0
    scale: float = 1.0
    shift: float = 0.0
    across: str = ""
    group_by: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether no series is in it."""
        return not self.metric


@dataclass(frozen=True, slots=True)
class Condition:
    """What a rule watches, and its fields that say when it fires."""

    metric: str
    matchers: Matchers
    fields: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    silence: int = 0  # seconds that Prometheus itself waits until data counts as absent


def read_condition(expression: object, increments: Collection[str] = ()) -> Condition:
    """The condition of an alert. Raises `Untranslatable`."""
    return _Terms(frozenset(increments)).condition(_bare(expression))


def _bare(expression: object) -> object:
    while isinstance(expression, promql.ParenExpr):
        expression = expression.expr
    return expression


class _Terms:
    def __init__(self, increments: frozenset[str]) -> None:
        self._increments = increments

    def condition(self, expression: object) -> Condition:
        if isinstance(expression, promql.Call) and expression.func.name.startswith("absent"):
            return self._absence(expression)
        if not isinstance(expression, promql.BinaryExpr):
            raise Untranslatable(
                "it compares nothing with a number: it fires whenever the series is there"
            )
        operator = str(expression.op)
        if operator == "and":
            return self._confirmed(expression)
        if operator in ("or", "unless"):
            raise Untranslatable(f"`{operator}` combines two vectors; make a rule of each side")
        if operator not in _FLIPPED:
            raise Untranslatable(f"it ends in `{operator}` and compares nothing with a number")
        left, right = _bare(expression.lhs), _bare(expression.rhs)
        if isinstance(left, promql.Call) and left.func.name.startswith("absent"):
            if operator == "==" and self.term(right) == Term(shift=1.0, scale=0.0):
                return self._absence(left)
            raise Untranslatable("absent() is 1 or nothing; compare it with nothing, or == 1")
        if expression.modifier is not None and expression.modifier.return_bool:
            raise Untranslatable(f"`{operator} bool` gives 0 or 1, and either fires")
        one, other = self.term(left), self.term(right)
        if one.is_number:
            one, other, operator = other, one, _FLIPPED[operator]
        if one.is_number:
            raise Untranslatable("it compares two numbers")
        if not other.is_number:
            raise Untranslatable("it compares two series with each other, not one with a number")
        return _solve(one, operator, other.shift)

    def term(self, expression: object) -> Term:
        expression = _bare(expression)
        match expression:
            case promql.NumberLiteral():
                return Term(scale=0.0, shift=float(expression.val))
            case promql.UnaryExpr():
                return _scaled(self.term(expression.expr), -1.0)
            case promql.VectorSelector():
                return self._selected(expression)
            case promql.Call():
                return self._called(expression)
            case promql.AggregateExpr():
                return self._across(expression)
            case promql.BinaryExpr():
                return self._calculated(expression)
            case promql.SubqueryExpr():
                raise Untranslatable("it has a subquery")
            case _:
                raise Untranslatable("it has a part that is neither a number nor a series")

    def _selected(self, selector: promql.VectorSelector, window: int = 0) -> Term:
        if selector.offset is not None or selector.at is not None:
            raise Untranslatable("it looks at another time (offset, @)")
        if selector.matchers.or_matchers:
            raise Untranslatable("its matchers are alternatives (or)")
        metric = selector.name or ""
        matchers = []
        for one in selector.matchers.matchers:
            operator = _OPERATORS[str(one.op).rpartition(".")[2]]
            if one.name == "__name__":
                if operator != "=":
                    raise Untranslatable("it selects metrics by a pattern; name one")
                metric = one.value
            else:
                matchers.append((one.name, operator, one.value))
        if not metric:
            raise Untranslatable("it names no metric")
        return Term(metric, tuple(sorted(matchers)), window=window)

    def _ranged(self, argument: object) -> Term:
        argument = _bare(argument)
        if not isinstance(argument, promql.MatrixSelector):
            raise Untranslatable("it has a subquery")
        seconds = argument.range.total_seconds()
        if seconds != int(seconds):
            raise Untranslatable("its window is not whole seconds")
        return self._selected(argument.vector_selector, int(seconds))

    def _called(self, call: promql.Call) -> Term:
        name = call.func.name
        if name in _OVER_TIME:
            return replace(self._ranged(call.args[0]), aggregate=_OVER_TIME[name])
        if name == "quantile_over_time":
            share = self.term(call.args[0])
            if not share.is_number or share.shift not in _QUANTILES:
                raise Untranslatable("of quantiles, rules have 0.5 and 0.95")
            return replace(self._ranged(call.args[1]), aggregate=_QUANTILES[share.shift])
        if name in ("rate", "increase"):
            found = replace(self._ranged(call.args[0]), aggregate="sum")
            if found.metric not in self._increments:
                raise Untranslatable(
                    f"{name}() takes readings of a counter; if the points of {found.metric} are"
                    " increments, say so (--increments)"
                )
            return replace(found, scale=1 / found.window) if name == "rate" else found
        raise Untranslatable(f"{name}() is no aggregate that rules have")

    def _across(self, expression: promql.AggregateExpr) -> Term:
        name, inner = str(expression.op), self.term(expression.expr)
        if inner.is_number or inner.across:
            raise Untranslatable(f"{name}() of what is no series")
        if name not in ("max", "min"):
            raise Untranslatable(
                f"{name}() puts several series together; ingest its result as a metric (a recording"
                " rule makes one) and alert on that"
            )
        modifier = expression.modifier
        if modifier is None or modifier.type != promql.AggModifierType.By or not modifier.labels:
            raise Untranslatable(f"{name}() is over all series; name the labels it keeps with `by`")
        if inner.scale <= 0:
            name = {"max": "min", "min": "max"}[name]
        return replace(inner, across=name, group_by=tuple(sorted(modifier.labels)))

    def _calculated(self, expression: promql.BinaryExpr) -> Term:
        operator = str(expression.op)
        if _has_series(expression.lhs) and _has_series(expression.rhs):
            raise Untranslatable(
                f"`{operator}` calculates with two series; ingest its result as a metric and alert"
                " on that"
            )
        one, other = self.term(expression.lhs), self.term(expression.rhs)
        if operator in ("+", "-"):
            if operator == "-":
                other = _scaled(other, -1.0)
            series, number = (other, one) if one.is_number else (one, other)
            return replace(series, shift=series.shift + number.shift)
        if operator == "*":
            series, number = (other, one) if one.is_number else (one, other)
            return _scaled(series, number.shift)
        if operator == "/" and other.is_number and other.shift != 0:
            return replace(one, scale=one.scale / other.shift, shift=one.shift / other.shift)
        raise Untranslatable(f"`{operator}` is not linear in the series")

    def _absence(self, call: promql.Call) -> Condition:
        argument = _bare(call.args[0])
        if call.func.name == "absent_over_time":
            found = self._ranged(argument)
            silence = found.window
        elif isinstance(argument, promql.VectorSelector):
            found, silence = self._selected(argument), _LOOKBACK
        else:
            raise Untranslatable("absent() of something that is no plain series")
        # A rule of its own needs a condition: fewer than one point in a minute is never true at a
        # point, so that only the missing ones are left to fire.
        fields = {
            "condition": "below",
            "threshold_value": 1,
            "aggregate": "count",
            "window": "1m",
            "no_data": "alert",
        }
        note = "it fires for series that were there once; one that never came is not missed here"
        return Condition(found.metric, found.matchers, fields, [note], silence)

    def _confirmed(self, expression: promql.BinaryExpr) -> Condition:
        """Two windows of one condition; all else that `and` can join is refused."""
        sides = [self.condition(_bare(side)) for side in (expression.lhs, expression.rhs)]
        sides.sort(key=lambda one: -_window_of(one))
        long, short = sides
        alike = {**long.fields, "window": ""} == {**short.fields, "window": ""}
        if (
            not alike
            or (long.metric, long.matchers) != (short.metric, short.matchers)
            or _window_of(short) == 0
            or _window_of(long) == _window_of(short)
        ):
            raise Untranslatable(
                "`and` joins two conditions; a rule has one (over two windows at most: the same"
                " aggregate, metric and threshold)"
            )
        confirmed = {**long.fields, "confirm_window": short.fields["window"]}
        return replace(long, fields=confirmed)


def _has_series(expression: object) -> bool:
    match expression:
        case promql.VectorSelector() | promql.MatrixSelector():
            return True
        case promql.BinaryExpr():
            return _has_series(expression.lhs) or _has_series(expression.rhs)
        case promql.Call():
            return any(_has_series(argument) for argument in expression.args)
        case (
            promql.ParenExpr() | promql.UnaryExpr() | promql.AggregateExpr() | promql.SubqueryExpr()
        ):
            return _has_series(expression.expr)
        case _:
            return False


def _window_of(condition: Condition) -> int:
    return parse_duration(condition.fields.get("window", 0), "window")


def _scaled(term: Term, by: float) -> Term:
    return replace(term, scale=term.scale * by, shift=term.shift * by)


def _solve(term: Term, operator: str, limit: float) -> Condition:
    """`scale × core + shift <operator> limit`, for the core."""
    if term.scale == 0:
        raise Untranslatable("the series has no weight in it")
    threshold = (limit - term.shift) / term.scale
    if not math.isfinite(threshold):
        raise Untranslatable(f"it compares with {threshold}")
    if term.scale < 0:
        operator = _FLIPPED[operator]
    if operator == "!=":
        raise Untranslatable("a rule fires above, below or at a number, not at every other (!=)")
    notes = []
    if operator in (">=", "<="):
        # Exactly the same: there is no number between the threshold and the one next to it.
        threshold = math.nextafter(threshold, -math.inf if operator == ">=" else math.inf)
        notes.append(f"`{operator}` became a comparison with the number next to it, {threshold!r}")
    if term.across and operator[0] != {"max": ">", "min": "<"}[term.across]:
        raise Untranslatable(
            f"{term.across}() with `{operator}` asks whether all series of a group do; here a"
            " group fires when one of them does"
        )
    fields: dict[str, Any] = {
        "condition": {">": "above", "<": "below", "=": "equals"}[operator[0]],
        "threshold_value": threshold,
    }
    if term.window:
        fields |= {"aggregate": term.aggregate, "window": format_duration(term.window)}
    if term.group_by:
        fields["group_by"] = list(term.group_by)
    return Condition(term.metric, term.matchers, fields, notes)
