/** The words that people read for the values that the API speaks. */
import type { AlertType, Condition, Rule, Severity, Trigger, TriggerState } from "@/api/types";
import { quantity } from "./number";

export const SEVERITIES: readonly Severity[] = ["critical", "warning", "info"];
export const STATES: readonly TriggerState[] = ["firing", "acknowledged", "resolved"];
export const TYPES: readonly AlertType[] = ["threshold", "anomaly", "performance", "milestone"];

/** "on_time_rate" → "On time rate". */
export function title(name: string): string {
  const text = name.replaceAll("_", " ").trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export const CONDITIONS: Record<Condition, string> = {
  above: "is above",
  below: "is below",
  equals: "equals",
  changes_by: "changes by",
};

/** `origin=EWR, carrier=UA`; empty for a series without labels. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");
}

type RuleSense = Pick<
  Rule,
  "type" | "condition" | "threshold_value" | "change_percentage" | "aggregate" | "window" | "for"
>;

/** "mean over 2h is above 20 % for 2h". */
export function ruleText(rule: RuleSense, unit = ""): string {
  const held = /^0\D*$/.test(rule.for) ? "" : ` for ${rule.for}`;
  const over = /^0\D*$/.test(rule.window) ? rule.aggregate : `${rule.aggregate} over ${rule.window}`;
  switch (rule.type) {
    case "threshold": {
      const change = rule.condition === "changes_by";
      const goal = change
        ? quantity(rule.change_percentage, "percent")
        : quantity(rule.threshold_value, unit);
      return `${over} ${CONDITIONS[rule.condition]} ${goal}${held}`;
    }
    case "anomaly":
      return `unusual${SIDES[rule.condition] ?? ""}${held}`;
    case "performance":
      return `${over} worse than usual by ${quantity(rule.change_percentage, "percent")}${held}`;
    case "milestone":
      return `reaches ${quantity(rule.threshold_value, unit)}`;
  }
}

/** What conditions mean to a kind of rule that has its own idea of normal. */
export function conditionWords(type: AlertType, condition: Condition): string {
  if (type === "threshold" || type === "milestone") return CONDITIONS[condition];
  if (condition === "changes_by") return type === "anomaly" ? "on either side" : "is worse";
  return condition === "above" ? "is higher" : "is lower";
}

const SIDES: Partial<Record<Condition, string>> = { above: ", on the high side", below: ", on the low side" };

/** A rule's name beside its framework's: without saying the framework again. */
export function ruleName({
  rule_name,
  framework_name,
}: Pick<Trigger, "rule_name" | "framework_name">): string {
  if (!rule_name.startsWith(framework_name)) return rule_name;
  const rest = rule_name.slice(framework_name.length).replace(/^\s*[:·|–-]\s*/, "");
  return rest === "" || rest.length === rule_name.length - framework_name.length
    ? rule_name
    : rest.charAt(0).toUpperCase() + rest.slice(1);
}

export function isOpen(trigger: Pick<Trigger, "state">): boolean {
  return trigger.state !== "resolved";
}

const weight: Record<Severity, number> = { critical: 0, warning: 1, info: 2 };

/** Worst first, then firing before acknowledged, then the newest. */
export function byUrgency(a: Trigger, b: Trigger): number {
  return (
    weight[a.severity] - weight[b.severity] ||
    Number(a.state === "acknowledged") - Number(b.state === "acknowledged") ||
    Date.parse(b.opened_at) - Date.parse(a.opened_at)
  );
}
