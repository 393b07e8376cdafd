/** A newcomer's way to the first alert: how far it has come, and what it proposes. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Metric, RuleInput } from "@/api/types";
import { isEmpty, useFrameworks, useMetrics, usePoints, useSeries } from "./frameworks";
import { useInbox } from "./notifications";
import { useRules } from "./rules";
import { daysUntilNow } from "./span";
import { NO_FILTERS } from "./trigger-filters";
import { useTriggers } from "./triggers";

export const STEPS = ["name", "point", "rule", "fire", "told"] as const;
export type Step = (typeof STEPS)[number];

export interface Proposal {
  condition: "above" | "below";
  threshold: number;
  /** A value that makes such a rule fire. */
  firing: number;
}

/** A limit that the newest value keeps and a clearly worse one breaks. */
export function proposalFor(value: number): Proposal {
  if (value <= 0) return { condition: "above", threshold: 1, firing: 2 };
  const threshold = rounded(value * 0.7);
  return { condition: "below", threshold, firing: rounded(threshold * 0.5) };
}

function rounded(value: number): number {
  return Number(value.toPrecision(2));
}

export function ruleFor(metric: Metric, { condition, threshold }: Proposal): RuleInput {
  return {
    name: `${metric.name.replaceAll("_", " ")} is ${condition === "below" ? "low" : "high"}`,
    framework_id: metric.framework_id,
    metric_id: metric.id,
    type: "threshold",
    condition,
    threshold_value: threshold,
    aggregate: "last",
    severity: "warning",
  };
}

/** The first step that is not done; null when all are. */
export function currentStep(done: Readonly<Record<Step, boolean>>): Step | null {
  return STEPS.find((step) => !done[step]) ?? null;
}

/** Only who found the workspace empty is led; it stays so over reloads until the end. */
export function useLed(workspace: string): [boolean, () => void] {
  const key = `convex.first-steps.${workspace}`;
  const frameworks = useFrameworks();
  const [over, setOver] = useState(false);
  const empty = frameworks.data !== undefined && isEmpty(frameworks.data);
  const begun = localStorage.getItem(key) === "begun";
  if (empty && !begun && !over) localStorage.setItem(key, "begun");
  const end = () => {
    localStorage.removeItem(key);
    setOver(true);
  };
  return [!over && (empty || begun), end];
}

/** What is there already; kept current by polling and by the live stream. */
export function useFirstSteps() {
  const frameworks = useFrameworks();
  const rules = useRules();
  const triggers = useTriggers(LIVE);
  const inbox = useInbox(false);
  const framework = frameworks.data?.find(({ series }) => series > 0) ?? frameworks.data?.[0];
  const pushed = (framework?.series ?? 0) > 0;
  const client = useQueryClient();
  useEffect(() => {
    if (!pushed) return;
    // Read as empty a moment ago, and kept as such for minutes.
    void client.invalidateQueries({ queryKey: ["metrics"] });
    void client.invalidateQueries({ queryKey: ["series"] });
  }, [client, pushed]);
  const metrics = useMetrics(pushed ? (framework?.id ?? "") : "");
  const series = useSeries(pushed ? (framework?.id ?? "") : "");
  const rule = rules.data?.find(({ framework_id }) => framework_id === framework?.id);
  const metric = metrics.data?.find(({ id }) => rule === undefined || id === rule.metric_id);
  const [span] = useState(() => daysUntilNow(1));
  const points = usePoints(series.data?.find(({ metric_id }) => metric_id === metric?.id)?.id ?? null, span);
  const trigger = triggers.data?.pages[0]?.items[0];
  const done: Record<Step, boolean> = {
    name: framework !== undefined,
    point: pushed,
    rule: rule !== undefined,
    fire: trigger !== undefined,
    told: (inbox.data?.pages[0]?.items.length ?? 0) > 0,
  };
  const newest = points.data?.points.at(-1)?.value;
  return { framework, metric, rule, trigger, newest, done, step: currentStep(done) };
}

const LIVE = { ...NO_FILTERS, historical: false };
