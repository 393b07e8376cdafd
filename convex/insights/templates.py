"""The same insights without a model: sentences from facts, every number cited. Pure.

What a template writes passes `verify` by construction, and a property test holds it to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from convex.insights.answers import (
    Advice,
    AnyContent,
    Content,
    Finding,
    Reply,
    RiskItem,
    SeverityWord,
    Statement,
)
from convex.insights.model import INSTANT, Fact, Kind, Pack, show
from convex.insights.verify import MOST

_PROBABLE = 25.0  # a predicted probability worth a sentence, in %
_RISKY = 20.0  # a risk score worth one, where there are several
_MOST_FACTS_TOLD = 5


def write(pack: Pack) -> AnyContent:
    """The insight that the pack's kind asks for."""
    if pack.kind is Kind.TRIGGER:
        return _explain(pack)
    if pack.kind is Kind.QUESTION:
        return _answer(pack)
    return _report(pack)


def named(name: str) -> str:
    """A name as prose holds it: in quotation marks, so that it is no claim."""
    return f"“{name}”"


def _say(text: str, *facts: Fact | None) -> Statement:
    return Statement(text=text, facts=_ids(facts))


def _ids(facts: Iterable[Fact | None]) -> list[str]:
    return list(dict.fromkeys(fact.id for fact in facts if fact is not None))


def _number(fact: Fact | None) -> float:
    return 0.0 if fact is None or isinstance(fact.value, str) else float(fact.value)


def _one_of(count: float, noun: str) -> str:
    return noun if count == 1 else noun + "s"


def _alerts(fact: Fact) -> str:
    """ "12 alerts"; "no alerts" is said where there were none."""
    count = _number(fact)
    return f"{count:,.0f} {_one_of(count, 'alert')}" if count else "no alerts"


# -- a framework, a week


def _report(pack: Pack) -> Content:
    return Content(
        headline=_headline(pack),
        summary=[*_summary(pack)][: MOST["summary"]]
        or [_say(_plain(f), f) for f in pack.facts[:2]],
        findings=[*_findings(pack)][: MOST["findings"]],
        risks=[*_risks(pack)][: MOST["risks"]],
        recommendations=[*_advice(pack)][: MOST["recommendations"]],
    )


def _headline(pack: Pack) -> Statement:
    score, status = pack.find("health.score"), pack.find("health.status")
    total, opened = pack.find("alerts.total"), pack.find("open.total")
    if score is not None and status is not None:
        text = f"Health of {named(pack.subject)} is {status.value}, at {score.shown}"
        if opened is not None:
            text += f"; {_alerts(opened)} open now"
        return _say(text + ".", score, status, opened)
    if total is not None:
        text = f"{_alerts(total).capitalize()} opened in {named(pack.subject)} ({total.window})"
        if opened is not None:
            text += f"; {_alerts(opened)} open now"
        return _say(text + ".", total, opened)
    if status is not None:
        return _say(f"Health of {named(pack.subject)} is {status.value}: no data came in.", status)
    if opened is not None:
        return _say(f"{_alerts(opened).capitalize()} open in {named(pack.subject)}.", opened)
    first = pack.facts[0]
    return _say(_plain(first), first)


