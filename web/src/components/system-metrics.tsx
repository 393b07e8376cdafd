import { ExternalLink } from "lucide-react";
import { useOwnMetrics } from "@/data/system";
import { count, number } from "@/format/number";
import { Failure } from "./states";
import { Card, CardHeader } from "./ui/card";
import { SkeletonRows } from "./ui/skeleton";

const TOTALS: readonly (readonly [string, string])[] = [
  ["Points taken", "convex_points_ingested_total"],
  ["Points rejected", "convex_points_rejected_total"],
  ["Evaluations of rules", "convex_rule_evaluations_total"],
  ["Alerts opened", "convex_alert_triggers_total"],
  ["Notifications", "convex_notifications_total"],
  ["Live connections", "convex_websocket_connections"],
];
const TIMES: readonly (readonly [string, string])[] = [
  ["Point received to committed", "convex_alert_processing_seconds"],
  ["Committed to handed to a channel", "convex_notification_latency_seconds"],
  ["Committed to published live", "convex_live_publish_seconds"],
];

/** The figures that Prometheus scrapes, since the processes began. */
export function OwnMetrics() {
  const metrics = useOwnMetrics();
  return (
    <Card>
      <CardHeader title="Metrics" hint="Of this installation, since its processes began">
        <a
          href="/metrics"
          target="_blank"
          rel="noreferrer"
          className="inline-flex items-center gap-1 rounded text-sm text-accent hover:underline"
        >
          All, for Prometheus <ExternalLink size={12} aria-hidden />
        </a>
      </CardHeader>
      {metrics.isPending ? (
        <SkeletonRows rows={3} />
      ) : metrics.isError ? (
        <Failure error={metrics.error} retry={() => void metrics.refetch()} />
      ) : (
        <dl className="grid grid-cols-2 gap-x-4 gap-y-3 p-4 sm:grid-cols-3">
          {TOTALS.map(([name, metric]) => (
            <Figure key={metric} name={name} text={count(metrics.data.total(metric) ?? 0)} />
          ))}
          {TIMES.map(([name, metric]) => (
            <Figure key={metric} name={`${name}, mean`} text={milliseconds(metrics.data.mean(metric))} />
          ))}
        </dl>
      )}
    </Card>
  );
}

function Figure({ name, text }: { name: string; text: string }) {
  return (
    <div>
      <dt className="text-xs text-muted">{name}</dt>
      <dd className="numbers font-semibold">{text}</dd>
    </div>
  );
}

function milliseconds(seconds: number | null): string {
  return seconds === null ? "–" : `${number(seconds * 1000)} ms`;
}
