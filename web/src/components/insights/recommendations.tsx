import { Lightbulb, Undo2 } from "lucide-react";
import { useState } from "react";
import { messageOf } from "@/api/problem";
import type { Recommendation } from "@/api/types";
import { useMay } from "@/app/identity";
import { Tag } from "@/components/badges";
import { Empty, Failure } from "@/components/states";
import { Ago } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Dialog } from "@/components/ui/dialog";
import { Field, Textarea } from "@/components/ui/field";
import { Segmented } from "@/components/ui/segmented";
import { SkeletonRows } from "@/components/ui/skeleton";
import { say } from "@/components/ui/toast";
import { type Decision, useDecide, useDismiss, useRecommendations } from "@/data/insights";
import { number } from "@/format/number";
import { title } from "@/format/words";

const STATES = [
  ["open", "Open"],
  ["accepted", "Accepted"],
  ["done", "Done"],
  ["dismissed", "Dismissed"],
] as const;
/** What Convex does itself when it is accepted. */
const BY_CONVEX = new Set(["update_rule", "mute_window", "inhibition_rule"]);
const complain = (error: unknown) => say(`Not changed: ${messageOf(error)}`, { bad: true });

export function Recommendations() {
  const [state, setState] = useState<Recommendation["state"]>("open");
  const found = useRecommendations(state);
  return (
    <div className="flex flex-col gap-4">
      <Segmented
        label="Which recommendations"
        value={state}
        onChange={setState}
        choices={STATES}
        className="self-start"
      />
      <Card>
        {found.isPending ? (
          <SkeletonRows />
        ) : found.isError ? (
          <Failure error={found.error} retry={() => void found.refetch()} />
        ) : found.data.items.length === 0 ? (
          <Empty icon={Lightbulb} title={state === "open" ? "Nothing to recommend" : `None ${state}`}>
            They come from tuning, patterns, noise, data quality and health, each with what it rests on.
          </Empty>
        ) : (
          <ul>
            {found.data.items.map((one) => (
              <Row key={one.id} one={one} />
            ))}
          </ul>
        )}
      </Card>
    </div>
  );
}

function Row({ one }: { one: Recommendation }) {
  const may = useMay("editor");
  const decide = useDecide();
  const [dismissing, setDismissing] = useState(false);
  const kind = String(one.action["kind"] ?? "");
  const act = (decision: Decision, said: string) =>
    decide.mutate({ id: one.id, decision }, { onError: complain, onSuccess: () => say(said) });
  return (
    <li className="border-b border-line px-4 py-3 last:border-b-0">
      <Dialog title="Dismiss" open={dismissing} onClose={() => setDismissing(false)}>
        <DismissForm id={one.id} onDone={() => setDismissing(false)} />
      </Dialog>
      <div className="flex flex-wrap items-start gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-72">
          <p className="font-medium text-pretty">{one.title}</p>
          <p className="mt-1 flex flex-wrap items-center gap-1.5 text-xs text-muted">
            <Tag>{title(one.origin)}</Tag>
            priority <span className="numbers text-ink">{Math.round(one.priority)}</span>
            {one.decided_at !== null && (
              <>
                · {one.decided_by?.name ?? "Convex"}, <Ago at={one.decided_at} />
              </>
            )}
            {one.note !== "" && <> · “{one.note}”</>}
          </p>
        </div>
        {may && one.state === "open" && (
          <span className="flex gap-2">
            <Button
              size="sm"
              disabled={decide.isPending}
              onClick={() =>
                act("accept", BY_CONVEX.has(kind) ? "Done; it can be undone here." : "Accepted.")
              }
            >
              {BY_CONVEX.has(kind) ? "Apply" : "Accept"}
            </Button>
            <Button size="sm" look="ghost" onClick={() => setDismissing(true)}>
              Dismiss
            </Button>
          </span>
        )}
        {may && one.state === "accepted" && (
          <span className="flex gap-2">
            <Button size="sm" disabled={decide.isPending} onClick={() => act("done", "Marked as done.")}>
              Done
            </Button>
            <Button
              size="sm"
              look="ghost"
              disabled={decide.isPending}
              onClick={() => act("undo", "Taken back.")}
            >
              <Undo2 size={13} aria-hidden />
              Undo
            </Button>
          </span>
        )}
      </div>
      <details className="mt-2 text-sm">
        <summary className="cursor-pointer rounded text-xs text-accent">What it rests on</summary>
        <div className="mt-2 grid gap-4 sm:grid-cols-2">
          <Facts name="What it would do" facts={one.effect} />
          {one.measured_effect !== null && <Facts name="What it did" facts={one.measured_effect} />}
          <Facts name="The change" facts={one.action} />
        </div>
      </details>
    </li>
  );
}

function Facts({ name, facts }: { name: string; facts: Readonly<Record<string, unknown>> }) {
  return (
    <div>
      <h4 className="text-xs font-medium text-muted">{name}</h4>
      <dl className="mt-1">
        {Object.entries(facts).map(([key, value]) => (
          <div key={key} className="flex justify-between gap-4 border-b border-line py-1 last:border-b-0">
            <dt className="text-muted">{title(key)}</dt>
            <dd className="numbers min-w-0 text-right break-words">{text(value)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function text(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return number(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

function DismissForm({ id, onDone }: { id: string; onDone: () => void }) {
  const dismiss = useDismiss();
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        const reason = String(new FormData(event.currentTarget).get("reason"));
        dismiss.mutate({ id, reason }, { onSuccess: onDone, onError: complain });
      }}
    >
      <Field label="Why not" hint="It will not be proposed again">
        {(ties) => <Textarea {...ties} name="reason" required rows={3} maxLength={2000} />}
      </Field>
      <Button type="submit" look="primary" className="self-end" disabled={dismiss.isPending}>
        Dismiss
      </Button>
    </form>
  );
}
