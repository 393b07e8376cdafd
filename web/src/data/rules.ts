/** Alert rules. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import type { Rule, RuleInput } from "@/api/types";
import { allPages } from "./frameworks";

const RULES = "rules";

export function useRules(framework = "") {
  return useQuery({
    queryKey: [RULES, { framework }],
    queryFn: ({ signal }) =>
      allPages((page) =>
        unwrap(
          api.GET("/api/v1/alert-rules", {
            params: { query: { ...page, framework: framework === "" ? null : framework } },
            signal,
          }),
        ),
      ),
  });
}

export function useRule(id: string) {
  return useQuery({
    queryKey: [RULES, id],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/api/v1/alert-rules/{rule_id}", { params: { path: { rule_id: id } }, signal })),
    enabled: id !== "",
  });
}

export function useSaveRule(id: string | null) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (input: RuleInput) =>
      id === null
        ? unwrap(api.POST("/api/v1/alert-rules", { body: input }))
        : unwrap(
            api.PATCH("/api/v1/alert-rules/{rule_id}", { params: { path: { rule_id: id } }, body: input }),
          ),
    onSuccess: (rule) => {
      client.setQueryData([RULES, rule.id], rule);
      return client.invalidateQueries({ queryKey: [RULES] });
    },
  });
}

/** Switched at once, switched back if the server refuses. */
export function useEnableRule() {
  const client = useQueryClient();
  const set = (id: string, enabled: boolean) =>
    client.setQueriesData<Rule[]>({ queryKey: [RULES], predicate: isList }, (rules) =>
      rules?.map((rule) => (rule.id === id ? { ...rule, enabled } : rule)),
    );
  return useMutation({
    mutationFn: ({ rule, enabled }: { rule: Rule; enabled: boolean }) =>
      unwrap(
        api.PATCH("/api/v1/alert-rules/{rule_id}", {
          params: { path: { rule_id: rule.id } },
          body: { enabled },
        }),
      ),
    onMutate: ({ rule, enabled }) => set(rule.id, enabled),
    onError: (_error, { rule }) => set(rule.id, rule.enabled),
    onSettled: () => client.invalidateQueries({ queryKey: [RULES] }),
  });
}

export function useRemoveRule() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (rule_id: string) =>
      unwrap<unknown>(api.DELETE("/api/v1/alert-rules/{rule_id}", { params: { path: { rule_id } } })),
    // The lists, not the rule itself: its page would show for a moment that there is none.
    onSettled: () =>
      client.invalidateQueries({
        queryKey: [RULES],
        predicate: (query) => isList(query) || query.queryKey[1] === "file",
      }),
  });
}

export function useBringBackRule() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (rule_id: string) =>
      unwrap(api.POST("/api/v1/alert-rules/{rule_id}/undelete", { params: { path: { rule_id } } })),
    onSettled: () => client.invalidateQueries({ queryKey: [RULES] }),
  });
}

/** The rules as a YAML file, of one framework or of all. */
export function useRuleFile(framework = "") {
  return useQuery({
    queryKey: [RULES, "file", framework],
    queryFn: async ({ signal }) =>
      (await unwrap(
        api.GET("/api/v1/alert-rules/export", {
          params: { query: framework === "" ? {} : { framework } },
          parseAs: "text",
          signal,
        }),
      )) as string,
  });
}

/** What a file would change; nothing is written. */
export function usePlanRules() {
  return useMutation({
    mutationFn: (text: string) =>
      unwrap(
        api.POST("/api/v1/alert-rules/plan", { body: { files: [{ name: FILE, text }], orphans: "keep" } }),
      ),
  });
}

/** Carry out just that plan. */
export function useApplyRules() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ text, fingerprint }: { text: string; fingerprint: string }) =>
      unwrap(
        api.POST("/api/v1/alert-rules/apply", {
          body: { files: [{ name: FILE, text }], orphans: "keep", fingerprint },
        }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: [RULES] }),
  });
}

const FILE = "rules.yaml";

function isList({ queryKey }: { queryKey: readonly unknown[] }): boolean {
  return typeof queryKey[1] === "object";
}
