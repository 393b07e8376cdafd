/** The shapes that the API speaks. Times are ISO 8601 in UTC, durations strings such as "90s". */

export type Severity = "critical" | "warning" | "info";
export type TriggerState = "firing" | "acknowledged" | "resolved";
export type AlertType = "threshold" | "anomaly" | "performance" | "milestone";
export type Condition = "above" | "below" | "equals" | "changes_by";
export type Aggregate = "last" | "mean" | "min" | "max" | "sum" | "count" | "p50" | "p95";
export type NoData = "keep" | "ok" | "alert";
export type Role = "viewer" | "editor" | "owner";
export type Labels = Record<string, string>;

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface User {
  id: string;
  email: string;
  name: string;
  timezone: string;
}

export interface Workspace {
  id: string;
  slug: string;
  name: string;
  timezone: string;
}

export interface Tokens {
  access_token: string;
  refresh_token: string;
  token_type: string;
  expires_in: number;
  user: User;
  workspace: Workspace;
  role: Role;
}

export interface Person {
  id: string;
  name: string;
}

export interface OpenTriggers {
  firing: number;
  acknowledged: number;
  critical: number;
  warning: number;
  info: number;
}

export interface Framework {
  id: string;
  slug: string;
  name: string;
  kind: string;
  description: string;
  tags: string[];
  created_at: string;
  updated_at: string;
  open_triggers: OpenTriggers;
  last_point_at: string | null;
  metrics: number;
  series: number;
}

export interface Metric {
  id: string;
  framework_id: string;
  name: string;
  unit: string;
  category: string;
  target: number | null;
  limit: number | null;
  default_aggregate: Aggregate;
  series: number;
}

export interface Series {
  id: number;
  metric_id: string;
  framework_id: string;
  metric: string;
  framework: string;
  labels: Labels;
  newest_at: string | null;
}

export interface Point {
  timestamp: string;
  value: number;
  min: number;
  max: number;
  count: number;
}

export interface Points {
  series_id: number;
  step_seconds: number;
  points: Point[];
}

export interface LabelMatcher {
  label: string;
  operator: "=" | "!=" | "=~" | "!~";
  value: string;
}

/** What a person writes; the rest of a rule is the server's. */
export interface RuleInput {
  name: string;
  description: string;
  framework_id: string;
  metric_id: string;
  label_matchers: LabelMatcher[];
  type: AlertType;
  condition: Condition;
  threshold_value: number | null;
  change_percentage: number | null;
  aggregate: Aggregate;
  window: string;
  for: string;
  keep_firing_for: string;
  recovery_threshold: number | null;
  severity: Severity;
  no_data: NoData;
  no_data_after: string | null;
  deduplication_window: string;
  channels: string[];
  runbook_url: string | null;
  tags: string[];
  enabled: boolean;
}

export interface Rule extends RuleInput {
  id: string;
  framework: string;
  metric: string;
  evaluation_offset: string;
  lateness: string;
  group_by: string[];
  provenance: string;
  version: number;
  created_at: string;
  updated_at: string;
}

export interface Trigger {
  id: string;
  rule_id: string | null;
  rule_name: string;
  framework_id: string;
  framework: string;
  framework_name: string;
  metric: string;
  series_id: number | null;
  labels: Labels;
  type: AlertType;
  severity: Severity;
  state: TriggerState;
  value: number | null;
  threshold: number | null;
  reason: string;
  opened_at: string;
  last_seen_at: string;
  acknowledged_at: string | null;
  acknowledged_by: Person | null;
  resolved_at: string | null;
  resolved_by: Person | null;
  resolution_reason: string | null;
  repeat_count: number;
  suppressed_count: number;
  historical: boolean;
  version: number;
  created_at: string;
  updated_at: string;
  context: Record<string, unknown>;
}

export interface Transition {
  id: string;
  kind: string;
  from_state: TriggerState | null;
  to_state: TriggerState | null;
  reason: string;
  note: string | null;
  author: Person | null;
  at: string;
  created_at: string;
}

export interface TriggerDetail extends Trigger {
  transitions: Transition[];
}

export interface InAppNotification {
  id: string;
  trigger_id: string | null;
  kind: string;
  title: string;
  body: string;
  severity: Severity;
  created_at: string;
  read_at: string | null;
}

export interface Inbox extends Page<InAppNotification> {
  unread: number;
}

export interface LedgerRow {
  id: string;
  trigger_id: string | null;
  kind: string;
  recipient: Person | null;
  channel: string | null;
  channel_kind: string | null;
  step: number;
  state: string;
  reason: string;
  explanation: string;
  due_at: string;
  delivered_at: string | null;
  attempts: number;
  last_error: string | null;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  errors?: { loc: (string | number)[]; msg: string }[];
}
