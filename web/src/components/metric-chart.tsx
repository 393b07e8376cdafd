import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Metric, Rule, Series, Trigger } from "@/api/types";
import { pointsQuery, type Span, useForecast } from "@/data/frameworks";
import { quantity } from "@/format/number";
import { labelText, title } from "@/format/words";
import { TimeChart } from "./chart";
import { useSeen } from "./seen";
import { Failure } from "./states";
import { Card } from "./ui/card";
import { Skeleton } from "./ui/skeleton";

/** More lines than this cannot be told apart. */
const MOST_LINES = 5;

interface MetricChartProps {
  metric: Metric;
  series: readonly Series[];
  rules: readonly Rule[];
  triggers: readonly Trigger[];
  span: Span;
  /** Hours to look ahead; 0 for none. */
  ahead: number;
}

export function MetricChart({ metric, series, rules, triggers, span, ahead }: MetricChartProps) {
  const [watch, seen] = useSeen();
  const only = series.length === 1 ? series[0] : undefined;
  const forecast = useForecast(seen ? (only?.id ?? null) : null, ahead);
  const outlook = ahead > 0 ? forecast.data : undefined;
  const expected = outlook !== undefined && outlook.points.length > 0;
  const last = outlook?.points.at(-1)?.timestamp;
  const shown = series.slice(0, MOST_LINES);
  const { pending, error, lines } = useQueries({
    queries: shown.map(({ id }) => pointsQuery(id, span)),
    combine: (results) => ({
      pending: results.some(({ isPending }) => isPending),
      error: results.find(({ isError }) => isError)?.error ?? null,
      lines: results.flatMap(({ data }, index) => {
        const label = labelText(shown[index]?.labels ?? {}) || title(metric.name);
        return data === undefined ? [] : [{ label, points: data.points, step: data.step_seconds }];
      }),
    }),
  });
  const thresholds = useMemo(
    () =>
      rules.flatMap(({ type, enabled, threshold_value, severity, name }) =>
        type === "threshold" && enabled && threshold_value !== null
          ? [{ value: threshold_value, severity, label: name }]
          : [],
      ),
    [rules],
  );
  const episodes = useMemo(
    () =>
      triggers.map(({ opened_at, resolved_at, severity }) => ({
        from: opened_at,
        to: resolved_at,
        severity,
      })),
    [triggers],
  );
  const newestPoint = lines.length === 1 ? lines[0]?.points.at(-1) : undefined;
  // The last of many days is a mean of a day; as a headline it would pass for the newest value.
  const newest = newestPoint?.count === 1 ? newestPoint.value : undefined;
  return (
    <Card ref={watch}>
      <header className="flex items-baseline gap-2 px-4 pt-3">
        <h2 className="truncate text-sm font-medium">{title(metric.name)}</h2>
        {lines.length > 1 && metric.unit !== "" && <p className="text-xs text-muted">{metric.unit}</p>}
        {newest !== undefined && (
          <p className="numbers ml-auto text-lg font-semibold">{quantity(newest, metric.unit)}</p>
        )}
      </header>
      {lines.length > 1 && (
        <ul className="flex flex-wrap gap-x-3 px-4 text-xs text-muted">
          {lines.map(({ label }, index) => (
            <li key={label} className="flex items-center gap-1.5">
              <span aria-hidden className={`h-0.5 w-3 rounded ${inks[index] ?? ""}`} />
              {label}
            </li>
          ))}
          {series.length > MOST_LINES && <li>and {series.length - MOST_LINES} more</li>}
        </ul>
      )}
      <div className="px-3 pb-2">
        {pending ? (
          <Skeleton className="h-44" />
        ) : error !== null ? (
          <Failure error={error} />
        ) : lines.every(({ points }) => points.length === 0) ? (
          <p className="grid h-44 place-items-center text-sm text-muted">No points in this range</p>
        ) : (
          <TimeChart
            label={title(metric.name)}
            lines={lines}
            unit={metric.unit}
            from={span.from}
            to={expected && last !== undefined ? last : span.to}
            forecast={outlook}
            thresholds={thresholds}
            episodes={episodes}
            together="framework"
          />
        )}
        {outlook !== undefined && (
          <p className="flex items-center gap-2 px-1 pt-1 text-xs text-muted">
            {expected && <span aria-hidden className="w-4 border-t-2 border-dashed border-(--series-1)" />}
            {expected
              ? "Forecast with 50, 80 and 95 % bands"
              : `No forecast: ${outlook.reason ?? "nothing to go by"}`}
          </p>
        )}
      </div>
    </Card>
  );
}

const inks = ["bg-(--series-1)", "bg-(--series-2)", "bg-(--series-3)", "bg-(--series-4)", "bg-(--series-5)"];
