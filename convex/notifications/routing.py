"""Whom a trigger concerns: members by their preferences, and the channels of the workspace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from convex.notifications.model import Channel, ChannelKind, Member, Situation, Target, Trigger
from convex.notifications.preferences import Grouping, Preferences

HEARTBEAT_FRAMEWORK, HEARTBEAT_METRIC = "convex", "heartbeat"
# Nothing puts a heartbeat off: its absence is the alarm.
_AT_ONCE = Preferences(deduplication=timedelta(0), grouping=Grouping(by="none"))


@dataclass(frozen=True, slots=True)
class Route:
    """A target, whose preferences count for it, and why it cannot be reached (or nothing).

    `always`: whatever is silenced or muted.
    """

    target: Target
    preferences: Preferences
    fault: str = ""
    always: bool = False


def is_heartbeat(trigger: Trigger) -> bool:
    """Whether it fires only to show that it can (see `heartbeat`)."""
    return (trigger.framework, trigger.metric) == (HEARTBEAT_FRAMEWORK, HEARTBEAT_METRIC)


class Routing:
    """The targets of one workspace."""

    def __init__(self, situation: Situation) -> None:
        self._members = {member.id: member for member in situation.members}
        self._defaults = situation.defaults
        self._personal = [channel for channel in situation.channels if channel.personal]
        shared = [channel for channel in situation.channels if not channel.personal]
        self._shared = [channel for channel in shared if not channel.heartbeat]
        self._beats = [channel for channel in shared if channel.heartbeat]
        self._known = {(channel.kind, channel.id): channel for channel in situation.channels}

    def routes(self, trigger: Trigger) -> Iterator[Route]:
        """Every target of a trigger: each member at least once, each channel that the rule names.

        A member is reached by the channels that both their preferences and the rule name (a rule
        that names none means any). A channel of the workspace is reached when the rule names it, or
        names none. A heartbeat goes to the channels that are there for it, and nothing else does.
        """
        if is_heartbeat(trigger):
            for channel in self._beats:
                target = Target(None, channel.kind, channel.id)
                yield Route(target, _AT_ONCE, channel.unusable, always=True)
            if not self._beats:
                words = "No channel has the setting heartbeat."
                yield Route(Target(None, None, None), _AT_ONCE, words)
            return
        for member in self._members.values():
            yield from self._to_member(member, member.preferences.channels, trigger)
        for channel in named(self._shared, trigger.channels, otherwise_all=True):
            yield Route(Target(None, channel.kind, channel.id), self._defaults, channel.unusable)

    def route_of(self, target: Target) -> Route:
        """A target that was told before, as it can be reached today."""
        preferences, fault = self._defaults, ""
        if target.recipient is not None:
            member = self._members.get(target.recipient)
            if member is None:
                fault = "Not a member of the workspace any more."
            else:
                preferences = member.preferences
        if not fault and target.kind is not None:
            channel = self._known.get((target.kind, target.channel))
            fault = "The channel was removed." if channel is None else channel.unusable
            if channel is not None and channel.heartbeat:
                preferences = _AT_ONCE
        return Route(target, preferences, fault)

    def reach(self, member_id: UUID | None, channels: Sequence[str]) -> Iterator[Route]:
        """Targets named by an escalation step: personal channels of a member, or shared ones."""
        member = None if member_id is None else self._members.get(member_id)
        if member is not None:
            for channel in _one_of_each_kind(
                named(self._personal, channels or member.preferences.channels)
            ):
                yield Route(
                    Target(member.id, channel.kind, channel.id),
                    member.preferences,
                    channel.unusable,
                )
        for channel in named(self._shared, channels):
            yield Route(Target(None, channel.kind, channel.id), self._defaults, channel.unusable)

    def _to_member(
        self, member: Member, wanted: Sequence[str], trigger: Trigger
    ) -> Iterator[Route]:
        theirs = named(self._personal, wanted)
        chosen = list(
            _one_of_each_kind(
                channel
                for channel in theirs
                if not trigger.channels or _is_named(channel, trigger.channels)
            )
        )
        if not chosen:
            fault = (
                f"The rule tells {_listed(trigger.channels)} only; the member uses"
                f" {_listed(wanted)}."
                if trigger.channels
                else f"No personal channel among {_listed(wanted)}."
            )
            yield Route(Target(member.id, None, None), member.preferences, fault)
        for channel in chosen:
            yield Route(
                Target(member.id, channel.kind, channel.id), member.preferences, channel.unusable
            )


def named(
    channels: Iterable[Channel], names: Sequence[str], *, otherwise_all: bool = False
) -> list[Channel]:
    """The channels that the list names, by name or by kind."""
    if not names and otherwise_all:
        return list(channels)
    return [channel for channel in channels if _is_named(channel, names)]


def _is_named(channel: Channel, names: Sequence[str]) -> bool:
    return channel.name in names or channel.kind.value in names


def _one_of_each_kind(channels: Iterable[Channel]) -> Iterator[Channel]:
    """A person has one inbox and one address: a usable channel of each kind, else any."""
    by_kind: dict[ChannelKind, Channel] = {}
    for channel in channels:
        if channel.kind not in by_kind or (by_kind[channel.kind].unusable and not channel.unusable):
            by_kind[channel.kind] = channel
    yield from by_kind.values()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "none"
