/** Whether the data can be trusted, where it comes from, and what was not taken. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";

export function useQualityRuns() {
  return useQuery({
    queryKey: ["quality", "runs"],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/api/v1/quality/runs", { params: { query: { limit: 30 } }, signal })),
    staleTime: 60_000,
  });
}

export function useDistrusted() {
  return useQuery({
    queryKey: ["quality", "distrusted"],
    queryFn: ({ signal }) => unwrap(api.GET("/api/v1/quality/distrusted", { signal })),
    staleTime: 60_000,
  });
}

export function useRejected() {
  return useQuery({
    queryKey: ["quality", "rejected"],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/api/v1/rejected-points", { params: { query: { limit: 50 } }, signal })),
  });
}

export function useSources() {
  return useQuery({
    queryKey: ["sources"],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/api/v1/sources", { params: { query: { limit: 200 } }, signal })),
    refetchInterval: 30_000,
  });
}

export function useRunSource() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (source_id: string) =>
      unwrap(api.POST("/api/v1/sources/{source_id}/run", { params: { path: { source_id } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ["sources"] }),
  });
}
