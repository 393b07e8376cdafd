/** The same done to many triggers: those chosen, or all that filters find. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import type { BulkAnswer, BulkInput, Feedback, Person, Trigger, TriggerState } from "@/api/types";
import { type TriggerFilters } from "./trigger-filters";
import { applyTrigger, expected, LISTS, questionOf, rollBack, type TriggerAction } from "./triggers";

/** The API takes this many at once; a filter is asked again for the rest. */
const ROUNDS = 40;
const AT_ONCE = 500;

export type BulkChange =
  { action: TriggerAction; note?: string } | { action: "feedback"; feedback: Feedback };

export type BulkTarget = { triggers: readonly Trigger[] } | { filters: TriggerFilters };

export interface BulkOutcome {
  changed: number;
  failed: number;
  /** Why the first of them was left alone. */
  why: string | null;
}

const FROM: Record<TriggerAction, readonly TriggerState[]> = {
  acknowledge: ["firing"],
  resolve: ["firing", "acknowledged"],
  reopen: ["resolved"],
};

/** Whether a person could do this to the trigger as it is. */
export function possible(action: TriggerAction, { state }: Pick<Trigger, "state">): boolean {
  return FROM[action].includes(state);
}

/** The filters, without what the action leaves alone; null when nothing can be left to do. */
export function narrowed(filters: TriggerFilters, { action }: BulkChange): TriggerFilters | null {
  if (action === "feedback") return filters;
  const state = FROM[action].filter((each) => filters.state.length === 0 || filters.state.includes(each));
  return state.length === 0 ? null : { ...filters, state };
}

export function useBulk(me: Person) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ target, change }: { target: BulkTarget; change: BulkChange }) =>
      "triggers" in target ? changeChosen(target.triggers, change) : changeFound(target.filters, change),
    onMutate: ({ target, change }) => {
      if (!("triggers" in target)) return;
      const now = new Date().toISOString();
      for (const trigger of target.triggers) {
        if (change.action === "feedback") applyTrigger(client, { ...trigger, feedback: change.feedback });
        else if (possible(change.action, trigger))
          applyTrigger(client, expected(trigger, change.action, me, now));
      }
    },
    onSuccess: ({ refused }, { target }) => {
      if (!("triggers" in target)) return;
      const left = new Set(refused);
      for (const trigger of target.triggers) if (left.has(trigger.id)) rollBack(client, trigger);
    },
    onError: (_error, { target }) => {
      if ("triggers" in target) for (const trigger of target.triggers) rollBack(client, trigger);
    },
    onSettled: () => client.invalidateQueries({ queryKey: [LISTS] }),
  });
}

type Done = BulkOutcome & { refused: string[] };

async function changeChosen(triggers: readonly Trigger[], change: BulkChange): Promise<Done> {
  const { action } = change;
  const wanted = action === "feedback" ? triggers : triggers.filter((trigger) => possible(action, trigger));
  const done: Done = { changed: 0, failed: 0, why: null, refused: [] };
  for (let start = 0; start < wanted.length; start += AT_ONCE) {
    const part = wanted.slice(start, start + AT_ONCE);
    const versions = Object.fromEntries(part.map(({ id, version }) => [id, version]));
    add(done, await ask({ ids: part.map(({ id }) => id), versions, ...change }));
  }
  return done;
}

async function changeFound(filters: TriggerFilters, change: BulkChange): Promise<Done> {
  const done: Done = { changed: 0, failed: 0, why: null, refused: [] };
  const narrow = narrowed(filters, change);
  for (let round = 0; narrow !== null && round < ROUNDS; round += 1) {
    const answer = await ask({ filter: questionOf(narrow), ...change });
    add(done, answer);
    // A mark changes nothing that is filtered by: asking again would find the same ones.
    if (!answer.more || answer.changed.length === 0 || change.action === "feedback") break;
  }
  return done;
}

function ask(body: Omit<BulkInput, "versions"> & { versions?: Record<string, number> }): Promise<BulkAnswer> {
  return unwrap(api.POST("/api/v1/alert-triggers/bulk", { body: { versions: {}, ...body } }));
}

function add(done: Done, { changed, failed }: BulkAnswer): void {
  done.changed += changed.length;
  done.failed += failed.length;
  done.refused.push(...failed.map(({ id }) => id));
  done.why ??= failed[0]?.detail ?? null;
}
