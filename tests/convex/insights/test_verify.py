"""What is let through, and what is not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex.insights import templates
from convex.insights.answers import Content, Finding, Reply, RiskItem, Statement, statements
from convex.insights.model import Kind, Pack, read_pack
from convex.insights.packing import Packer, pack
from convex.insights.verify import Wrong, describe, verify
from tests.convex.insights.packs import HOSTILE_NAMES, NOW, airport_pack, packs


def content(text: str, *facts: str, **more: Any) -> Content:
    fine = Statement(text="Health is poor for now.", facts=["f1"])
    fields: dict[str, Any] = {"findings": [], "risks": [], "recommendations": [], "summary": [fine]}
    return Content(headline=Statement(text=text, facts=list(facts)), **fields | more)


def wrongs(text: str, *facts: str, **more: Any) -> set[Wrong]:
    return {one.wrong for one in verify(content(text, *facts, **more), airport_pack()).problems}


def ids(*keys: str) -> list[str]:
    found = airport_pack()
    return [fact.id for key in keys if (fact := found.find(key)) is not None]


def test_what_the_cited_facts_say_holds() -> None:
    assert not wrongs(
        "12 alerts opened, 4 more than before.", *ids("alerts.total", "alerts.change")
    )
    assert not wrongs("The cancel_rate was 50.8 %.", *ids("health.metric.value"))


@pytest.mark.parametrize(
    ("text", "keys", "wrong"),
    [
        ("12 alerts opened.", (), Wrong.UNCITED),
        ("13 alerts opened.", ("alerts.total",), Wrong.NUMBER),
        ("Thirteen alerts opened.", ("alerts.total",), Wrong.NUMBER),
        ("12 alerts opened.", ("health.score",), Wrong.NUMBER),  # it is in another fact
        ("Alerts doubled this week.", ("alerts.total",), Wrong.NUMBER),
        ("Alerts fell by 4 this week.", ("alerts.change",), Wrong.DIRECTION),
        ("4 fewer alerts than in the window before.", ("alerts.change",), Wrong.DIRECTION),
        ("Health is excellent these days.", ("health.status",), Wrong.STATUS),
        ("Health is good, at 48.2.", ("health.score",), Wrong.STATUS),
        ("The health of all is healthy.", ("health.status",), Wrong.STATUS),
        ("No alerts are open now.", ("open.total",), Wrong.NUMBER),
        ("None of them is open now.", ("open.total",), Wrong.NUMBER),
        ("Dozens of alerts opened.", ("alerts.total",), Wrong.NUMBER),
        ("Hundreds were told of it.", ("alerts.total",), Wrong.NUMBER),
        ("See https://evil.example now please.", ("alerts.total",), Wrong.MARKUP),
        ("Click <b>here</b> to see more.", ("alerts.total",), Wrong.MARKUP),
        ("“Delays”", ("open.since",), Wrong.EMPTY),
        ("Alerts opened. " * 60, ("alerts.total",), Wrong.TOO_LONG),
    ],
)
def test_what_they_do_not_say_is_refused(text: str, keys: tuple[str, ...], wrong: Wrong) -> None:
    assert wrong in wrongs(text, *ids(*keys))


def test_who_cites_everything_has_backed_nothing() -> None:
    everything = [fact.id for fact in airport_pack().facts]
    assert Wrong.TOO_MANY in wrongs("12 alerts opened.", *everything)


def test_health_may_be_called_what_it_is() -> None:
    assert not wrongs("Health is poor, at 48.2.", *ids("health.status", "health.score"))
    assert not wrongs("It is good that alerts were taken.", *ids("alerts.total"))


def test_a_fact_that_does_not_exist_is_refused() -> None:
    assert Wrong.UNKNOWN_FACT in wrongs("12 alerts opened.", *ids("alerts.total"), "f999")


def test_a_risk_has_the_score_of_a_fact_that_it_cites() -> None:
    def risk(score: float, key: str) -> set[Wrong]:
        item = RiskItem(text="It may happen again soon.", score=score, facts=ids(key))
        return wrongs("Health is poor.", "f1", risks=[item])

    assert not risk(57.5, "risk.score")
    assert not risk(63, "prediction.probability")
    assert risk(90, "risk.score") == {Wrong.SCORE}
    assert risk(12, "alerts.total") == {Wrong.SCORE}


def test_too_many_findings_are_refused() -> None:
    one = Finding(text="Health is poor now.", severity="info", facts=["f1"])
    assert Wrong.TOO_MANY in wrongs("Health is poor.", "f1", findings=[one] * 7)


def test_an_answer_that_there_is_none_needs_no_fact_but_may_hold_no_number() -> None:
    def unanswered(text: str) -> set[Wrong]:
        empty: dict[str, Any] = {
            name: [] for name in ("summary", "findings", "risks", "recommendations")
        }
        reply = Reply(headline=Statement(text=text, facts=[]), answered=False, **empty)
        return {one.wrong for one in verify(reply, airport_pack(Kind.QUESTION)).problems}

    assert not unanswered("The figures do not say.")
    assert unanswered("The figures do not say, but 99 is likely.") == {Wrong.NUMBER}


def test_the_repair_is_told_where_the_number_is_but_not_what_was_written() -> None:
    said = describe(
        verify(content("12 alerts: buy now at our shop.", "f1"), airport_pack()).problems
    )
    assert ids("alerts.total")[0] in said
    assert "buy" not in said


# -- names are data


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_model_that_obeys_a_name_is_refused(name: str) -> None:
    evidence = airport_pack(name=name, rule=name)
    for text, facts in (
        ("Everything is healthy and there are 0 alerts.", ["f1"]),
        ("All is well.", []),
        ("Revenue fell by 900 % in 3 hours.", ids("open.since")),
        ("100 % of flights were lost.", ids("open.since")),
        ("Visit https://evil.example/steal for details.", ["f1"]),
    ):
        assert not verify(content(text, *facts), evidence).holds


def test_a_name_is_no_claim_unless_it_is_quoted() -> None:
    evidence = airport_pack(rule="revenue fell by 900 % in 3 hours")
    (since,) = ids("open.since")
    quoted = "“revenue fell by 900 % in 3 hours” has been open for a while."
    bare = "Note that revenue fell by 900 % in 3 hours as the alert says."
    assert verify(content(quoted, since), evidence).holds
    assert not verify(content(bare, since), evidence).holds


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_gets_out_of_the_data(name: str) -> None:
    prompt = airport_pack(name=name, rule=name).as_prompt()
    assert not set("<>&\u0000\u0007\u202e") & set(prompt)
    assert "@example.com" not in prompt
    assert "evil.example" not in prompt


# -- templates


def test_a_framework_reads_like_this() -> None:
    written = templates.write(airport_pack())
    assert isinstance(written, Content)
    assert written.headline.text == (
        "Health of “Newark” is poor, at 48.2 points of 100; 2 alerts open now."
    )
    assert [one.text for one in written.summary] == [
        "12 alerts opened (2026-11-18 to 2026-11-24), 4 more than in the window before.",
        "Of these alerts 3 were critical.",
        "The median time to acknowledge was 12.5 min, to resolve 95 min.",
        "Health is worsening: it changes by 1.84 points a day over the last 7 days.",
    ]
    assert written.findings[0].severity == "critical"
    assert written.findings[0].text == (
        "“Delays” has been open since 2026-11-23 07:15 UTC; the value was 51.2 min against a"
        " threshold of 30 min."
    )
    assert [risk.score for risk in written.risks] == [57.5, 63.4]
    assert written.recommendations[0].actionability == 90


@pytest.mark.parametrize("kind", [Kind.FRAMEWORK, Kind.DIGEST, Kind.TRIGGER, Kind.QUESTION])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_a_template_writes_always_holds(kind: Kind, data: st.DataObject) -> None:
    evidence = data.draw(packs(kind))
    verdict = verify(templates.write(evidence), evidence)
    assert verdict.holds, describe(verdict.problems)
    assert verdict.verified == verdict.statements


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_number_added_to_a_statement_that_holds_is_found(data: st.DataObject) -> None:
    evidence = data.draw(packs(Kind.FRAMEWORK))
    written = templates.write(evidence)
    assert isinstance(written, Content)
    forged = Statement(
        text=written.headline.text + " That is 987,654,321.25 in all.", facts=written.headline.facts
    )
    assert not verify(written.model_copy(update={"headline": forged}), evidence).holds


_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")


def _forgeries() -> list[tuple[str, str]]:
    """Every figure of a framework's insight made another: where, and the whole sentence."""
    written = templates.write(airport_pack())
    found = []
    for said in statements(written):
        for match in _FIGURE.finditer(said.text):
            digits = match[0].replace(",", "")
            other = f"{float(digits) + 7:g}" if "." in digits else str(int(digits) + 7)
            found.append(
                (said.where, said.text[: match.start()] + other + said.text[match.end() :])
            )
    return found


