import clsx from "clsx";
import { BellOff, ChevronRight, Layers, Plus } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import type { Framework, FrameworkListed, Severity } from "@/api/types";
import { useMay } from "@/app/identity";
import { PageTitle } from "@/app/slots";
import { SeverityCount, SeverityIcon, Tag } from "@/components/badges";
import { HealthBadge, RiskBadge } from "@/components/framework/status";
import { FrameworkForm } from "@/components/framework-form";
import { FirstSteps } from "@/components/first-steps";
import { NextAlerts } from "@/components/predictions/next";
import { MainMetric } from "@/components/main-metric";
import { Empty, Failure } from "@/components/states";
import { Ago } from "@/components/time";
import { TriggerActions } from "@/components/trigger-actions";
import { TriggerSummary } from "@/components/trigger-summary";
import { Button } from "@/components/ui/button";
import { Card, CardHeader } from "@/components/ui/card";
import { Dialog } from "@/components/ui/dialog";
import { Skeleton, SkeletonRows } from "@/components/ui/skeleton";
import { useFrameworks } from "@/data/frameworks";
import { OPEN, useTriggers } from "@/data/triggers";
import { count, plural } from "@/format/number";
import { byUrgency, SEVERITIES, title } from "@/format/words";

export default function OverviewPage() {
  const frameworks = useFrameworks();
  const open = useTriggers(OPEN);
  const triggers = open.data?.pages.flatMap(({ items }) => items).sort(byUrgency);
  const may = useMay("editor");
  const [adding, setAdding] = useState(false);
  return (
    <TriggerActions>
      <Dialog title="New framework" open={adding} onClose={() => setAdding(false)}>
        <FrameworkForm onDone={() => setAdding(false)} />
      </Dialog>
      <PageTitle waiting={sum(frameworks.data, ({ firing }) => firing)}>Overview</PageTitle>
      <div className="flex flex-col gap-5">
        <FirstSteps />
        <Figures frameworks={frameworks.data} />
        <div className="grid grid-cols-1 items-start gap-5 xl:grid-cols-[minmax(0,1fr)_21rem] 2xl:grid-cols-[minmax(0,1fr)_26rem]">
          <Card className="@container">
            <CardHeader title="Frameworks" hint="By risk">
              {may && frameworks.data !== undefined && frameworks.data.length > 0 && (
                <Button size="sm" onClick={() => setAdding(true)}>
                  <Plus size={13} aria-hidden />
                  New
                </Button>
              )}
            </CardHeader>
            {frameworks.isPending ? (
              <SkeletonRows rows={4} className="h-14" />
            ) : frameworks.isError ? (
              <Failure error={frameworks.error} retry={() => void frameworks.refetch()} />
            ) : frameworks.data.length === 0 ? (
              <Empty icon={Layers} title="Nothing is watched yet">
                A framework appears here with its health, its risk and what is firing.
              </Empty>
            ) : (
              <ul>
                {frameworks.data.toSorted(byRisk).map((framework) => (
                  <FrameworkRow
                    key={framework.id}
                    framework={framework}
                    troubled={triggers?.find(({ framework_id }) => framework_id === framework.id)?.metric}
                  />
                ))}
              </ul>
            )}
          </Card>
          <div className="flex min-w-0 flex-col gap-5">
            <Card>
              <CardHeader title="Open alerts">
                <Link to="/alerts" className="rounded text-sm font-medium text-accent hover:underline">
                  All
                </Link>
              </CardHeader>
              {open.isPending ? (
                <SkeletonRows rows={4} className="h-11" />
              ) : open.isError ? (
                <Failure error={open.error} retry={() => void open.refetch()} />
              ) : triggers === undefined || triggers.length === 0 ? (
                <Empty icon={BellOff} title="Nothing is firing">
                  New alerts appear here the moment they open.
                </Empty>
              ) : (
                <ul>
                  {triggers.slice(0, 6).map((trigger) => (
                    <TriggerSummary key={trigger.id} trigger={trigger} />
                  ))}
                </ul>
              )}
            </Card>
            <NextAlerts />
          </div>
        </div>
      </div>
    </TriggerActions>
  );
}

