/** What a rule would have done, while it is being written, and which settings would be better. */
import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { api, unwrap } from "@/api/client";
import type { Backtest, Rule, RuleInput, Tuning } from "@/api/types";
import { check, inputOf, type RuleDraft } from "./rule-draft";

/** Asked only once the typing has paused: each answer replays weeks of points. */
const PAUSE_MS = 600;

export const TRIAL_DAYS = 90;

/** The draft beside the saved rule, if there is one; nothing is asked while it is not complete. */
export function useBacktest(draft: RuleDraft, saved: Rule | undefined) {
  const asked = useMemo(() => {
    const named = draft.name.trim() === "" ? { ...draft, name: "New rule" } : draft;
    return Object.keys(check(named)).length > 0 ? null : JSON.stringify(trialOf(named, saved));
  }, [draft, saved]);
  const settled = useSettled(asked);
  return useQuery({
    queryKey: ["backtest", settled],
    queryFn: ({ signal }) =>
      // The client reads a pair as a list.
      unwrap(
        api.POST("/api/v1/alert-rules/backtest", {
          body: {
            rule: JSON.parse(settled ?? "") as RuleInput,
            days: TRIAL_DAYS,
            ...(saved !== undefined && { rule_id: saved.id }),
          },
          signal,
        }),
      ) as Promise<unknown> as Promise<Backtest>,
    enabled: settled !== null,
    placeholderData: keepPreviousData,
    retry: false,
    staleTime: 300_000,
  });
}

/** What the form does not show stays as it is saved. */
function trialOf(draft: RuleDraft, saved: Rule | undefined): RuleInput {
  const input = inputOf(draft);
  if (saved === undefined) return input;
  const { label_matchers, group_by, method, evaluation_offset } = saved;
  return {
    ...input,
    label_matchers: label_matchers as NonNullable<RuleInput["label_matchers"]>,
    group_by,
    evaluation_offset,
    ...(draft.type === "anomaly" &&
      saved.type === "anomaly" && { method: method as NonNullable<RuleInput["method"]> | null }),
  };
}

function useSettled(value: string | null): string | null {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

export function useTuning() {
  return useMutation({
    mutationFn: (rule_id: string) =>
      unwrap(
        api.POST("/api/v1/alert-rules/{rule_id}/tuning", {
          params: { path: { rule_id } },
          body: { days: 365 },
        }),
      ) as Promise<unknown> as Promise<Tuning>,
  });
}
