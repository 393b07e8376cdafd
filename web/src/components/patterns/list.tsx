import {
  CalendarClock,
  Layers2,
  type LucideIcon,
  Radar,
  RefreshCw,
  Repeat,
  TrendingUp,
  Waypoints,
} from "lucide-react";
import { Link } from "react-router";
import { messageOf } from "@/api/problem";
import type { Pattern, PatternType } from "@/api/types";
import { useMay } from "@/app/identity";
import { Tag } from "@/components/badges";
import { Empty, Failure } from "@/components/states";
import { Ago, At } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card, CardHeader } from "@/components/ui/card";
import { SkeletonRows } from "@/components/ui/skeleton";
import { say } from "@/components/ui/toast";
import { useLookForPatterns, usePatterns } from "@/data/patterns";
import { count, plural } from "@/format/number";
import { title } from "@/format/words";

export const PATTERN_ICONS: Record<PatternType, LucideIcon> = {
  seasonal: CalendarClock,
  cyclical: Repeat,
  correlated: Layers2,
  triggered_by: Waypoints,
  escalating: TrendingUp,
};

/** Every pattern that two runs have found, the most certain first. */
export function Patterns({ framework }: { framework: string }) {
  const found = usePatterns(framework);
  const look = useLookForPatterns();
  const may = useMay("editor");
  if (found.isPending) return <SkeletonRows />;
  if (found.isError) {
    return (
      <Card>
        <Failure error={found.error} retry={() => void found.refetch()} />
      </Card>
    );
  }
  const { items, run, not_enough_history: short } = found.data;
  const again = () =>
    look.mutate(undefined, {
      onSuccess: () => say("A run begins within a minute."),
      onError: (error) => say(`Not asked for: ${messageOf(error)}`, { bad: true }),
    });
  return (
    <div className="flex flex-col gap-5">
      <Card>
        <CardHeader
          title="Patterns"
          hint={
            run === null ? (
              "Looked for every six hours"
            ) : (
              <>
                From {count(run.episodes)} episodes of {plural(run.rules, "rule")}, looked at{" "}
                <Ago at={run.as_of} />
              </>
            )
          }
        >
          {may && (
            <Button size="sm" onClick={again} disabled={look.isPending}>
              <RefreshCw size={13} aria-hidden />
              Look now
            </Button>
          )}
        </CardHeader>
        {items.length === 0 ? (
          <Empty icon={Radar} title={run === null ? "Nothing was looked at yet" : "No pattern holds"}>
            Only what is significant among everything tested, and found by two runs, is shown.
          </Empty>
        ) : (
          <ul>
            {items.map((pattern) => (
              <PatternRow key={pattern.id} pattern={pattern} />
            ))}
          </ul>
        )}
      </Card>
      {short.length > 0 && (
        <Card>
          <CardHeader title="Not enough history" hint="What more time will make visible" />
          <ul className="px-4 py-3 text-sm">
            {short.map(({ type, needs, rules }) => (
              <li key={type} className="py-0.5">
                <span className="font-medium">{title(type)}</span>: {needs}{" "}
                <span className="text-muted">({plural(rules, "rule")})</span>
              </li>
            ))}
          </ul>
        </Card>
      )}
    </div>
  );
}

function PatternRow({ pattern }: { pattern: Pattern }) {
  const Icon = PATTERN_ICONS[pattern.type];
  return (
    <li className="relative flex items-center gap-4 border-b border-line px-4 py-3 last:border-b-0 hover:bg-sunken/50">
      <Icon size={18} aria-hidden className="shrink-0 text-muted" />
      <div className="min-w-0 flex-1">
        <p className="flex items-center gap-2">
          <Link to={`/patterns/${pattern.id}`} className="truncate row-link font-medium">
            {pattern.title}
          </Link>
          <span className="max-sm:hidden">
            <Tag>{title(pattern.type)}</Tag>
          </span>
          {pattern.state !== "active" && <Tag>{title(pattern.state)}</Tag>}
        </p>
        <p className="truncate text-sm text-muted">{pattern.label}</p>
      </div>
      {pattern.next_expected_at !== null && (
        <p className="hidden text-right text-xs text-muted md:block">
          Next expected
          <br />
          <At at={pattern.next_expected_at} className="numbers text-ink" />
        </p>
      )}
      <Confidence value={pattern.confidence} />
    </li>
  );
}

/** 0 to 100: how sure, not how likely. */
export function Confidence({ value }: { value: number }) {
  return (
    <span className="w-20 shrink-0 text-right">
      <span className="numbers text-sm font-semibold">{value} %</span>
      <span className="block text-2xs text-muted">confidence</span>
    </span>
  );
}
