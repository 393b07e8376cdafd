"""Mute windows and inhibition rules as they are stored, by the functions that planning uses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from convex.alerts import inhibitions, mute_windows
from convex.alerts.inhibitions import InhibitionDraft
from convex.alerts.model import Matcher, Operator
from convex.alerts.mute_windows import Interval, MuteWindowDraft
from convex.notifications import model as planning
from convex.notifications.mute_windows import active_window
from convex.notifications.muting import refusal
from tests.convex.alerts.conftest import Bench
from tests.convex.notifications.facts import trigger


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def stored(bench: Bench, *intervals: Interval) -> list[dict[str, object]]:
    """The intervals as they come out of the database."""
    identity = bench.tenant.identity()
    draft = MuteWindowDraft(
        name="nights",
        matchers=(Matcher("framework", Operator.EQUAL, "airport"),),
        timezone="Europe/Berlin",
        intervals=intervals,
    )
    async with bench.database.transaction(identity) as connection:
        await mute_windows.create_mute_window(connection, identity, draft)
    (row,) = await bench.rows("SELECT intervals FROM convex.mute_windows")
    found: list[dict[str, object]] = row["intervals"]
    return found


@pytest.mark.parametrize(
    ("moment", "muted_until"),
    [
        # an ordinary night, 22:00 to 06:00 by the clock (UTC+1)
        ("2026-02-03 20:59", None),
        ("2026-02-03 21:00", "2026-02-04 05:00"),
        ("2026-02-04 04:59", "2026-02-04 05:00"),
        ("2026-02-04 05:00", None),
        # the night in which the clocks go forward: an hour shorter
        ("2026-03-28 21:00", "2026-03-29 04:00"),
        ("2026-03-29 03:59", "2026-03-29 04:00"),
        ("2026-03-29 04:00", None),
        # the night in which they go back: an hour longer
        ("2026-10-24 20:00", "2026-10-25 05:00"),
        ("2026-10-25 04:59", "2026-10-25 05:00"),
        ("2026-10-25 05:00", None),
    ],
)
async def test_a_night_crosses_midnight_and_both_changes_of_the_clocks(
    bench: Bench, moment: str, muted_until: str | None
) -> None:
    intervals = await stored(bench, Interval("22:00", "06:00"))
    found = active_window(intervals, "Europe/Berlin", utc(moment))
    assert (found and found[1]) == (muted_until and utc(muted_until))


@pytest.mark.parametrize(
    ("moment", "muted"),
    [
        ("2026-02-02 21:30", True),  # Monday evening
        ("2026-02-03 04:30", True),  # its other half, on Tuesday
        ("2026-02-03 21:30", False),  # Tuesday evening
        ("2026-02-02 04:30", False),  # the end of Sunday's night
        ("2026-02-07 11:00", True),  # Saturday, until midnight
        ("2026-02-07 22:59", True),
        ("2026-02-07 23:00", False),
    ],
)
async def test_an_interval_belongs_to_the_day_on_which_it_begins(
    bench: Bench, moment: str, muted: bool
) -> None:
    intervals = await stored(
        bench, Interval("22:00", "06:00", ("mon",)), Interval("12:00", "00:00", ("sat",))
    )
    assert (active_window(intervals, "Europe/Berlin", utc(moment)) is not None) is muted


async def test_an_inhibition_mutes_targets_with_equal_labels_and_never_itself(
    bench: Bench,
) -> None:
    identity = bench.tenant.identity()
    draft = InhibitionDraft(
        name="closed",
        source_matchers=(Matcher("kind", Operator.EQUAL, "closed"),),
        target_matchers=(Matcher("kind", Operator.MATCHES, "closed|late"),),
        equal_labels=("site",),
    )
    async with bench.database.transaction(identity) as connection:
        made = await inhibitions.create_inhibition(connection, identity, draft)
    rule = planning.Inhibition(
        made.name,
        [planning.Matcher(m.label, m.operator.value, m.value) for m in made.source_matchers],
        [planning.Matcher(m.label, m.operator.value, m.value) for m in made.target_matchers],
        made.equal_labels,
    )
    source = trigger(1, labels={"kind": "closed", "site": "ewr"})
    twin = trigger(2, labels={"kind": "closed", "site": "ewr"})
    target = trigger(3, labels={"kind": "late", "site": "ewr"})
    elsewhere = trigger(4, labels={"kind": "late", "site": "jfk"})
    everything = [source, twin, target, elsewhere]
    muted = {
        one.id for one in everything if refusal(one, bench.now, [], [rule], everything) is not None
    }
    assert muted == {target.id}
