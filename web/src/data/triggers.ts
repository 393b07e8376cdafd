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
import { api, unwrap } from "@/api/client";
import type {
  AlertType,
  Feedback,
  Page,
  Person,
  Severity,
  Trigger,
  TriggerDetail,
  TriggerState,
} from "@/api/types";
import { isNewer, placeTrigger } from "./trigger-cache";
import { NO_FILTERS, type TriggerFilters } from "./trigger-filters";

export const LISTS = "trigger-list";
const ONE = "trigger";
const PAGE_SIZE = 100;

export const OPEN: TriggerFilters = { ...NO_FILTERS, state: ["firing", "acknowledged"], historical: false };

type TriggerList = InfiniteData<Page<Trigger>, string | null>;

export function useTriggers(filters: TriggerFilters) {
  return useInfiniteQuery({
    queryKey: [LISTS, filters],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET("/api/v1/alert-triggers", {
          params: { query: { ...questionOf(filters), limit: PAGE_SIZE, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });
}

export function useTrigger(id: string) {
  return useQuery({
    queryKey: [ONE, id],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/alert-triggers/{trigger_id}", { params: { path: { trigger_id: id } }, signal }),
      ),
  });
}

export type TriggerAction = "acknowledge" | "resolve" | "reopen";

interface ActionInput {
  trigger: Trigger;
  action: TriggerAction;
  note?: string;
}

function act({ trigger, action, note }: ActionInput): Promise<Trigger> {
  const options = {
    params: { path: { trigger_id: trigger.id } },
    body: note === undefined || note === "" ? {} : { note },
  };
  switch (action) {
    case "acknowledge":
      return unwrap(api.POST("/api/v1/alert-triggers/{trigger_id}/acknowledge", options));
    case "resolve":
      return unwrap(api.POST("/api/v1/alert-triggers/{trigger_id}/resolve", options));
    case "reopen":
      return unwrap(api.POST("/api/v1/alert-triggers/{trigger_id}/reopen", options));
  }
}

/** Shown as done at once; a refusal puts the one trigger back as it was and nothing else. */
export function useTriggerAction(me: Person) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onMutate: async ({ trigger, action }) => {
      // An answer already on its way would show the state from before the click.
      await client.cancelQueries({ queryKey: [ONE, trigger.id] });
      applyTrigger(client, expected(trigger, action, me, new Date().toISOString()));
    },
    onSuccess: (trigger) => applyTrigger(client, trigger),
    onError: (_error, { trigger }) => rollBack(client, trigger),
    onSettled: (_answer, _error, { trigger }) => refreshTrigger(client, trigger.id),
  });
}

/** A few words in its history. */
export function useComment(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (note: string) =>
      unwrap(
        api.POST("/api/v1/alert-triggers/{trigger_id}/comment", {
          params: { path: { trigger_id: id } },
          body: { note },
        }),
      ),
    onSuccess: (trigger) => {
      applyTrigger(client, trigger);
      return refreshTrigger(client, id);
    },
  });
}

/** Whether it was worth it; null takes the mark back. */
export function useFeedback(trigger: Trigger) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (feedback: Feedback | null) =>
      unwrap(
        api.POST("/api/v1/alert-triggers/{trigger_id}/feedback", {
          params: { path: { trigger_id: trigger.id } },
          body: { feedback },
        }),
      ),
    onMutate: (feedback) => applyTrigger(client, { ...trigger, feedback }),
    onSuccess: (answer) => applyTrigger(client, answer),
    onError: () => rollBack(client, trigger),
    onSettled: () => refreshTrigger(client, trigger.id),
  });
}

/** Whose it is; null takes it back. */
export function useAssign(trigger: Trigger) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (person: Person | null) =>
      unwrap(
        api.POST("/api/v1/alert-triggers/{trigger_id}/assign", {
          params: { path: { trigger_id: trigger.id } },
          body: { user_id: person?.id ?? null },
        }),
      ),
    onMutate: (assigned_to) => applyTrigger(client, { ...trigger, assigned_to }),
    onSuccess: (answer) => applyTrigger(client, answer),
    onError: () => rollBack(client, trigger),
    onSettled: () => refreshTrigger(client, trigger.id),
  });
}

/** What the trigger will be, if the server agrees. The version stays: the server's answer wins. */
export function expected(trigger: Trigger, action: TriggerAction, me: Person, now: string): Trigger {
  switch (action) {
    case "acknowledge":
      return { ...trigger, state: "acknowledged", acknowledged_at: now, acknowledged_by: me };
    case "resolve":
      return { ...trigger, state: "resolved", resolved_at: now, resolved_by: me };
    case "reopen":
      return { ...trigger, state: "firing", resolved_at: null, resolved_by: null, resolution_reason: null };
  }
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
export function refreshTrigger(client: QueryClient, id: string): Promise<void> {
  return client.invalidateQueries({ queryKey: [ONE, id] });
}

/** The API reads an absent parameter as "any", an empty one as a mistake. */
export function questionOf(filters: TriggerFilters) {
  const { state, severity, type, framework, rule, from, to, historical } = filters;
  return {
    state: state as TriggerState[],
    severity: severity as Severity[],
    type: type as AlertType[],
    framework: framework || null,
    rule: rule || null,
    from: from || null,
    to: to || null,
    historical,
  };
}
