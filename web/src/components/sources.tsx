import { Database, ExternalLink, Play, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { messageOf } from "@/api/problem";
import type { Source } from "@/api/types";
import { useMay } from "@/app/identity";
import { useEnableSource, useRemoveSource, useRunSource, useSources } from "@/data/quality";
import { count, quantity } from "@/format/number";
import { title } from "@/format/words";
import { Tag } from "./badges";
import { SourceForm } from "./source-form";
import { Empty, Failure } from "./states";
import { Ago } from "./time";
import { Button } from "./ui/button";
import { Card, CardHeader } from "./ui/card";
import { Dialog } from "./ui/dialog";
import { SkeletonRows } from "./ui/skeleton";
import { Switch } from "./ui/switch";
import { say } from "./ui/toast";

/** What is pulled, how it went, and what can be done about it. */
export function Sources() {
  const sources = useSources();
  const may = useMay("editor");
  const [adding, setAdding] = useState(false);
  return (
    <Card>
      <CardHeader title="Sources" hint="What Convex pulls from, by their own schedules">
        <a
          href="/docs/prefect"
          target="_blank"
          rel="noreferrer"
          className="inline-flex items-center gap-1 rounded text-sm text-accent hover:underline"
        >
          Their runs in Prefect <ExternalLink size={12} aria-hidden />
        </a>
        {may && (
          <Button size="sm" onClick={() => setAdding(true)}>
            <Plus size={13} aria-hidden />
            New source
          </Button>
        )}
      </CardHeader>
      <Dialog title="New source" open={adding} onClose={() => setAdding(false)}>
        <SourceForm onDone={() => setAdding(false)} />
      </Dialog>
      {sources.isPending ? (
        <SkeletonRows rows={2} />
      ) : sources.isError ? (
        <Failure error={sources.error} retry={() => void sources.refetch()} />
      ) : sources.data.items.length === 0 ? (
        <Empty icon={Database} title="Nothing is pulled">
          Files, databases, Prometheus or JSON over HTTP can be read by a schedule.
        </Empty>
      ) : (
        <ul>
          {sources.data.items.map((source) => (
            <SourceRow key={source.id} source={source} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function SourceRow({ source }: { source: Source }) {
  const may = useMay("editor");
  const owner = useMay("owner");
  const run = useRunSource();
  const enable = useEnableSource();
  const remove = useRemoveSource();
  const [sure, setSure] = useState(false);
  const complain = (error: unknown) => say(`Not done: ${messageOf(error)}`, { bad: true });
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-3 text-sm last:border-b-0">
      <span className="min-w-0 flex-1 basis-60">
        <span className="font-medium">{source.name}</span> <Tag>{title(source.kind)}</Tag>
        {!source.enabled && <Tag>Off</Tag>}
        <span className="numbers block text-muted">
          {count(source.points_total)} points
          {source.progress !== null &&
            source.progress < 1 &&
            `, ${quantity(source.progress, "ratio")} of the past`}
          {source.schedule !== null && ` · ${source.schedule}`}
        </span>
        {source.last_error !== null && source.failed_runs > 0 && (
          <span className="block text-pretty text-critical-ink">{source.last_error}</span>
        )}
      </span>
      {source.last_run_at !== null && (
        <span className="text-muted">
          {title(source.last_state ?? "")} <Ago at={source.last_run_at} />
        </span>
      )}
      {may && (
        <Button
          size="sm"
          disabled={run.isPending || !source.enabled}
          onClick={() =>
            run.mutate(source.id, {
              onSuccess: () => say("A run begins within a minute."),
              onError: complain,
            })
          }
        >
          <Play size={13} aria-hidden />
          Pull now
        </Button>
      )}
      {owner && (
        <Button
          look="danger"
          size="sm"
          aria-label={sure ? `Really remove ${source.name}` : `Remove ${source.name}`}
          onBlur={() => setSure(false)}
          onClick={() => (sure ? remove.mutate(source.id, { onError: complain }) : setSure(true))}
        >
          <Trash2 size={13} aria-hidden />
          {sure && "Really?"}
        </Button>
      )}
      <Switch
        checked={source.enabled}
        disabled={!may}
        aria-label={`${source.name} is on`}
        onCheckedChange={(enabled) => enable.mutate({ id: source.id, enabled }, { onError: complain })}
      />
    </li>
  );
}
