/** How a framework does: health, risk, and what its strategy is worth. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import { ApiError } from "@/api/problem";

export function useHealth(framework: string, days: 7 | 30) {
  return useQuery({
    queryKey: ["health", framework, days],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/frameworks/{framework}/health", {
          params: { path: { framework }, query: { days } },
          signal,
        }),
      ),
    staleTime: 60_000,
  });
}

export function useRisk(framework: string) {
  return useQuery({
    queryKey: ["risk", framework],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/api/v1/frameworks/{framework}/risk", { params: { path: { framework } }, signal })),
    staleTime: 60_000,
  });
}

const STRATEGY = "strategy";

export function useStrategyVersions(framework: string) {
  return useQuery({
    queryKey: [STRATEGY, framework, "versions"],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/frameworks/{framework}/strategy-versions", {
          params: { path: { framework }, query: { limit: 100 } },
          signal,
        }),
      ),
  });
}

export function useStrategyDiff(framework: string, number: number) {
  return useQuery({
    queryKey: [STRATEGY, framework, "diff", number],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/frameworks/{framework}/strategy-versions/{number}/diff", {
          params: { path: { framework, number } },
          signal,
        }),
      ),
  });
}

export function useStrategyScores(framework: string) {
  return useQuery({
    queryKey: [STRATEGY, framework, "scores"],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/frameworks/{framework}/strategy-scores", {
          params: { path: { framework }, query: { limit: 50 } },
          signal,
        }),
      ),
  });
}

/** A new version is judged by the rubric at once, so that there is something to talk about. */
export function useAddStrategyVersion(framework: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (body: { document: string; note: string }) => {
      const params = { path: { framework } };
      const version = await unwrap(
        api.POST("/api/v1/frameworks/{framework}/strategy-versions", { params, body }),
      );
      await unwrap(
        api.POST("/api/v1/frameworks/{framework}/strategy-scores", {
          params,
          body: { scored_by: "rubric", version: version.number, rationale: "" },
        }),
      ).catch((error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
      });
      return version;
    },
    onSettled: () => client.invalidateQueries({ queryKey: [STRATEGY, framework] }),
  });
}
