"""Planning: each outcome has its reason, nothing is dropped, what was told is also ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from uuid import UUID

import pytest

from convex.notifications.model import (
    Channel,
    ChannelKind,
    Inhibition,
    Kind,
    Matcher,
    Mute,
    Planned,
    Reason,
    Reminder,
    State,
    Target,
)
from convex.notifications.preferences import EscalationStep, Grouping, Preferences
from convex.notifications.quiet_hours import QuietHours
from tests.convex.notifications.facts import (
    ALONE,
    ANN,
    BOB,
    CHAT,
    HOOK,
    INBOX,
    MAIL,
    NOW,
    as_past,
    decide,
    delivered,
    later,
    member,
    row,
    transition,
    trigger,
)

IN_APP, EMAIL, WEBHOOK, SLACK = (
    ChannelKind.IN_APP,
    ChannelKind.EMAIL,
    ChannelKind.WEBHOOK,
    ChannelKind.SLACK,
)
MILESTONE = {"type": "milestone", "resolution": "milestone"}


def verdict(planned: Planned) -> tuple[State, Reason]:
    return planned.state, planned.reason


def test_a_critical_firing_is_told_at_once_everywhere() -> None:
    made = decide(transition(1, trigger(severity="critical")))
    assert verdict(row(made, IN_APP)) == (State.DELIVERED, Reason.SENT)
    for kind in (EMAIL, WEBHOOK):
        assert verdict(row(made, kind)) == (State.DUE, Reason.SENT)
        assert row(made, kind).due_at == NOW
    assert row(made, WEBHOOK).target.recipient is None


def test_others_reach_the_inbox_at_once_and_wait_for_their_group_elsewhere() -> None:
    made = decide(transition(1, trigger()))
    assert row(made, IN_APP).state is State.DELIVERED
    assert row(made, EMAIL).due_at == later(seconds=30)
    assert "Waits 30 s for others of the same rule" in row(made, EMAIL).explanation


def test_triggers_of_a_group_share_one_message() -> None:
    made = decide(transition(1, trigger(1)), transition(2, trigger(2)), transition(3, trigger(3)))
    first = row(made, EMAIL, 1)
    for number in (2, 3):
        assert verdict(row(made, EMAIL, number)) == (State.CARRIED, Reason.GROUPED)
        assert row(made, EMAIL, number).carried_by == first.id


def test_a_trigger_joins_the_message_that_still_waits_and_not_one_that_is_being_sent() -> None:
    history = as_past(decide(transition(1, trigger(1))))
    joined = decide(transition(2, trigger(2)), history=history, now=later(seconds=10))
    assert verdict(row(joined, EMAIL, 2)) == (State.CARRIED, Reason.GROUPED)
    taken = [replace(one, leased=True, attempts=1) for one in history]
    alone = decide(transition(2, trigger(2)), history=taken, now=later(seconds=31))
    assert verdict(row(alone, EMAIL, 2)) == (State.DUE, Reason.SENT)


def test_the_next_message_of_a_group_keeps_the_interval() -> None:
    history = delivered(decide(transition(1, trigger(1))), now=later(seconds=30))
    made = decide(transition(2, trigger(2)), history=history, now=later(seconds=60))
    assert row(made, EMAIL, 2).due_at == later(seconds=30) + timedelta(minutes=5)


def test_a_critical_one_makes_the_waiting_message_of_its_group_go_now() -> None:
    history = as_past(decide(transition(1, trigger(1))))
    made = decide(
        transition(2, trigger(2, severity="critical")), history=history, now=later(seconds=5)
    )
    assert row(made, EMAIL, 2).state is State.CARRIED
    assert {change.due_at for change in made.changes} == {later(seconds=5)}


@pytest.mark.parametrize("by", ["framework", "type"])
def test_groups_by_framework_and_type_hold_several_rules(by: str) -> None:
    wishes = Preferences(grouping=Grouping(by=by))
    one, other = trigger(1), trigger(2, rule_id=UUID(int=32), rule_name="Delays")
    made = decide(transition(1, one), transition(2, other), members=[member(preferences=wishes)])
    assert row(made, EMAIL, 2).carried_by == row(made, EMAIL, 1).id
    made = decide(transition(1, one), transition(2, other), members=[member(preferences=ALONE)])
    assert row(made, EMAIL, 2).state is State.DUE
    assert row(made, EMAIL, 2).due_at == NOW


def test_what_is_below_the_wanted_severity_is_withheld_in_words() -> None:
    wishes = Preferences(min_severity="critical")
    made = decide(transition(1, trigger()), members=[member(preferences=wishes)])
    assert verdict(row(made, IN_APP)) == (State.WITHHELD, Reason.BELOW_SEVERITY)
    assert row(made, IN_APP).explanation == "It is warning; only critical is wanted here."
    assert row(made, WEBHOOK).state is State.DUE


def test_silences_mutes_and_inhibitions_withhold_and_say_which() -> None:
    matcher = [Matcher("framework", "=", "ewr")]
    silence = Mute(Reason.SILENCED, matcher, NOW, later(hours=1), "Silenced: storm (Ann)")
    made = decide(transition(1, trigger()), mutes=[silence])
    assert verdict(row(made, EMAIL)) == (State.WITHHELD, Reason.SILENCED)
    assert row(made, EMAIL).explanation == "Silenced: storm (Ann)"
    other = replace(silence, matchers=[Matcher("framework", "=~", "l.*")])
    assert row(decide(transition(1, trigger()), mutes=[other]), IN_APP).state is State.DELIVERED
    over = replace(silence, starts_at=later(hours=-2), ends_at=NOW)
    assert row(decide(transition(1, trigger()), mutes=[over]), IN_APP).state is State.DELIVERED
    rule = Inhibition("site down", [Matcher("severity", "=", "critical")], [], ["framework"])
    worse = trigger(9, severity="critical", rule_name="Site down")
    made = decide(transition(1, trigger()), inhibitions=[rule], open_triggers=[worse])
    assert verdict(row(made, EMAIL)) == (State.WITHHELD, Reason.INHIBITED)
    elsewhere = replace(worse, framework="jfk")
    made = decide(transition(1, trigger()), inhibitions=[rule], open_triggers=[elsewhere])
    assert row(made, IN_APP).state is State.DELIVERED


QUIET = Preferences(quiet_hours=QuietHours(time(22), time(6), "UTC"), grouping=Grouping(by="none"))


def test_quiet_hours_put_off_what_is_not_critical() -> None:
    night = NOW.replace(hour=23)
    people = [member(preferences=QUIET)]
    made = decide(transition(1, trigger()), members=people, now=night)
    for kind in (IN_APP, EMAIL):
        assert verdict(row(made, kind)) == (State.DUE, Reason.DEFERRED_QUIET_HOURS)
        assert row(made, kind).due_at == night.replace(day=11, hour=6)
    critical = decide(transition(1, trigger(severity="critical")), members=people, now=night)
    assert row(critical, EMAIL).due_at == night
    assert row(critical, IN_APP).state is State.DELIVERED


def test_what_ended_during_quiet_hours_is_told_to_nobody() -> None:
    night, people = NOW.replace(hour=23), [member(preferences=QUIET)]
    history = as_past(decide(transition(1, trigger()), members=people, now=night))
    end = transition(2, trigger(opened_at=night), "resolved", at=night + timedelta(hours=1))
    made = decide(end, members=people, history=history, now=night + timedelta(hours=1))
    assert verdict(row(made, EMAIL, 2)) == (State.WITHHELD, Reason.EXPIRED)
    firing = next(one for one in as_past(made, history) if one.target.kind is EMAIL)
    assert (firing.state, firing.reason) == (State.WITHHELD, Reason.EXPIRED)
    assert firing.explanation == "Resolved after 60 min, before it was due."


def test_the_same_again_within_the_window_waits_and_is_told_if_it_still_fires() -> None:
    people = [member(preferences=ALONE)]
    history = delivered(decide(transition(1, trigger()), members=people))
    again = replace(trigger(), id=UUID(int=1099))
    made = decide(transition(3, again), members=people, history=history, now=later(minutes=2))
    for kind in (IN_APP, EMAIL):
        assert verdict(row(made, kind, 3)) == (State.DUE, Reason.DEDUPLICATED)
        assert row(made, kind, 3).due_at == later(minutes=5)
    after = decide(transition(3, again), members=people, history=history, now=later(minutes=5))
    assert row(after, EMAIL, 3).reason is Reason.SENT


def test_what_is_over_the_cap_becomes_one_digest() -> None:
    wishes = replace(ALONE, max_per_hour=2)
    made = decide(
        *(transition(number, trigger(number)) for number in range(1, 6)),
        members=[member(preferences=wishes)],
    )
    digests = [one for one in made.notifications if one.kind is Kind.DIGEST]
    assert {digest.target.kind for digest in digests} == {IN_APP, EMAIL}
    assert len(digests) == 2
    mail = next(one for one in digests if one.target.kind is EMAIL)
    assert mail.due_at == later(hours=1)
    for number in (3, 4, 5):
        assert verdict(row(made, EMAIL, number)) == (State.CARRIED, Reason.OVER_HOURLY_CAP)
        assert row(made, EMAIL, number).carried_by == mail.id


def test_a_member_whom_the_rule_does_not_reach_has_a_row_that_says_so() -> None:
    made = decide(transition(1, trigger(channels=("pager",))))
    assert verdict(row(made, None)) == (State.WITHHELD, Reason.NO_CHANNEL)
    assert "tells pager only" in row(made, None).explanation
    assert row(made, WEBHOOK).state is State.DUE


def test_a_channel_that_cannot_be_used_says_why() -> None:
    off = replace(MAIL, unusable="It is switched off.")
    made = decide(transition(1, trigger()), channels=[INBOX, off])
    assert verdict(row(made, EMAIL)) == (State.WITHHELD, Reason.NO_CHANNEL)
    assert row(made, EMAIL).explanation == "It is switched off."


def test_channels_are_named_by_name_or_by_kind() -> None:
    wishes = Preferences(channels=("email",))
    made = decide(
        transition(1, trigger(channels=("mail", "chat"))),
        members=[member(preferences=wishes)],
        channels=[INBOX, MAIL, HOOK, CHAT],
    )
    assert {one.target.kind for one in made.notifications} == {EMAIL, SLACK}


@pytest.mark.parametrize("kind", ["resolved", "acknowledged", "flapping"])
def test_what_was_told_is_followed_up_also_when_it_is_muted_or_unwanted_now(kind: str) -> None:
    history = delivered(
        decide(transition(1, trigger()), members=[member(preferences=ALONE)], defaults=ALONE)
    )
    silence = Mute(Reason.SILENCED, [], NOW, later(hours=1), "Silenced")
    made = decide(
        transition(2, trigger(rule_id=None), kind, author_id=BOB),
        history=history,
        mutes=[silence],
        members=[member(preferences=replace(ALONE, min_severity="critical", channels=()))],
    )
    for channel in (IN_APP, EMAIL, WEBHOOK):
        assert row(made, channel, 2).state in (State.DUE, State.DELIVERED)
        assert row(made, channel, 2).kind == Kind(kind)


def test_an_end_does_not_overtake_a_firing_that_is_being_sent() -> None:
    sending = as_past(decide(transition(1, trigger(severity="critical"))), leased=True, attempts=1)
    made = decide(transition(2, trigger(severity="critical"), "resolved"), history=sending)
    firing = next(one for one in sending if one.target.kind is EMAIL)
    assert row(made, EMAIL, 2).payload["after"] == str(firing.id)
    assert not made.changes


def test_a_firing_that_keeps_failing_gives_way_to_its_end() -> None:
    failing = as_past(decide(transition(1, trigger(severity="critical"))), attempts=2)
    made = decide(transition(2, trigger(severity="critical"), "resolved"), history=failing)
    assert row(made, EMAIL, 2).state is State.DUE
    assert {change.reason for change in made.changes} == {Reason.EXPIRED}


def test_a_critical_firing_is_told_although_it_ended_before_anybody_looked() -> None:
    about = trigger(severity="critical")
    made = decide(transition(1, about), transition(2, about, "resolved"))
    assert row(made, EMAIL, 1).state is State.DUE
    assert row(made, EMAIL, 2).payload["after"] == str(row(made, EMAIL, 1).id)
    assert row(made, IN_APP, 2).state is State.DELIVERED


def test_others_that_ended_before_they_were_due_are_told_to_the_inbox_alone() -> None:
    made = decide(transition(1, trigger()), transition(2, trigger(), "resolved"))
    assert row(made, IN_APP, 2).state is State.DELIVERED
    assert verdict(row(made, EMAIL, 1)) == (State.WITHHELD, Reason.EXPIRED)
    assert verdict(row(made, EMAIL, 2)) == (State.WITHHELD, Reason.EXPIRED)


def test_a_message_whose_first_trigger_ended_goes_out_with_the_others() -> None:
    history = as_past(decide(*(transition(n, trigger(n)) for n in (1, 2, 3))))
    made = decide(transition(4, trigger(1), "resolved"), history=history, now=later(seconds=10))
    mails = {one.transition_id: one for one in as_past(made, history) if one.target.kind is EMAIL}
    assert mails[1].state is State.WITHHELD
    assert (mails[2].state, mails[2].due_at) == (State.DUE, later(seconds=30))
    assert (mails[3].state, mails[3].carried_by) == (State.CARRIED, mails[2].id)


def test_reaching_a_milestone_is_one_message() -> None:
    about = trigger(type="milestone", resolution="milestone", severity="info")
    made = decide(transition(1, about), transition(2, about, "resolved"))
    for kind in (IN_APP, EMAIL):
        assert row(made, kind, 1).state in (State.DUE, State.DELIVERED)
        assert verdict(row(made, kind, 2)) == (State.CARRIED, Reason.GROUPED)
        assert row(made, kind, 2).carried_by == row(made, kind, 1).id


def test_who_acknowledges_is_not_told_and_spares_the_others_what_had_not_gone() -> None:
    people = [member(ANN), member(BOB)]
    history = as_past(decide(transition(1, trigger()), members=people))
    made = decide(
        transition(2, trigger(), "acknowledged", author_id=BOB, author="Bob"),
        members=people,
        history=history,
        now=later(seconds=10),
    )
    rows = {(one.target.recipient, one.target.kind): one for one in made.notifications}
    assert verdict(rows[BOB, IN_APP]) == (State.WITHHELD, Reason.ACKNOWLEDGED)
    assert rows[ANN, IN_APP].state is State.DELIVERED
    assert verdict(rows[ANN, EMAIL]) == (State.WITHHELD, Reason.ACKNOWLEDGED)
    assert rows[None, WEBHOOK].state is State.CARRIED
    kept = as_past(made, history)
    assert {one.state for one in kept if one.target.kind is EMAIL} == {State.WITHHELD}


def test_escalation_is_planned_with_the_firing_and_stops_when_somebody_acknowledges() -> None:
    steps = (
        EscalationStep(timedelta(minutes=30), ("email",), (BOB,)),
        EscalationStep(timedelta(minutes=60), ("pager",)),
    )
    people = [member(ANN, replace(ALONE, escalation_steps=steps)), member(BOB, ALONE)]
    about = trigger(severity="critical", channels=("in_app", "email"))
    made = decide(transition(1, about), members=people)
    later_ones = {one.step: one for one in made.notifications if one.kind is Kind.ESCALATION}
    assert later_ones[1].target == Target(BOB, EMAIL, MAIL.id)
    assert later_ones[1].due_at == later(minutes=30)
    assert later_ones[2].target == Target(None, WEBHOOK, HOOK.id)
    history = delivered(made)
    for kind, reason in (("acknowledged", Reason.ACKNOWLEDGED), ("resolved", Reason.EXPIRED)):
        stopped = decide(
            transition(2, about, kind), members=people, history=history, now=later(minutes=5)
        )
        assert {change.id for change in stopped.changes} == {one.id for one in later_ones.values()}
        assert {change.reason for change in stopped.changes} == {reason}


def test_who_was_told_by_escalation_hears_of_the_end() -> None:
    steps = (EscalationStep(timedelta(minutes=30), ("pager",)),)
    people = [member(ANN, replace(ALONE, escalation_steps=steps))]
    about = trigger(severity="critical", channels=("in_app",))
    history = delivered(decide(transition(1, about), members=people), now=later(minutes=30))
    made = decide(transition(2, about, "resolved"), members=people, history=history)
    assert row(made, WEBHOOK, 2).state is State.DUE


def test_a_repeat_is_told_unless_it_is_muted() -> None:
    target = Target(None, WEBHOOK, HOOK.id)
    reminder = Reminder(trigger(), target, Kind.REPEAT, UUID(int=77))
    made = decide(reminders=[reminder])
    assert [(one.kind, one.target) for one in made.notifications] == [(Kind.REPEAT, target)]
    silence = Mute(Reason.SILENCED, [], NOW, later(hours=1), "Silenced")
    assert not decide(reminders=[reminder], mutes=[silence]).notifications


def test_a_channel_that_is_gone_withholds_the_end_in_words() -> None:
    history = delivered(decide(transition(1, trigger(severity="critical"))))
    made = decide(
        transition(2, trigger(severity="critical"), "resolved"),
        history=history,
        channels=[INBOX, MAIL],
    )
    assert row(made, WEBHOOK, 2).explanation == "The channel was removed."


def test_a_plan_that_is_made_twice_has_the_same_ids() -> None:
    first, second = (decide(transition(1, trigger())) for _ in range(2))
    assert [one.id for one in first.notifications] == [one.id for one in second.notifications]
    assert len({one.idempotency_key for one in first.notifications}) == 3


def test_members_without_any_channel_and_shared_channels_are_told_apart() -> None:
    nobody = Channel(UUID(int=29), "team", EMAIL, personal=False)
    made = decide(transition(1, trigger()), channels=[nobody], members=[member()])
    assert verdict(row(made, None)) == (State.WITHHELD, Reason.NO_CHANNEL)
    assert row(made, EMAIL).target == Target(None, EMAIL, nobody.id)


def test_a_trigger_that_is_opened_again_begins_anew() -> None:
    people = [member(preferences=ALONE)]
    about = trigger(severity="critical")
    history = delivered(decide(transition(1, about), members=people))
    history = delivered(
        decide(transition(2, about, "resolved"), members=people, history=history), history
    )
    again = decide(
        transition(3, about, "reopened"), members=people, history=history, now=later(minutes=1)
    )
    assert verdict(row(again, EMAIL, 3)) == (State.DUE, Reason.DEDUPLICATED)
    history = as_past(again, history)
    end = transition(4, about, "resolved", at=later(minutes=2))
    made = decide(end, members=people, history=history, now=later(minutes=2))
    assert verdict(row(made, EMAIL, 4)) == (State.WITHHELD, Reason.EXPIRED)
