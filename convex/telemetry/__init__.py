"""How Convex is observed: structured logs without secrets, its own metrics, and traces.

Owns the form of a log line, the names of the metrics and how a trace is carried; knows nothing of
what is counted. Metrics
of all processes of one home are merged when PROMETHEUS_MULTIPROC_DIR names a folder that they
share (prometheus-client's own convention, read when it is first imported).
"""

from convex.telemetry.logs import bind, configure_logs, get_log, unbind
from convex.telemetry.metrics import exposition

__all__ = ["bind", "configure_logs", "exposition", "get_log", "unbind"]
