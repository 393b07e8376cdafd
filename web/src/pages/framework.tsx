import { BellOff, ChartLine, SlidersHorizontal, Telescope } from "lucide-react";
import { useEffect, useMemo } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import type { Framework, Trigger } from "@/api/types";
import { useMay } from "@/app/identity";
import { PageTitle } from "@/app/slots";
import { SeverityCount, Tag } from "@/components/badges";
import { Health } from "@/components/framework/health";
import { FrameworkInsights } from "@/components/framework/insights";
import { Strategy } from "@/components/framework/strategy";
import { MetricChart } from "@/components/metric-chart";
import { Predictions } from "@/components/predictions/list";
import { RuleTable } from "@/components/rule-table";
import { Empty, Failure } from "@/components/states";
import { Ago } from "@/components/time";
import { TriggerSummary } from "@/components/trigger-summary";
import { Button, buttonClass } from "@/components/ui/button";
import { Card, CardHeader } from "@/components/ui/card";
import { Segmented } from "@/components/ui/segmented";
import { Skeleton, SkeletonRows } from "@/components/ui/skeleton";
import { Tabs, useTab } from "@/components/ui/tabs";
import { useFramework, useMetrics, useSeries } from "@/data/frameworks";
import { useRules } from "@/data/rules";
import { AHEAD, daysUntilNow, type RangeDays, RANGES } from "@/data/span";
import { NO_FILTERS } from "@/data/trigger-filters";
import { useTriggers } from "@/data/triggers";
import { plural } from "@/format/number";
import { SEVERITIES, title } from "@/format/words";

const MOST_PAGES = 5;
const TABS = [
  ["charts", "Charts"],
  ["health", "Health and risk"],
  ["predictions", "Predictions"],
  ["insights", "Insights"],
  ["strategy", "Strategy"],
] as const;

export default function FrameworkPage() {
  const { id = "" } = useParams();
  const framework = useFramework(id);
  return (
    <>
      <PageTitle above={{ to: "/", name: "Overview" }}>{framework.data?.name ?? "Framework"}</PageTitle>
      {framework.isPending ? (
        <SkeletonRows />
      ) : framework.isError ? (
        <Failure error={framework.error} retry={() => void framework.refetch()} />
      ) : (
        <Detail framework={framework.data} />
      )}
    </>
  );
}

