import { useMemo } from "react";
import type { Backtest, Metric } from "@/api/types";
import { usePoints, useSeries } from "@/data/frameworks";
import { numberOf, type RuleDraft, usesChange } from "@/data/rule-draft";
import { daysUntilNow } from "@/data/span";
import { labelText, ruleText, title } from "@/format/words";
import { TimeChart } from "./chart";
import { Skeleton } from "./ui/skeleton";

/** The rule in words and its threshold over the metric's real past. */
export function RulePreview({
  draft,
  metric,
  episodes,
}: {
  draft: RuleDraft;
  metric: Metric | undefined;
  /** When it would have fired. */
  episodes?: Backtest["tested"]["episodes"] | undefined;
}) {
  const series = useSeries(draft.framework_id);
  const shown = series.data?.find(({ metric_id }) => metric_id === metric?.id);
  const span = useMemo(() => daysUntilNow(30), []);
  const points = usePoints(shown?.id ?? null, span);
  const { threshold_value, severity, name } = draft;
  const change = usesChange(draft);
  const lines = useMemo(
    () =>
      points.data === undefined || shown === undefined
        ? []
        : [
            {
              label: labelText(shown.labels) || title(shown.metric),
              points: points.data.points,
              step: points.data.step_seconds,
            },
          ],
    [points.data, shown],
  );
  const thresholds = useMemo(() => {
    const value = change ? null : numberOf(threshold_value);
    return value === null ? [] : [{ value, severity, label: name || "Threshold" }];
  }, [change, threshold_value, severity, name]);

  const fired = useMemo(
    () =>
      episodes
        ?.filter(({ series_id }) => series_id === shown?.id)
        .map(({ opened_at, resolved_at }) => ({ from: opened_at, to: resolved_at, severity })) ?? [],
    [episodes, shown?.id, severity],
  );

  if (metric === undefined)
    return (
      <p className="px-4 py-10 text-center text-sm text-muted">
        Choose a metric to see the rule on its real past.
      </p>
    );
  return (
    <div className="p-3">
      <p className="px-1 pb-2 text-sm text-pretty text-muted">{inWords(draft, metric)}</p>
      {shown === undefined || points.isPending ? (
        <Skeleton className="h-72" />
      ) : (
        <TimeChart
          label={`${title(metric.name)} over the last 30 days`}
          lines={lines}
          unit={metric.unit}
          from={span.from}
          to={span.to}
          thresholds={thresholds}
          episodes={fired}
          tall
        />
      )}
    </div>
  );
}

function inWords(draft: RuleDraft, metric: Metric): string {
  const sense = ruleText(
    {
      ...draft,
      threshold_value: numberOf(draft.threshold_value),
      change_percentage: numberOf(draft.change_percentage),
    },
    metric.unit,
  );
  return `${title(draft.severity)} when ${title(metric.name).toLowerCase()}: ${sense}.`;
}
