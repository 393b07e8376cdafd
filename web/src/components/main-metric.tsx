import { useMetrics, usePoints, useSeries } from "@/data/frameworks";
import { daysUntilNow } from "@/data/span";
import { quantity } from "@/format/number";
import { title } from "@/format/words";
import { Sparkline } from "./sparkline";
import { Skeleton } from "./ui/skeleton";

interface MainMetricProps {
  framework: string;
  /** The name of the metric that matters now; else it is the first. */
  preferred: string | undefined;
}

/** One metric of a framework: its shape over a week and where it stands. */
export function MainMetric({ framework, preferred }: MainMetricProps) {
  const series = useSeries(framework);
  const metrics = useMetrics(framework);
  const metric = metrics.data?.find(({ name }) => name === preferred) ?? metrics.data?.[0];
  const main = series.data?.find(({ metric_id }) => metric_id === metric?.id);
  const points = usePoints(main?.id ?? null, daysUntilNow(7));
  if (series.isPending || metrics.isPending || (main !== undefined && points.isPending)) {
    return <Skeleton className="h-9 w-full col-span-full @2xl:col-span-1" />;
  }
  const values = points.data?.points.map(({ value }) => value) ?? [];
  const newest = values.at(-1);
  if (metric === undefined || newest === undefined) return <span className="text-sm text-muted">–</span>;
  return (
    <div className="flex min-w-0 items-center gap-3 col-span-full @2xl:col-span-1">
      <Sparkline
        values={values}
        label={`${title(metric.name)} over seven days`}
        className="h-8 w-28 shrink-0 text-accent max-sm:flex-1"
      />
      <div className="min-w-0">
        <p className="numbers truncate text-sm font-medium">{quantity(newest, metric.unit)}</p>
        <p className="truncate text-xs text-muted">{title(metric.name)}</p>
      </div>
    </div>
  );
}