function Detail({ framework }: { framework: Framework }) {
  const [parameters, setParameters] = useSearchParams();
  const days = rangeOf(parameters.get("days"));
  const span = useMemo(() => daysUntilNow(Number(days)), [days]);
  const filters = useMemo(
    () => ({ ...NO_FILTERS, framework: framework.id, from: span.from }),
    [framework.id, span.from],
  );
  const triggers = useTriggers(filters);
  const tab = useTab(["charts", "health", "predictions", "insights", "strategy"]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = triggers;
  const loaded = triggers.data?.pages.length ?? 0;
  useEffect(() => {
    // The charts show when something fired over the whole range, as far as that can be told apart.
    if (hasNextPage && !isFetchingNextPage && loaded < MOST_PAGES) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage, loaded]);
  const recent = useMemo(() => triggers.data?.pages.flatMap(({ items }) => items) ?? [], [triggers.data]);
  const { open_triggers: open } = framework;
  const ahead = parameters.get("forecast") !== "off";
  const set = (name: string, value: string | null) => {
    const next = new URLSearchParams(parameters);
    if (value === null) next.delete(name);
    else next.set(name, value);
    setParameters(next, { replace: true });
  };

  return (
    <div className="flex flex-col gap-5">
      <header className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-72">
          <div className="flex flex-wrap items-center gap-1.5">
            {SEVERITIES.map((severity) => (
              <SeverityCount key={severity} severity={severity} count={open[severity]} />
            ))}
            {framework.kind !== "custom" && <Tag>{title(framework.kind)}</Tag>}
            {framework.tags.map((tag) => (
              <Tag key={tag}>{tag}</Tag>
            ))}
          </div>
          {framework.description !== "" && (
            <p className="mt-2 max-w-prose text-pretty">{framework.description}</p>
          )}
          <p className="mt-1 text-sm text-muted">
            {plural(framework.metrics, "metric")}, {plural(framework.series, "series", "series")}
            {framework.last_point_at !== null && (
              <>
                {" "}
                · last point <Ago at={framework.last_point_at} />
              </>
            )}
          </p>
        </div>
        {tab === "charts" && (
          <div className="flex flex-wrap items-center gap-2">
            {AHEAD[days] > 0 && (
              <Button
                size="sm"
                aria-pressed={ahead}
                className={ahead ? "border-accent! bg-accent-tint! text-accent!" : ""}
                onClick={() => set("forecast", ahead ? "off" : null)}
              >
                <Telescope size={13} aria-hidden />
                Forecast
              </Button>
            )}
            <Segmented
              label="Time range"
              value={days}
              onChange={(next) => set("days", next === "7" ? null : next)}
              choices={RANGES}
            />
          </div>
        )}
      </header>
      <Tabs label={`Parts of ${framework.name}`} value={tab} choices={TABS} />
      {tab === "health" && <Health framework={framework.id} />}
      {tab === "predictions" && <Predictions framework={framework.slug} />}
      {tab === "insights" && <FrameworkInsights framework={framework.id} />}
      {tab === "strategy" && <Strategy framework={framework.id} />}
      {tab === "charts" && <Charts framework={framework} days={days} ahead={ahead} triggers={recent} />}
      {tab === "charts" && (
        <div className="grid grid-cols-1 items-start gap-5 xl:grid-cols-[minmax(0,1fr)_21rem] 2xl:grid-cols-[minmax(0,1fr)_26rem]">
          <Rules framework={framework} />
          <Card>
            <CardHeader title="Alerts in this range">
              <Link
                to={`/history?framework=${framework.slug}`}
                className="rounded text-sm font-medium text-accent hover:underline"
              >
                All
              </Link>
            </CardHeader>
            {triggers.isPending ? (
              <SkeletonRows rows={3} className="h-11" />
            ) : triggers.isError ? (
              <Failure error={triggers.error} retry={() => void triggers.refetch()} />
            ) : recent.length === 0 ? (
              <Empty icon={BellOff} title="Nothing fired" />
            ) : (
              <ul>
                {recent.slice(0, 10).map((trigger) => (
                  <TriggerSummary key={trigger.id} trigger={trigger} withFramework={false} />
                ))}
              </ul>
            )}
          </Card>
        </div>
      )}
    </div>
  );
}

function Charts({
  framework,
  days,
  ahead,
  triggers,
}: {
  framework: Framework;
  days: RangeDays;
  ahead: boolean;
  triggers: readonly Trigger[];
}) {
  const metrics = useMetrics(framework.id);
  const series = useSeries(framework.id);
  const rules = useRules(framework.id);
  const span = useMemo(() => daysUntilNow(Number(days)), [days]);
  if (metrics.isPending || series.isPending) {
    return (
      <div className="grid gap-5 xl:grid-cols-2">
        {[0, 1, 2, 3].map((index) => (
          <Skeleton key={index} className="h-58 rounded-xl" />
        ))}
      </div>
    );
  }
  const failed = metrics.isError ? metrics : series.isError ? series : null;
  if (failed !== null) {
    return (
      <Card>
        <Failure error={failed.error} retry={() => void failed.refetch()} />
      </Card>
    );
  }
  if (metrics.data === undefined || metrics.data.length === 0) {
    return (
      <Card>
        <Empty icon={ChartLine} title="No metrics yet">
          A metric appears with its first point.
        </Empty>
      </Card>
    );
  }
  return (
    <div className="grid gap-5 xl:grid-cols-2">
      {metrics.data.map((metric) => (
        <MetricChart
          key={metric.id}
          metric={metric}
          series={series.data?.filter(({ metric_id }) => metric_id === metric.id) ?? []}
          rules={rules.data?.filter(({ metric_id }) => metric_id === metric.id) ?? []}
          triggers={triggers.filter((trigger) => trigger.metric === metric.name)}
          span={span}
          ahead={ahead ? AHEAD[days] : 0}
        />
      ))}
    </div>
  );
}

function Rules({ framework }: { framework: Framework }) {
  const rules = useRules(framework.id);
  const may = useMay("editor");
  return (
    <Card>
      <CardHeader title="Rules">
        {may && (
          <Link to={`/rules/new?framework=${framework.id}`} className={buttonClass({ size: "sm" })}>
            New rule
          </Link>
        )}
      </CardHeader>
      {rules.isPending ? (
        <SkeletonRows rows={3} className="h-10" />
      ) : rules.isError ? (
        <Failure error={rules.error} retry={() => void rules.refetch()} />
      ) : rules.data.length === 0 ? (
        <Empty icon={SlidersHorizontal} title="No rules">
          Without a rule, nothing here can alert.
        </Empty>
      ) : (
        <RuleTable rules={rules.data} withFramework={false} />
      )}
    </Card>
  );
}

function rangeOf(text: string | null): RangeDays {
  return RANGES.find(([days]) => days === text)?.[0] ?? "7";
}
