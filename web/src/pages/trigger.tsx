import { ExternalLink } from "lucide-react";
import { type ReactNode, useMemo } from "react";
import { Link, useParams } from "react-router";
import type { TriggerDetail } from "@/api/types";
import { PageTitle } from "@/app/slots";
import { AssignChoice } from "@/components/assign-choice";
import { SeverityBadge, StateBadge, Tag } from "@/components/badges";
import { TimeChart } from "@/components/chart";
import { CommentForm } from "@/components/comment-form";
import { Ledger } from "@/components/ledger";
import { FeedbackChoice } from "@/components/feedback-choice";
import { Failure } from "@/components/states";
import { Ago, At, useNow } from "@/components/time";
import { Timeline } from "@/components/timeline";
import { ActionButtons, TriggerActions } from "@/components/trigger-actions";
import { Card, CardHeader } from "@/components/ui/card";
import { Skeleton, SkeletonRows } from "@/components/ui/skeleton";
import { WhyNow } from "@/components/why-now";
import { useMetrics, usePoints } from "@/data/frameworks";
import { useRule } from "@/data/rules";
import { around } from "@/data/span";
import { useTrigger } from "@/data/triggers";
import { plural, quantity } from "@/format/number";
import { lasted } from "@/format/time";
import { labelText, title } from "@/format/words";

export default function TriggerPage() {
  const { id = "" } = useParams();
  const trigger = useTrigger(id);
  return (
    <TriggerActions>
      <PageTitle above={{ to: "/alerts", name: "Alerts" }}>{trigger.data?.rule_name ?? "Alert"}</PageTitle>
      {trigger.isPending ? (
        <SkeletonRows />
      ) : trigger.isError ? (
        <Failure error={trigger.error} retry={() => void trigger.refetch()} />
      ) : (
        <Detail trigger={trigger.data} />
      )}
    </TriggerActions>
  );
}

function Detail({ trigger }: { trigger: TriggerDetail }) {
  const metrics = useMetrics(trigger.framework_id);
  const unit = metrics.data?.find(({ name }) => name === trigger.metric)?.unit ?? "";
  return (
    <div className="flex flex-col gap-5">
      <header className="flex flex-wrap items-start gap-x-6 gap-y-3">
        <div className="min-w-0 flex-1 basis-80">
          <div className="flex flex-wrap items-center gap-2">
            <StateBadge state={trigger.state} severity={trigger.severity} />
            <SeverityBadge severity={trigger.severity} />
            <Tag>{title(trigger.type)}</Tag>
            {trigger.historical && <Tag>Imported history, nobody was notified</Tag>}
          </div>
          <p className="mt-2.5 max-w-prose text-lg text-pretty">{trigger.reason}</p>
          <p className="mt-1 text-sm text-muted">
            <Link
              to={`/frameworks/${trigger.framework_id}`}
              className="rounded font-medium text-ink underline decoration-line-strong underline-offset-3 hover:decoration-ink"
            >
              {trigger.framework_name}
            </Link>{" "}
            · {title(trigger.metric || "all metrics")} {labelText(trigger.labels)}
          </p>
        </div>
        <div className="flex flex-wrap gap-2">
          <AssignChoice trigger={trigger} />
          <FeedbackChoice trigger={trigger} />
          <ActionButtons trigger={trigger} size="md" />
        </div>
      </header>
      <Facts trigger={trigger} unit={unit} />
      <Evidence trigger={trigger} unit={unit} />
      <WhyNow trigger={trigger.id} />
      <div className="grid items-start gap-5 xl:grid-cols-2">
        <Card>
          <CardHeader title="What happened" />
          <Timeline trigger={trigger} unit={unit} />
          <CommentForm trigger={trigger.id} />
        </Card>
        <Card>
          <CardHeader title="Who was told, and why" />
          <Ledger trigger={trigger.id} />
        </Card>
      </div>
    </div>
  );
}

function Facts({ trigger, unit }: { trigger: TriggerDetail; unit: string }) {
  const rule = useRule(trigger.rule_id ?? "");
  const now = useNow();
  const facts: [string, ReactNode][] = [
    [
      "Value",
      <span key="v" className="font-medium">
        {quantity(trigger.value, unit)}
      </span>,
    ],
    ["Threshold", quantity(trigger.threshold, unit)],
    ["Opened", <At key="o" at={trigger.opened_at} />],
    [
      trigger.state === "resolved" ? "Lasted" : "Open for",
      lasted(trigger.opened_at, trigger.resolved_at ?? now),
    ],
    ["Last seen", <Ago key="l" at={trigger.last_seen_at} />],
    ["Fired again", trigger.repeat_count === 0 ? "no" : plural(trigger.repeat_count, "time")],
  ];
  if (trigger.acknowledged_by !== null) facts.push(["Acknowledged by", trigger.acknowledged_by.name]);
  if (trigger.resolution_reason !== null)
    facts.push(["Resolved by", trigger.resolved_by?.name ?? title(trigger.resolution_reason)]);
  if (trigger.rule_id !== null) {
    facts.push([
      "Rule",
      <Link key="r" to={`/rules/${trigger.rule_id}`} className="rounded text-accent hover:underline">
        {trigger.rule_name}
      </Link>,
    ]);
  }
  const runbook = rule.data?.runbook_url;
  if (runbook !== null && runbook !== undefined && /^https?:/.test(runbook)) {
    facts.push([
      "Runbook",
      <a
        key="b"
        href={runbook}
        target="_blank"
        rel="noreferrer"
        className="inline-flex items-center gap-1 rounded text-accent hover:underline"
      >
        Open <ExternalLink size={12} aria-hidden />
      </a>,
    ]);
  }
  return (
    <dl className="flex flex-wrap gap-x-10 gap-y-3 rounded-xl border border-line bg-surface px-4 py-3.5 shadow-card">
      {facts.map(([name, value]) => (
        <div key={name} className="min-w-0">
          <dt className="text-xs text-muted">{name}</dt>
          <dd className="numbers">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Evidence({ trigger, unit }: { trigger: TriggerDetail; unit: string }) {
  const { series_id, opened_at, resolved_at, severity, threshold, metric, rule_name } = trigger;
  const span = useMemo(() => around(opened_at, resolved_at), [opened_at, resolved_at]);
  const points = usePoints(series_id, span);
  const lines = useMemo(
    () =>
      points.data === undefined
        ? []
        : [{ label: title(metric), points: points.data.points, step: points.data.step_seconds }],
    [points.data, metric],
  );
  const thresholds = useMemo(
    () => (threshold === null ? [] : [{ value: threshold, severity, label: rule_name }]),
    [threshold, severity, rule_name],
  );
  const episodes = useMemo(
    () => [{ from: opened_at, to: resolved_at, severity }],
    [opened_at, resolved_at, severity],
  );
  if (series_id === null) return null;
  return (
    <Card>
      <CardHeader title={title(metric)} hint="Shaded while the alert was open; dashed where the rule fires" />
      <div className="p-3">
        {points.isPending ? (
          <Skeleton className="h-72" />
        ) : points.isError ? (
          <Failure error={points.error} retry={() => void points.refetch()} />
        ) : (
          <TimeChart
            label={`${title(metric)} around the alert`}
            lines={lines}
            unit={unit}
            from={span.from}
            to={span.to}
            thresholds={thresholds}
            episodes={episodes}
            tall
          />
        )}
      </div>
    </Card>
  );
}