type Counts = Framework["open_triggers"];

function sum(frameworks: Framework[] | undefined, pick: (counts: Counts) => number): number {
  return frameworks?.reduce((total, { open_triggers }) => total + pick(open_triggers), 0) ?? 0;
}

function Figures({ frameworks }: { frameworks: Framework[] | undefined }) {
  return (
    <dl className="grid grid-cols-2 overflow-hidden rounded-xl border border-line bg-surface shadow-card lg:grid-cols-4">
      {SEVERITIES.map((severity) => (
        <Figure
          key={severity}
          to={`/alerts?severity=${severity}`}
          name={title(severity)}
          value={frameworks && sum(frameworks, (counts) => counts[severity])}
          severity={severity}
        />
      ))}
      <Figure
        to="/history?state=acknowledged"
        name="Acknowledged"
        value={frameworks && sum(frameworks, ({ acknowledged }) => acknowledged)}
      />
    </dl>
  );
}

function Figure({
  to,
  name,
  value,
  severity,
}: {
  to: string;
  name: string;
  value: number | undefined;
  severity?: Severity;
}) {
  return (
    <div className="relative border-line px-4 py-3 hover:bg-sunken/50 max-lg:nth-[-n+2]:border-b max-lg:odd:border-r lg:not-last:border-r">
      <dt className="flex items-center gap-1.5 text-sm text-muted">
        {severity !== undefined && <SeverityIcon severity={severity} size={14} />}
        <Link to={to} className="row-link">
          {name}
        </Link>
      </dt>
      <dd className={clsx("numbers mt-0.5 text-2xl font-semibold", value === 0 && "text-muted")}>
        {value === undefined ? <Skeleton className="my-1 h-6 w-10" /> : count(value)}
      </dd>
    </div>
  );
}

interface FrameworkRowProps {
  framework: FrameworkListed;
  /** The metric of its worst open alert. */
  troubled: string | undefined;
}

function FrameworkRow({ framework, troubled }: FrameworkRowProps) {
  const { open_triggers: open } = framework;
  const lastPoint = framework.last_point_at === null ? "No points" : <Ago at={framework.last_point_at} />;
  return (
    <li className="relative grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-2 border-b border-line px-4 py-3 last:border-b-0 hover:bg-sunken/50 @2xl:grid-cols-[minmax(0,1fr)_auto_14.5rem_5.5rem_1rem] @4xl:grid-cols-[minmax(0,1fr)_13rem_14rem_6rem_1rem]">
      <div className="min-w-0">
        <p className="flex min-w-0 items-center gap-2">
          <Link to={`/frameworks/${framework.id}`} className="truncate row-link font-medium">
            {framework.name}
          </Link>
          {framework.kind !== "custom" && (
            <span className="max-sm:hidden">
              <Tag>{title(framework.kind)}</Tag>
            </span>
          )}
        </p>
        <p className="truncate text-sm text-muted">
          <span className="@2xl:hidden">{lastPoint} · </span>
          {framework.description === ""
            ? `${plural(framework.metrics, "metric")}, ${plural(framework.series, "series", "series")}`
            : framework.description}
        </p>
      </div>
      <div className="flex flex-wrap justify-end gap-1 @4xl:justify-start">
        {SEVERITIES.map((severity) => (
          <SeverityCount key={severity} severity={severity} count={open[severity]} />
        ))}
        <HealthBadge score={framework.health.score} status={framework.health.status} />
        <RiskBadge score={framework.risk} />
      </div>
      <MainMetric framework={framework.id} preferred={troubled} />
      <p className="hidden text-right text-sm text-muted @2xl:block">{lastPoint}</p>
      <ChevronRight size={16} aria-hidden className="hidden text-muted @2xl:block" />
    </li>
  );
}

function byRisk(a: FrameworkListed, b: FrameworkListed): number {
  return b.risk - a.risk || a.name.localeCompare(b.name);
}
