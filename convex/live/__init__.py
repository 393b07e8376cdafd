"""What members see as it happens: events with a cursor per workspace, and waking whoever waits.

Owns the wake-ups after a commit (`Announcer`), reading events from PostgreSQL, and fanning them out
to the clients of one process (`Hub`). PostgreSQL holds the events: cursors are gapless and in the
order of the commits, so that Redis may be lost at any moment and costs latency only. Knows neither
WebSockets nor HTTP: a client is whatever takes frames (`Outlet`). Writing events belongs to whoever
changes the facts, inside the same transaction (`convex.append_live_events`).
"""

from convex.live.announce import ALERT_FLOW_CHANNEL, LIVE_CHANNEL, Announcer
from convex.live.hub import Connection, Hub, Outlet
from convex.live.listen import listen
from convex.live.model import Frame, LiveEvent, Resync

__all__ = [
    "ALERT_FLOW_CHANNEL",
    "LIVE_CHANNEL",
    "Announcer",
    "Connection",
    "Frame",
    "Hub",
    "LiveEvent",
    "Outlet",
    "Resync",
    "listen",
]
