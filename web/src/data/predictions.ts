/** What is likely to fire, and how good such sayings were. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";

export const PREDICTIONS = "predictions";

export function usePredictions(framework = "") {
  return useQuery({
    queryKey: [PREDICTIONS, framework],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/predictions", {
          params: { query: { limit: 200, ...(framework !== "" && { framework }) } },
          signal,
        }),
      ),
    staleTime: 300_000,
  });
}

const SHOWN = 5;

/** The riskiest ones that are still ahead, for where there is little room. */
export function useRiskiest() {
  return useQuery({
    queryKey: [PREDICTIONS, "riskiest"],
    queryFn: async ({ signal }) =>
      (await unwrap(api.GET("/api/v1/predictions", { params: { query: { limit: 40 } }, signal }))).items
        .filter(({ verified_at }) => verified_at === null)
        .toSorted((a, b) => b.risk_score - a.risk_score)
        .slice(0, SHOWN),
    staleTime: 300_000,
  });
}

export function useScorecard() {
  return useQuery({
    queryKey: [PREDICTIONS, "scorecard"],
    queryFn: ({ signal }) => unwrap(api.GET("/api/v1/predictions/scorecard", { signal })),
    staleTime: 300_000,
  });
}

export function usePredictNow() {
  return useMutation({ mutationFn: () => unwrap(api.POST("/api/v1/predictions")) });
}

export function useNoteAction() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, action }: { id: string; action: string }) =>
      unwrap(
        api.POST("/api/v1/predictions/{prediction_id}/actions", {
          params: { path: { prediction_id: id } },
          body: { action, note: "" },
        }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: [PREDICTIONS] }),
  });
}