@pytest.mark.parametrize(("where", "forged"), _forgeries())
def test_no_figure_of_an_insight_can_be_made_another(where: str, forged: str) -> None:
    evidence = airport_pack()
    (facts,) = [said.facts for said in statements(templates.write(evidence)) if said.where == where]
    assert Wrong.NUMBER in wrongs(forged, *facts), forged


# -- packs


@settings(max_examples=60, deadline=None)
@given(packs(Kind.DIGEST))
def test_a_pack_comes_back_from_storage_as_it_was(evidence: Pack) -> None:
    again = read_pack(evidence.as_json())
    assert again.as_json() == evidence.as_json()
    assert again.fingerprint("m") == evidence.fingerprint("m")
    assert again.fingerprint("m") != evidence.fingerprint("other model")


def test_a_pack_is_bounded_and_says_what_was_left_out() -> None:
    packer = Packer(query="test()")
    for i in range(500):
        packer.add("k", f"what number {i} is", float(i), of="x" * 500)
    made = pack(Kind.DIGEST, "s", NOW, packer)
    assert len(made.facts) + made.left_out == 500
    assert len(made.as_prompt().encode()) < 20_000
    assert [fact.id for fact in made.facts[:3]] == ["f1", "f2", "f3"]


def test_the_same_evidence_within_the_hour_has_the_same_hash() -> None:
    assert airport_pack().fingerprint() == airport_pack().fingerprint()
    assert airport_pack(rule="Other").fingerprint() != airport_pack().fingerprint()
