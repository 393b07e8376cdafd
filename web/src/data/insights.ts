/** What the figures mean, in words with their facts, and what could be done. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import type { Insight, Recommendation } from "@/api/types";

const INSIGHTS = "insights";
const RECOMMENDATIONS = "recommendations";

export function useInsights() {
  return useInfiniteQuery({
    queryKey: [INSIGHTS],
    queryFn: ({ pageParam, signal }) =>
      unwrap(api.GET("/api/v1/insights", { params: { query: { limit: 10, cursor: pageParam } }, signal })),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
}

export function useFrameworkInsights(framework: string) {
  return useQuery({
    queryKey: [INSIGHTS, framework],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/frameworks/{framework}/insights", {
          params: { path: { framework }, query: { limit: 5 } },
          signal,
        }),
      ),
  });
}

function useWrite<A>(write: (argument: A) => Promise<Insight>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: write,
    onSuccess: () => client.invalidateQueries({ queryKey: [INSIGHTS] }),
  });
}

export function useWriteInsight(framework: string) {
  return useWrite((kind: "framework" | "strategy") =>
    unwrap(
      api.POST("/api/v1/frameworks/{framework}/insights", {
        params: { path: { framework } },
        body: { kind },
      }),
    ),
  );
}

export function useWriteDigest() {
  return useWrite<void>(() => unwrap(api.POST("/api/v1/insights/digest")));
}

export function useAsk() {
  return useWrite((question: string) => unwrap(api.POST("/api/v1/insights/ask", { body: { question } })));
}

export function useExplain() {
  return useWrite((trigger_id: string) =>
    unwrap(api.POST("/api/v1/alert-triggers/{trigger_id}/explain", { params: { path: { trigger_id } } })),
  );
}

export function useInsightFeedback() {
  return useWrite(({ id, feedback }: { id: string; feedback: Insight["feedback"] }) =>
    unwrap(
      api.POST("/api/v1/insights/{insight_id}/feedback", {
        params: { path: { insight_id: id } },
        body: { feedback },
      }),
    ),
  );
}

export function useRecommendations(state: Recommendation["state"]) {
  return useQuery({
    queryKey: [RECOMMENDATIONS, state],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/recommendations", { params: { query: { state: [state], limit: 100 } }, signal }),
      ),
  });
}

export type Decision = "accept" | "done" | "undo";

export function useDecide() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, decision }: { id: string; decision: Decision }) => {
      const params = { params: { path: { recommendation_id: id } } };
      switch (decision) {
        case "accept":
          return unwrap(
            api.POST("/api/v1/recommendations/{recommendation_id}/accept", { ...params, body: { note: "" } }),
          );
        case "done":
          return unwrap(
            api.POST("/api/v1/recommendations/{recommendation_id}/done", { ...params, body: { note: "" } }),
          );
        case "undo":
          return unwrap(api.POST("/api/v1/recommendations/{recommendation_id}/undo", params));
      }
    },
    onSettled: () => client.invalidateQueries({ queryKey: [RECOMMENDATIONS] }),
  });
}

export function useDismiss() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, reason }: { id: string; reason: string }) =>
      unwrap(
        api.POST("/api/v1/recommendations/{recommendation_id}/dismiss", {
          params: { path: { recommendation_id: id } },
          body: { reason },
        }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: [RECOMMENDATIONS] }),
  });
}
