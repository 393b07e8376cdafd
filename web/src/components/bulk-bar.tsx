import { Check, Eye, RotateCcw, ThumbsDown, ThumbsUp, X } from "lucide-react";
import { type FormEvent, useState } from "react";
import { messageOf } from "@/api/problem";
import type { Trigger } from "@/api/types";
import { useIdentity } from "@/app/identity";
import { type BulkChange, type BulkOutcome, narrowed, possible, useBulk } from "@/data/bulk";
import type { Selection } from "@/data/selection";
import type { TriggerFilters } from "@/data/trigger-filters";
import { count, plural } from "@/format/number";
import { Button } from "./ui/button";
import { Dialog } from "./ui/dialog";
import { Field, Textarea } from "./ui/field";
import { say } from "./ui/toast";

interface BulkBarProps {
  /** What is on the screen. */
  triggers: readonly Trigger[];
  filters: TriggerFilters;
  selection: Selection;
  /** Whether the filters find more than has been loaded. */
  more: boolean;
}

/** What can be done to the chosen ones at once. */
export function BulkBar({ triggers, filters, selection, more }: BulkBarProps) {
  const { user } = useIdentity();
  const bulk = useBulk({ id: user.id, name: user.name });
  const [resolving, setResolving] = useState(false);
  const chosen = triggers.filter(({ id }) => selection.has(id));
  const all = selection.everything;
  const run = (change: BulkChange) => {
    selection.clear();
    // The promise, not the callbacks: the list may be empty, and this bar gone, when the answer comes.
    bulk
      .mutateAsync({ target: all ? { filters } : { triggers: chosen }, change })
      .then((outcome) => say(told(outcome), { bad: outcome.changed === 0 }))
      .catch((error: unknown) => say(`Nothing was changed: ${messageOf(error)}`, { bad: true }));
  };
  const resolve = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setResolving(false);
    run({
      action: "resolve",
      note: String(new FormData(event.currentTarget).get("note") ?? "").trim(),
    });
  };
  const can = (action: "acknowledge" | "resolve" | "reopen") =>
    all ? narrowed(filters, { action }) !== null : chosen.some((trigger) => possible(action, trigger));
  if (selection.size === 0 && !all) return null;
  const number = all ? (more ? "All" : count(triggers.length)) : count(chosen.length);
  return (
    <div
      role="toolbar"
      aria-label="What to do with the chosen alerts"
      className="sticky top-13 z-10 flex flex-wrap items-center gap-2 rounded-t-xl border-b border-line bg-accent-tint px-4 py-2"
    >
      <p role="status" className="numbers mr-1 text-sm font-medium">
        {number} chosen
      </p>
      {!all && more && chosen.length === triggers.length && (
        <Button size="sm" look="ghost" className="text-accent!" onClick={selection.chooseEverything}>
          Choose all that fit
        </Button>
      )}
      <Button size="sm" disabled={!can("acknowledge")} onClick={() => run({ action: "acknowledge" })}>
        <Eye size={13} aria-hidden />
        Acknowledge
      </Button>
      <Button size="sm" disabled={!can("resolve")} onClick={() => setResolving(true)}>
        <Check size={13} aria-hidden />
        Resolve
      </Button>
      {can("reopen") && (
        <Button size="sm" onClick={() => run({ action: "reopen" })}>
          <RotateCcw size={13} aria-hidden />
          Reopen
        </Button>
      )}
      <Button size="sm" onClick={() => run({ action: "feedback", feedback: "actionable" })}>
        <ThumbsUp size={13} aria-hidden />
        Worth it
      </Button>
      <Button size="sm" onClick={() => run({ action: "feedback", feedback: "false_positive" })}>
        <ThumbsDown size={13} aria-hidden />
        False alarm
      </Button>
      <Button size="sm" look="ghost" className="ml-auto" onClick={selection.clear}>
        <X size={13} aria-hidden />
        Clear
      </Button>
      <Dialog title="Resolve the chosen alerts" open={resolving} onClose={() => setResolving(false)}>
        <form onSubmit={resolve} className="flex flex-col gap-4">
          <p className="text-sm text-muted">
            {all && more
              ? "Everything that fits the filters"
              : plural(all ? triggers.length : chosen.length, "alert")}
            . They open again if their rules fire again.
          </p>
          <Field label="Note" hint="Optional: what it was, for whoever looks at it later.">
            {(ties) => <Textarea {...ties} name="note" maxLength={2000} />}
          </Field>
          <div className="flex justify-end gap-2">
            <Button onClick={() => setResolving(false)}>Cancel</Button>
            <Button type="submit" look="primary">
              Resolve them
            </Button>
          </div>
        </form>
      </Dialog>
    </div>
  );
}

function told({ changed, failed, why }: BulkOutcome): string {
  const did = changed === 0 ? "Nothing was changed" : `${plural(changed, "alert")} changed`;
  return failed === 0 ? `${did}.` : `${did}, ${count(failed)} left alone: ${why ?? "they had changed"}`;
}
