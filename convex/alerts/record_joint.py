"""What a batch changes about the members that joint triggers name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from convex.alerts import joint, trigger_writes
from convex.alerts.assessment import Assessment
from convex.alerts.replay import Peak
from convex.anomaly.together import REACH
from convex.db import Connection


@dataclass(frozen=True, slots=True)
class Telling:
    """What a joint trigger says now; `joined`: of a series that it did not name before."""

    members: Sequence[joint.Member]
    reason: str
    joined: bool


async def find_tellings(
    connection: Connection, workspace_id: UUID, assessment: Assessment
) -> dict[UUID, Telling]:
    """By trigger, where it is news; the caller holds the locks of their fingerprints."""
    found: dict[UUID, Mapping[int, Peak]] = {}
    fresh: dict[UUID, trigger_writes.Joint] = {}
    for one in assessment.results:
        for episode in one.outcome.episodes:
            if one.rule.is_joint and episode.peaks:
                found[episode.trigger_id] = episode.peaks
                began = 0 if episode.opened is None else episode.opened.at
                fresh[episode.trigger_id] = trigger_writes.Joint(one.rule.framework_name, began, [])
    moved = {one.trigger_id: one.peaks for one in assessment.moved if one.peaks}
    if not found and not moved:
        return {}
    stored = await trigger_writes.known_members(connection, workspace_id, [*found, *moved])
    peaks = {**found, **{key: some for key, some in moved.items() if key in stored}}
    names = await trigger_writes.names_of_series(
        connection, workspace_id, {series_id for some in peaks.values() for series_id in some}
    )
    tellings: dict[UUID, Telling] = {}
    for trigger_id, some in peaks.items():
        known = stored.get(trigger_id) or fresh[trigger_id]
        before = known.members
        # A trigger that was moved has been looked at as a whole: what was known of it is replaced.
        members = [] if trigger_id in moved else list(before)
        for series_id, peak in some.items():
            why = assessment.explanations.get((series_id, peak.at))
            # A series that came after the others may deviate long before them.
            apart = trigger_id not in moved and peak.at < known.opened_at - REACH
            if why is not None and series_id in names and not apart:
                members.append(joint.member_of(names[series_id], series_id, peak, why))
        members = joint.together(members)
        if members and members != before:
            named = {one["series_id"] for one in before}
            tellings[trigger_id] = Telling(
                members,
                joint.describe(known.framework, members),
                any(one["series_id"] not in named for one in members),
            )
    return tellings