def _summary(pack: Pack) -> Iterable[Statement]:
    total, change, before = (pack.find(f"alerts.{k}") for k in ("total", "change", "previous"))
    if total is not None and change is not None and before is not None:
        more = _number(change)
        against = (
            f"{abs(more):,.0f} {'more' if more > 0 else 'fewer'} than in the window before"
            if more
            else "as many as in the window before"
        )
        text = f"{_alerts(total).capitalize()} opened ({total.window}), {against}."
        yield _say(text, total, change, before)
    critical = pack.find("alerts.severity.critical")
    if critical is not None and total is not None and _number(critical):
        verb = "was" if _number(critical) == 1 else "were"
        yield _say(f"Of these alerts {_number(critical):,.0f} {verb} critical.", critical, total)
    respond, resolve = pack.find("alerts.response"), pack.find("alerts.resolve")
    if respond is not None and resolve is not None:
        text = f"The median time to acknowledge was {respond.shown}, to resolve {resolve.shown}."
        yield _say(text, respond, resolve)
    elif resolve is not None:
        yield _say(f"The median time to resolve was {resolve.shown}.", resolve)
    trend = pack.find("health.trend")
    if trend is not None and _number(trend):
        said = trend.what.rpartition("which is ")[2]
        pace = show(abs(_number(trend)), trend.unit)
        text = f"Health is {said}: it changes by {pace} over the last 7 days."
        yield _say(text, trend)
    hour, share = pack.find("busy.hour"), pack.find("busy.hour_share")
    if hour is not None and share is not None:
        yield _say(f"Most alerts open from {hour.value}: {share.shown} of all.", hour, share)
    opened = pack.find("open.total")
    if total is None and opened is not None:
        yield _say(f"{_alerts(opened).capitalize()} open now.", opened)


def _findings(pack: Pack) -> Iterable[Finding]:
    for since, value, limit in _groups(pack, "open.since", "open.value", "open.limit"):
        assert since is not None
        text = f"{named(since.of)} has been open since {since.shown}"
        if value is not None and limit is not None:
            text += f"; the value was {value.shown} against a threshold of {limit.shown}"
        severity: SeverityWord = "critical" if "critical" in since.what else "warning"
        yield _found(text + ".", severity, since, value, limit)
    for value, score, target, limit in _groups(
        pack,
        *("health.metric.value", "health.metric.score"),
        *("health.metric.target", "health.metric.limit"),
    ):
        if value is None or score is None or target is None or limit is None:
            continue
        if _number(score) >= 75:
            continue
        text = (
            f"{named(value.of)} stood at {value.shown} over the last 24 h, between a target of"
            f" {target.shown} and a limit of {limit.shown}: {score.shown}."
        )
        poor = _number(score) < 50
        yield _found(text, "warning" if poor else "info", value, score, target, limit)
    for fired, told, taken in _unheard(pack):
        text = f"{named(fired.of)} opened {_alerts(fired)}, and nobody acknowledged "
        text += "it." if _number(fired) == 1 else "any of them."
        yield _found(text, "info", fired, told, taken)
    for busy in pack.all("frameworks.alerts")[:1]:
        if _number(busy):
            text = f"{named(busy.of)} had the most alerts: {_number(busy):,.0f}."
            yield _found(text, "info", busy)
    for sure, due in _groups(pack, "pattern.confidence", "pattern.next"):
        assert sure is not None
        kind = sure.what.removeprefix("confidence in a ")
        text = f"{named(sure.of)} follows a {kind}, with a confidence of {sure.shown}"
        text += f"; it is due next at {due.shown}." if due is not None else "."
        yield _found(text, "info", sure, due)
    for failed in pack.all("quality.failed"):
        if _number(failed):
            yield _found(f"Data quality: {_failed(failed)}.", "warning", failed)


def _risks(pack: Pack) -> Iterable[RiskItem]:
    score = pack.find("risk.score")
    if score is not None and _number(score):
        factors = pack.all("risk.factor")
        text = f"The risk score is {score.shown}"
        if factors:
            cause = factors[0].what.rpartition(": ")[2]
            of = f" of {named(factors[0].of)}" if factors[0].of else ""
            text += f"; most of it comes from {cause}{of}"
        yield RiskItem(text=text + ".", score=_number(score), facts=_ids([score, *factors[:1]]))
    for one in pack.all("frameworks.risk"):
        if _number(one) >= _RISKY:
            text = f"The risk score of {named(one.of)} is {one.shown}."
            yield RiskItem(text=text, score=_number(one), facts=[one.id])
    for likely, usual in _groups(pack, "prediction.probability", "prediction.usual"):
        if likely is None or usual is None or _number(likely) < _PROBABLE:
            continue
        of = named(likely.of) if likely.of else "An alert"
        text = (
            f"{of} is expected with a probability of {likely.shown} ({likely.window});"
            f" usually it is {usual.shown}."
        )
        yield RiskItem(text=text, score=_number(likely), facts=_ids([likely, usual]))


