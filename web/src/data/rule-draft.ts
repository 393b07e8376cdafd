/** A rule as a form holds it: everything is text until it is checked. */
import type { RuleInput, Rule } from "@/api/types";
import { parseDuration } from "@/format/time";

export interface RuleDraft extends Omit<
  RuleInput,
  | "threshold_value"
  | "change_percentage"
  | "recovery_threshold"
  | "tags"
  | "channels"
  | "runbook_url"
  | "no_data_after"
> {
  threshold_value: string;
  change_percentage: string;
  recovery_threshold: string;
  runbook_url: string;
  no_data_after: string;
  tags: string;
  channels: string;
}

export type DraftErrors = Partial<Record<keyof RuleDraft, string>>;

export function emptyDraft(framework_id: string): RuleDraft {
  return {
    name: "",
    description: "",
    framework_id,
    metric_id: "",
    label_matchers: [],
    type: "threshold",
    condition: "above",
    threshold_value: "",
    change_percentage: "",
    aggregate: "mean",
    window: "1h",
    for: "0s",
    keep_firing_for: "0s",
    recovery_threshold: "",
    severity: "warning",
    no_data: "keep",
    no_data_after: "",
    deduplication_window: "5m",
    channels: "",
    runbook_url: "",
    tags: "",
    enabled: true,
  };
}

export function draftOf(rule: Rule): RuleDraft {
  const text = (value: number | null) => (value === null ? "" : String(value));
  const draft = emptyDraft(rule.framework_id);
  const same: Partial<Record<keyof RuleDraft, unknown>> = {};
  for (const name of Object.keys(draft) as (keyof RuleDraft)[]) same[name] = rule[name];
  return {
    ...(same as unknown as RuleDraft),
    threshold_value: text(rule.threshold_value),
    change_percentage: text(rule.change_percentage),
    recovery_threshold: text(rule.recovery_threshold),
    runbook_url: rule.runbook_url ?? "",
    no_data_after: rule.no_data_after ?? "",
    tags: rule.tags.join(", "),
    channels: rule.channels.join(", "),
  };
}

/** Whether the rule compares with a share of change instead of a value. */
export function usesChange(draft: Pick<RuleDraft, "type" | "condition">): boolean {
  return draft.type === "performance" || (draft.type === "threshold" && draft.condition === "changes_by");
}

/** What the form can tell without the server, which has the last word. */
export function check(draft: RuleDraft): DraftErrors {
  const errors: DraftErrors = {};
  if (draft.name.trim() === "") errors.name = "Give the rule a name.";
  if (draft.framework_id === "") errors.framework_id = "Choose what it watches.";
  if (draft.metric_id === "") errors.metric_id = "Choose a metric.";
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

export function inputOf(draft: RuleDraft): RuleInput {
  return {
    ...draft,
    name: draft.name.trim(),
    threshold_value: usesChange(draft) ? null : numberOf(draft.threshold_value),
    change_percentage: usesChange(draft) ? numberOf(draft.change_percentage) : null,
    recovery_threshold: numberOf(draft.recovery_threshold),
    runbook_url: draft.runbook_url === "" ? null : draft.runbook_url,
    no_data_after: draft.no_data_after === "" ? null : draft.no_data_after,
    tags: words(draft.tags),
    channels: words(draft.channels),
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
