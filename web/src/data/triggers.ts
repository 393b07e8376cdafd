/** Alert triggers: lists by filters, one with its transitions, and what a person does to them. */
import {
  type InfiniteData,
  keepPreviousData,
  type QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { call } from "@/api/client";
import type { Page, Person, Trigger, TriggerDetail } from "@/api/types";
import { isNewer, placeTrigger } from "./trigger-cache";
import { NO_FILTERS, type TriggerFilters } from "./trigger-filters";

const LISTS = "trigger-list";
const ONE = "trigger";
const PAGE_SIZE = 100;

export const OPEN: TriggerFilters = { ...NO_FILTERS, state: ["firing", "acknowledged"], historical: false };

type TriggerList = InfiniteData<Page<Trigger>, string | null>;

export function useTriggers(filters: TriggerFilters) {
  return useInfiniteQuery({
    queryKey: [LISTS, filters],
    queryFn: ({ pageParam, signal }) =>
      call<Page<Trigger>>("/alert-triggers", {
        query: { ...filters, limit: PAGE_SIZE, cursor: pageParam },
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });
}

export function useTrigger(id: string) {
  return useQuery({
    queryKey: [ONE, id],
    queryFn: ({ signal }) => call<TriggerDetail>(`/alert-triggers/${id}`, { signal }),
  });
}

export type TriggerAction = "acknowledge" | "resolve";

interface ActionInput {
  trigger: Trigger;
  action: TriggerAction;
  note?: string;
}

/** Shown as done at once; a refusal puts the one trigger back as it was and nothing else. */
export function useTriggerAction(me: Person) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ trigger, action, note }: ActionInput) =>
      call<Trigger>(`/alert-triggers/${trigger.id}/${action}`, {
        method: "POST",
        body: note === undefined || note === "" ? {} : { note },
      }),
    onMutate: async ({ trigger, action }) => {
      // An answer already on its way would show the state from before the click.
      await client.cancelQueries({ queryKey: [ONE, trigger.id] });
      applyTrigger(client, expected(trigger, action, me, new Date().toISOString()));
    },
    onSuccess: (trigger) => applyTrigger(client, trigger),
    onError: (_error, { trigger }) => rollBack(client, trigger),
    onSettled: (_answer, _error, { trigger }) => client.invalidateQueries({ queryKey: [ONE, trigger.id] }),
  });
}

/** What the trigger will be, if the server agrees. The version stays: the server's answer wins. */
export function expected(trigger: Trigger, action: TriggerAction, me: Person, now: string): Trigger {
  return action === "acknowledge"
    ? { ...trigger, state: "acknowledged", acknowledged_at: now, acknowledged_by: me }
    : { ...trigger, state: "resolved", resolved_at: now, resolved_by: me };
}

/** Undo an expectation, unless something newer about this trigger arrived meanwhile. */
export function rollBack(client: QueryClient, before: Trigger): void {
  applyTrigger(client, before);
}

/** Put a trigger into every list and page that shows it. */
export function applyTrigger(client: QueryClient, trigger: Trigger): void {
  const lists = client.getQueryCache().findAll({ queryKey: [LISTS] });
  for (const { queryKey } of lists) {
    const filters = queryKey[1] as TriggerFilters;
    client.setQueryData<TriggerList>(queryKey, (list) =>
      list === undefined ? list : (placeTrigger(list, trigger, filters) as TriggerList),
    );
  }
  client.setQueryData<TriggerDetail>([ONE, trigger.id], (known) =>
    known === undefined || !isNewer(trigger, known)
      ? known
      : { ...known, ...trigger, transitions: known.transitions },
  );
}

/** After news from the stream: the transitions of a trigger on the screen have changed too. */
export function refreshTrigger(client: QueryClient, id: string): void {
  void client.invalidateQueries({ queryKey: [ONE, id] });
}