def _advice(pack: Pack) -> Iterable[Advice]:
    for since in pack.all("open.since")[:2]:
        if "not acknowledged" in since.what:
            text = (
                f"Somebody should take {named(since.of)}: it is open since {since.shown} and not"
                " acknowledged."
            )
            yield Advice(text=text, actionability=90, facts=[since.id])
    for fired, told, taken in _unheard(pack):
        if _number(fired) > 1:
            text = (
                f"Look at the tuning of {named(fired.of)}: it opened {_alerts(fired)} that nobody"
                " acknowledged."
            )
            yield Advice(text=text, actionability=75, facts=_ids([fired, told, taken]))
    for score, target in _groups(pack, "health.metric.score", "health.metric.target"):
        if score is not None and target is not None and _number(score) < 50:
            text = f"Bring {named(score.of)} back towards its target of {target.shown}."
            yield Advice(text=text, actionability=50, facts=_ids([score, target]))
            break
    for failed in pack.all("quality.failed"):
        if _number(failed):
            text = f"Read the data quality report: {_failed(failed)}."
            yield Advice(text=text, actionability=65, facts=[failed.id])
            break


# -- one alert


def _explain(pack: Pack) -> Content:
    opened, value = pack.find("trigger.opened"), pack.find("trigger.value")
    threshold = pack.find("trigger.threshold")
    assert opened is not None
    text = f"{named(pack.subject)} opened at {opened.shown}"
    if value is not None and threshold is not None:
        text += f": {named(value.of)} was {value.shown}, and its threshold is {threshold.shown}"
    elif value is not None:
        text += f": {named(value.of)} was {value.shown}"
    return Content(
        headline=_say(text + ".", opened, value, threshold),
        summary=[*_why(pack)][: MOST["summary"]] or [_say(_plain(opened), opened)],
        findings=[*_close_by(pack)][: MOST["findings"]],
        risks=[],
        recommendations=[*_next_steps(pack)][: MOST["recommendations"]],
    )


def _why(pack: Pack) -> Iterable[Statement]:
    value, usual = pack.find("trigger.value"), pack.find("series.usual")
    if value is not None and usual is not None:
        text = f"It was {value.shown}; in the same hour of the week it is usually {usual.shown}."
        yield _say(text, value, usual)
    mean, highest = pack.find("series.day_mean"), pack.find("series.day_max")
    if mean is not None and highest is not None:
        text = f"Over the 24 h before, the mean was {mean.shown} and the highest {highest.shown}."
        yield _say(text, mean, highest)
    lasted, usually = pack.find("trigger.lasted"), pack.find("history.lasted")
    if lasted is not None:
        said = "It has been open for" if "open" in lasted.what else "It lasted"
        text = f"{said} {lasted.shown}"
        if usually is not None:
            text += f"; alerts of this rule usually last {usually.shown}"
        yield _say(text + ".", lasted, usually)
    week, month = pack.find("history.week"), pack.find("history.month")
    last = pack.find("history.last")
    if week is not None and month is not None:
        text = (
            f"The rule opened {_alerts(week)} in the 7 days before and {_alerts(month)} in the 30"
            " days before"
        )
        text += f", the last at {last.shown}." if last is not None else "."
        yield _say(text, week, month, last)
    likely = pack.find("foreseen.probability")
    if likely is not None:
        yield _say(f"A probability of {likely.shown} had been predicted for it.", likely)


