/** A rule as a form holds it: everything is text until it is checked. */
import type {
  Aggregate,
  AlertType,
  Condition,
  NoData,
  Rule,
  RuleInput,
  Sensitivity,
  Severity,
} from "@/api/types";
import { parseDuration } from "@/format/time";

export interface RuleDraft {
  name: string;
  description: string;
  framework_id: string;
  /** Empty: an anomaly rule watches the whole framework. */
  metric_id: string;
  type: AlertType;
  condition: Condition;
  threshold_value: string;
  change_percentage: string;
  recovery_threshold: string;
  sensitivity: Sensitivity;
  aggregate: Aggregate;
  window: string;
  for: string;
  keep_firing_for: string;
  severity: Severity;
  no_data: NoData;
  no_data_after: string;
  deduplication_window: string;
  channels: string[];
  runbook_url: string;
  tags: string;
  enabled: boolean;
}

export type DraftErrors = Partial<Record<keyof RuleDraft, string>>;

export function emptyDraft(framework_id: string): RuleDraft {
  return {
    name: "",
    description: "",
    framework_id,
    metric_id: "",
    type: "threshold",
    condition: "above",
    threshold_value: "",
    change_percentage: "",
    aggregate: "mean",
    window: "1h",
    for: "0s",
    keep_firing_for: "0s",
    recovery_threshold: "",
    sensitivity: "medium",
    severity: "warning",
    no_data: "keep",
    no_data_after: "",
    deduplication_window: "5m",
    channels: [],
    runbook_url: "",
    tags: "",
    enabled: true,
  };
}

export function draftOf(rule: Rule): RuleDraft {
  const text = (value: number | null) => (value === null ? "" : String(value));
  return {
    name: rule.name,
    description: rule.description,
    framework_id: rule.framework_id,
    metric_id: rule.metric_id ?? "",
    type: rule.type,
    condition: rule.condition,
    threshold_value: text(rule.threshold_value),
    change_percentage: text(rule.change_percentage),
    recovery_threshold: text(rule.recovery_threshold),
    sensitivity: (rule.sensitivity as Sensitivity | null) ?? "medium",
    aggregate: rule.aggregate,
    window: rule.window,
    for: rule.for,
    keep_firing_for: rule.keep_firing_for,
    severity: rule.severity,
    no_data: rule.no_data as NoData,
    no_data_after: /^0\D*$/.test(rule.no_data_after) ? "" : rule.no_data_after,
    deduplication_window: rule.deduplication_window,
    channels: rule.channels,
    runbook_url: rule.runbook_url,
    tags: rule.tags.join(", "),
    enabled: rule.enabled,
  };
}

/** Whether the rule compares with a share of change instead of a value. */
export function usesChange(draft: Pick<RuleDraft, "type" | "condition">): boolean {
  return draft.type === "performance" || (draft.type === "threshold" && draft.condition === "changes_by");
}

/** Whether the kind of rule has a recovery threshold. */
export function recovers({ type, condition }: Pick<RuleDraft, "type" | "condition">): boolean {
  return type !== "anomaly" && type !== "milestone" && condition !== "equals";
}

/** The conditions that make sense for a kind of rule. */
export function conditionsOf(type: AlertType): readonly Condition[] {
  return type === "threshold"
    ? ["above", "below", "equals", "changes_by"]
    : type === "milestone"
      ? ["above", "below", "equals"]
      : ["above", "below", "changes_by"];
}

/** What the form can tell without the server, which has the last word. */
export function check(draft: RuleDraft): DraftErrors {
  const errors: DraftErrors = {};
  if (draft.name.trim() === "") errors.name = "Give the rule a name.";
  if (draft.framework_id === "") errors.framework_id = "Choose what it watches.";
  if (draft.metric_id === "" && draft.type !== "anomaly") errors.metric_id = "Choose a metric.";
  const goal = usesChange(draft) ? "change_percentage" : "threshold_value";
  if (draft.type !== "anomaly" && numberOf(draft[goal]) === null) errors[goal] = "A number is needed here.";
  for (const name of ["window", "for", "keep_firing_for", "deduplication_window"] as const) {
    if (parseDuration(draft[name]) === null) errors[name] = "Write it as 90s, 5m, 2h or 1d.";
  }
  if (draft.no_data_after !== "" && parseDuration(draft.no_data_after) === null) {
    errors.no_data_after = "Write it as 90s, 5m, 2h or 1d.";
  }
  if (draft.recovery_threshold !== "" && numberOf(draft.recovery_threshold) === null) {
    errors.recovery_threshold = "A number, or nothing.";
  }
  if (draft.runbook_url !== "" && !/^https?:\/\//.test(draft.runbook_url)) {
    errors.runbook_url = "An address that begins with https://.";
  }
  return errors;
}

/** Only what the kind of rule uses is sent; the rest is taken away. */
export function inputOf(draft: RuleDraft): RuleInput {
  const anomaly = draft.type === "anomaly";
  return {
    ...draft,
    name: draft.name.trim(),
    metric_id: draft.metric_id === "" ? null : draft.metric_id,
    threshold_value: anomaly || usesChange(draft) ? null : numberOf(draft.threshold_value),
    change_percentage: !anomaly && usesChange(draft) ? numberOf(draft.change_percentage) : null,
    recovery_threshold: recovers(draft) ? numberOf(draft.recovery_threshold) : null,
    sensitivity: anomaly ? draft.sensitivity : null,
    no_data_after: draft.no_data_after === "" ? null : draft.no_data_after,
    tags: words(draft.tags),
  };
}

export function numberOf(text: string): number | null {
  const value = Number(text.replace(",", "."));
  return text.trim() === "" || !Number.isFinite(value) ? null : value;
}

function words(text: string): string[] {
  return text
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}
