import { Activity, ShieldCheck } from "lucide-react";
import { useMemo, useState } from "react";
import type { CategoryHealth, FrameworkHealth, FrameworkRisk } from "@/api/types";
import { TimeChart } from "@/components/chart";
import { Empty, Failure } from "@/components/states";
import { Card, CardHeader } from "@/components/ui/card";
import { Segmented } from "@/components/ui/segmented";
import { SkeletonRows } from "@/components/ui/skeleton";
import { useHealth, useRisk } from "@/data/health";
import { quantity } from "@/format/number";
import { title } from "@/format/words";
import { HealthBadge, RiskBadge } from "./status";

export function Health({ framework }: { framework: string }) {
  const [days, setDays] = useState<"7" | "30">("7");
  const health = useHealth(framework, days === "7" ? 7 : 30);
  const risk = useRisk(framework);
  return (
    <div className="grid items-start gap-5 xl:grid-cols-[minmax(0,1fr)_24rem]">
      <Card>
        <CardHeader title="Health" hint="From the points of the last 24 hours">
          <Segmented
            label="How far back"
            value={days}
            onChange={setDays}
            choices={[
              ["7", "7 days"],
              ["30", "30 days"],
            ]}
          />
        </CardHeader>
        {health.isPending ? (
          <SkeletonRows />
        ) : health.isError ? (
          <Failure error={health.error} retry={() => void health.refetch()} />
        ) : (
          <Found health={health.data} />
        )}
      </Card>
      <Card>
        <CardHeader title="Risk" hint="What could go wrong from here">
          {risk.data !== undefined && <RiskBadge score={risk.data.score} />}
        </CardHeader>
        {risk.isPending ? (
          <SkeletonRows rows={2} />
        ) : risk.isError ? (
          <Failure error={risk.error} retry={() => void risk.refetch()} />
        ) : (
          <Factors risk={risk.data} />
        )}
      </Card>
    </div>
  );
}

function Found({ health }: { health: FrameworkHealth }) {
  const line = useMemo(
    () => [
      {
        label: "Health",
        step: 3600,
        points: health.history.flatMap(({ at, score }) =>
          score === null ? [] : [{ timestamp: at, value: score, min: score, max: score, count: 1 }],
        ),
      },
    ],
    [health.history],
  );
  const from = new Date(Date.parse(health.at) - health.days * 86_400_000).toISOString();
  if (health.score === null && health.history.length === 0) {
    return (
      <Empty icon={Activity} title="Health is not known yet">
        Give metrics a target and a limit: health is how far values are from one to the other.
      </Empty>
    );
  }
  return (
    <>
      <div className="flex flex-wrap items-baseline gap-x-4 gap-y-1 px-4 pt-4">
        <p className="numbers text-3xl font-semibold">
          {health.score === null ? "–" : Math.round(health.score)}
        </p>
        <HealthBadge score={null} status={health.status} />
        <p className="text-sm text-muted">
          {quantity(health.coverage, "ratio")} of what is scored has data
          {health.trend !== null && (
            <>
              {" "}
              · {health.trend.direction}, {signed(health.trend.slope_per_day)} a day (
              {signed(health.trend.low)} … {signed(health.trend.high)})
            </>
          )}
        </p>
      </div>
      <div className="p-3">
        <TimeChart label="Health by the hour" lines={line} unit="" from={from} to={health.at} />
      </div>
      <div className="border-t border-line">
        {health.categories.map((category) => (
          <Category key={category.category} category={category} />
        ))}
      </div>
    </>
  );
}

function Category({ category }: { category: CategoryHealth }) {
  return (
    <details className="border-b border-line last:border-b-0" open={category.metrics.length > 0}>
      <summary className="flex cursor-pointer items-center gap-3 px-4 py-2.5">
        <span className="flex-1 font-medium">{title(category.category)}</span>
        <HealthBadge score={category.score} status={category.status} />
      </summary>
      <ul className="pb-2">
        {category.metrics.map((metric) => (
          <li
            key={metric.id}
            className="flex flex-wrap items-baseline gap-x-4 gap-y-0.5 px-4 py-1.5 pl-8 text-sm"
          >
            <span className="min-w-0 flex-1 basis-64">
              {title(metric.name)}
              <span className="block text-xs text-pretty text-muted">{metric.explanation}</span>
            </span>
            {metric.points_lost !== null && metric.points_lost > 0.05 && (
              <span className="numbers text-xs text-critical-ink">
                −{metric.points_lost.toFixed(1)} points
              </span>
            )}
            <span className="numbers w-10 text-right">
              {metric.score === null ? "–" : Math.round(metric.score)}
            </span>
          </li>
        ))}
        {category.metrics.length === 0 && (
          <li className="px-4 py-1.5 pl-8 text-sm text-muted">
            No metric of this category has a target and a limit.
          </li>
        )}
      </ul>
    </details>
  );
}

function Factors({ risk }: { risk: FrameworkRisk }) {
  if (risk.factors.length === 0) {
    return (
      <Empty icon={ShieldCheck} title="Nothing threatens">
        No open alert, no likely one, no bad trend, no missing data.
      </Empty>
    );
  }
  return (
    <ul>
      {risk.factors.map((factor) => (
        <li
          key={`${factor.kind}${factor.name}`}
          className="border-b border-line px-4 py-2.5 text-sm last:border-b-0"
        >
          <p className="flex justify-between gap-3">
            <span className="font-medium">{title(factor.kind)}</span>
            <span className="numbers text-muted">
              {Math.round(100 * factor.probability * factor.impact)} of 100
            </span>
          </p>
          <p className="text-pretty text-muted">{factor.explanation}</p>
        </li>
      ))}
    </ul>
  );
}

function signed(value: number): string {
  return `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(1)}`;
}