def _close_by(pack: Pack) -> Iterable[Finding]:
    for other in pack.all("around.opened"):
        within = f" ({named(other.within)})" if other.within else ""
        text = f"{named(other.of)}{within} opened close to it, at {other.shown}."
        yield _found(text, "warning" if "critical" in other.what else "info", other)
    for sure, due in _groups(pack, "pattern.confidence", "pattern.next"):
        assert sure is not None
        kind = sure.what.removeprefix("confidence in a ")
        text = f"The rule follows a {kind}, with a confidence of {sure.shown}."
        yield _found(text, "info", sure, due)


def _next_steps(pack: Pack) -> Iterable[Advice]:
    opened = pack.find("trigger.opened")
    before = [
        other
        for other in pack.all("around.opened")
        if opened is not None and str(other.value) <= str(opened.value)
    ]
    if before:
        text = f"Look at {named(before[0].of)} first: it opened before, at {before[0].shown}."
        yield Advice(text=text, actionability=70, facts=[before[0].id])
    false, actionable = pack.find("history.false"), pack.find("history.actionable")
    if false is not None and actionable is not None and _number(false) > _number(actionable):
        text = (
            f"Look at the tuning of this rule: {_alerts(false)} of it were marked false,"
            f" {_number(actionable):,.0f} actionable."
        )
        yield Advice(text=text, actionability=80, facts=_ids([false, actionable]))
    lasted = pack.find("trigger.lasted")
    if lasted is not None and "open" in lasted.what:
        text = f"Acknowledge it if you are on it: it has been open for {lasted.shown}."
        yield Advice(text=text, actionability=60, facts=[lasted.id])


# -- a question


def _answer(pack: Pack) -> Reply:
    nothing: dict[str, list[Finding]] = {"findings": []}
    if not pack.facts:
        text = "The figures of this workspace do not answer that question."
        headline = Statement(text=text, facts=[])
        return Reply(
            headline=headline, summary=[], risks=[], recommendations=[], answered=False, **nothing
        )
    told = pack.facts[:_MOST_FACTS_TOLD]
    return Reply(
        headline=_say("These figures come closest to the question.", told[0]),
        summary=[_say(_plain(fact), fact) for fact in told],
        risks=[],
        recommendations=[],
        answered=True,
        **nothing,
    )


def _plain(fact: Fact) -> str:
    """One fact as a sentence."""
    names = " in ".join(named(name) for name in (fact.of, fact.within) if name)
    what = fact.what[:1].upper() + fact.what[1:]
    window = f" ({fact.window})" if fact.window and fact.unit != INSTANT else ""
    return f"{what}{f', {names}' if names else ''}: {fact.shown}{window}."


# -- pieces


def _unheard(pack: Pack) -> Iterable[tuple[Fact, Fact, Fact]]:
    """Rules that people were told of and that nobody acknowledged: fired, told, acknowledged."""
    for group in _groups(pack, "noise.triggers", "noise.pages", "noise.acknowledged"):
        fired, told, taken = group
        if fired is None or told is None or taken is None:
            continue
        if _number(fired) and _number(told) and not _number(taken):
            yield fired, told, taken


def _failed(fact: Fact) -> str:
    """ "2 checks of series failed"."""
    what = fact.what.removesuffix(" that failed").removeprefix("checks")
    return f"{_number(fact):,.0f} {_one_of(_number(fact), 'check')}{what} failed"


def _found(text: str, severity: SeverityWord, *facts: Fact | None) -> Finding:
    return Finding(text=text, severity=severity, facts=_ids(facts))


def _groups(pack: Pack, *keys: str) -> Iterable[Sequence[Fact | None]]:
    """The facts of these keys that were added together: they follow one another and share a name.

    Each group begins with the first key.
    """
    group: dict[str, Fact] = {}
    for fact in pack.facts:
        if fact.key == keys[0]:
            if group:
                yield [group.get(key) for key in keys]
            group = {fact.key: fact}
        elif fact.key in keys and group and fact.of == group[keys[0]].of:
            group.setdefault(fact.key, fact)
    if group:
        yield [group.get(key) for key in keys]
