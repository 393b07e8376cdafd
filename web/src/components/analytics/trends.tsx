import type { ReactNode } from "react";
import type { AnalyticsFigures, Severity } from "@/api/types";
import { Failure } from "@/components/states";
import { Card, CardHeader } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/skeleton";
import { type Question, useSummary, useTrends } from "@/data/analytics";
import { count, quantity } from "@/format/number";
import { duration } from "@/format/time";
import { SEVERITIES, title } from "@/format/words";
import { Columns } from "./columns";

interface Kpi {
  name: string;
  means: string;
  of: (figures: AnalyticsFigures) => number | null;
  show: (value: number) => string;
  /** Which way is better; neither for what only counts. */
  better?: "more" | "less";
  /** On how many the figure stands. */
  n?: (figures: AnalyticsFigures) => number;
}

const minutes = (value: number) => duration(Math.round(value * 60));
const share = (value: number) => quantity(value, "ratio");

const KPIS: readonly Kpi[] = [
  { name: "Alerts", means: "opened in this time", of: (f) => f.total_triggers, show: count, better: "less" },
  {
    name: "Time to acknowledge",
    means: "mean, of those acknowledged",
    of: (f) => f.avg_response_time_minutes,
    show: minutes,
    better: "less",
    n: (f) => f.response_time_n,
  },
  {
    name: "Time to resolve",
    means: "mean, of those resolved",
    of: (f) => f.mttr_minutes,
    show: minutes,
    better: "less",
    n: (f) => f.mttr_n,
  },
  {
    name: "Worth it",
    means: "marked actionable, of those marked",
    of: (f) => f.actionable_rate,
    show: share,
    better: "more",
    n: (f) => f.marked_triggers,
  },
  {
    name: "Resolved by itself",
    means: "without anybody's hand",
    of: (f) => f.auto_resolved_rate,
    show: share,
  },
  {
    name: "Kept quiet",
    means: "suppressed, of all that could be sent",
    of: (f) => f.suppression_effectiveness,
    show: share,
  },
  { name: "Pages", means: "sent to people", of: (f) => f.pages, show: count, better: "less" },
  {
    name: "Pages at night",
    means: "in the sleep hours of whom they reached",
    of: (f) => f.pages_sleep_hours,
    show: count,
    better: "less",
  },
];

export function Trends({ question }: { question: Question }) {
  const summary = useSummary(question);
  const trends = useTrends(question);
  if (summary.isError) return <Failing error={summary.error} retry={() => void summary.refetch()} />;
  return (
    <div className="flex flex-col gap-5">
      <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-xl border border-line bg-line shadow-card lg:grid-cols-4">
        {KPIS.map((kpi) => (
          <KpiCell key={kpi.name} kpi={kpi} now={summary.data} before={summary.data?.previous} />
        ))}
      </dl>
      <Card>
        <CardHeader title="Alerts over time" hint={question.days === "90" ? "By week" : "By day, UTC"} />
        <div className="p-4">
          {trends.isPending ? (
            <Skeleton className="h-56 w-full" />
          ) : trends.isError ? (
            <Failure error={trends.error} retry={() => void trends.refetch()} />
          ) : (
            <Columns
              label="Alerts opened"
              names={SEVERITIES.map((severity) => title(severity))}
              colours={SEVERITIES}
              stacks={trends.data.items.map((item) => ({
                label: dayName(item.period_start),
                values: SEVERITIES.map((severity: Severity) => item.triggered_by_severity[severity] ?? 0),
              }))}
            />
          )}
        </div>
      </Card>
    </div>
  );
}

export function Failing({ error, retry }: { error: unknown; retry: () => void }): ReactNode {
  return (
    <Card>
      <Failure error={error} retry={retry} />
    </Card>
  );
}

function KpiCell({
  kpi,
  now,
  before,
}: {
  kpi: Kpi;
  now: AnalyticsFigures | undefined;
  before: AnalyticsFigures | undefined;
}) {
  const value = now === undefined ? undefined : kpi.of(now);
  const n = now !== undefined && kpi.n !== undefined ? kpi.n(now) : undefined;
  return (
    <div className="bg-surface px-4 py-3">
      <dt className="text-sm text-muted">{kpi.name}</dt>
      <dd>
        <p className="numbers mt-0.5 text-2xl font-semibold">
          {value === undefined ? (
            <Skeleton className="my-1 h-6 w-16" />
          ) : value === null ? (
            <span className="text-muted">–</span>
          ) : (
            kpi.show(value)
          )}
        </p>
        <p className="text-xs text-muted">
          {kpi.means}
          {n !== undefined && ` (n = ${count(n)})`}
        </p>
        <Change kpi={kpi} now={value ?? null} before={before === undefined ? null : kpi.of(before)} />
      </dd>
    </div>
  );
}

function Change({ kpi, now, before }: { kpi: Kpi; now: number | null; before: number | null }) {
  if (now === null || before === null) return <p className="text-xs text-muted">No comparison yet</p>;
  const difference = now - before;
  if (Math.abs(difference) < 1e-9) return <p className="text-xs text-muted">As before</p>;
  const good = kpi.better === undefined ? null : (kpi.better === "more") === difference > 0;
  const ink = good === null ? "text-muted" : good ? "text-good-ink" : "text-critical-ink";
  return (
    <p className={`numbers text-xs ${ink}`}>
      {difference > 0 ? "▲" : "▼"} from {kpi.show(before)} before
    </p>
  );
}

function dayName(day: string): string {
  return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" }).format(
    Date.parse(`${day}T00:00:00Z`),
  );
}
