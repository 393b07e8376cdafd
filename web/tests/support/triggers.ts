import type { Trigger } from "@/api/types";

/** A trigger with what a test is about changed. */
export function trigger(change: Partial<Trigger> = {}): Trigger {
  return {
    id: "t1",
    rule_id: "r1",
    rule_name: "Cancellations",
    framework_id: "f1",
    framework: "ewr",
    framework_name: "Newark",
    metric: "cancel_rate",
    series_id: 1,
    labels: {},
    type: "threshold",
    severity: "critical",
    state: "firing",
    value: 0.5,
    threshold: 0.2,
    reason: "above",
    opened_at: "2026-01-31T12:00:00Z",
    last_seen_at: "2026-01-31T12:00:00Z",
    acknowledged_at: null,
    acknowledged_by: null,
    resolved_at: null,
    resolved_by: null,
    resolution_reason: null,
    assigned_to: null,
    feedback: null,
    repeat_count: 1,
    suppressed_count: 0,
    historical: false,
    version: 1,
    created_at: "2026-01-31T12:00:00Z",
    updated_at: "2026-01-31T12:00:00Z",
    context: {},
    ...change,
  };
}
