/** Whether the data can be trusted, where it comes from, and what was not taken. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import type { SourceInput } from "@/api/types";

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

function useSourceChange<A, R>(change: (argument: A) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSettled: () => client.invalidateQueries({ queryKey: ["sources"] }),
  });
}

export function useAddSource() {
  return useSourceChange((body: SourceInput) => unwrap(api.POST("/api/v1/sources", { body })));
}

export function useEnableSource() {
  return useSourceChange(({ id, enabled }: { id: string; enabled: boolean }) =>
    unwrap(
      api.PATCH("/api/v1/sources/{source_id}", {
        params: { path: { source_id: id } },
        body: { enabled },
      }),
    ),
  );
}

export function useRemoveSource() {
  return useSourceChange((source_id: string) =>
    unwrap<unknown>(api.DELETE("/api/v1/sources/{source_id}", { params: { path: { source_id } } })),
  );
}

export function useRunSource() {
  return useSourceChange((source_id: string) =>
    unwrap(api.POST("/api/v1/sources/{source_id}/run", { params: { path: { source_id } } })),
  );
}
