"""What is happening, and what is history: from which instant on a batch's points may notify.

Every point is evaluated and every trigger recorded, whatever its age; this only decides whether
somebody may be told. Of the points that come in order (newer than the newest point of their
series), a point at t is live when

- t is at most `HORIZON` old: what happened before that is no news to anyone, and
- it happened while Convex was watching (t ≥ when the series was first met − lateness), or it is at
  the edge of its batch (t ≥ the batch's newest point of the series − lateness).

So a first import of a year is history but for its edge, in one batch or in a thousand, whereas a
backlog after an outage of a collector is live, and points that are pushed one by one are live from
the first. `PointBatch.history` overrules it: True for an import that must not notify at all, False
for a replay that must.

Points that come late (not newer than the newest of their series) never notify. A trigger that
history opened turns live when a live point confirms it, since then it is true now; its opening is
planned at that moment, once.
"""

from __future__ import annotations

from convex.metrics.model import HOUR

HORIZON = 36 * HOUR
ALWAYS = -(2**62)  # everything is live
NEVER = 2**62  # nothing is


def live_from(
    *, now: int, first_met: int, newest_in_batch: int, lateness: int, history: bool | None
) -> int:
    """The instant from which on points of one series may notify; all in microseconds."""
    if history is not None:
        return NEVER if history else ALWAYS
    watched = min(first_met, newest_in_batch) - lateness
    return max(now - HORIZON, watched)
