/** Patterns in when alerts fire. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";

const PATTERNS = "patterns";

export function usePatterns(framework: string) {
  return useQuery({
    queryKey: [PATTERNS, framework],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/patterns", {
          params: { query: { limit: 200, ...(framework !== "" && { framework }) } },
          signal,
        }),
      ),
    staleTime: 300_000,
  });
}

export function usePattern(pattern_id: string) {
  return useQuery({
    queryKey: [PATTERNS, "one", pattern_id],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/api/v1/patterns/{pattern_id}", { params: { path: { pattern_id } }, signal })),
  });
}

export function usePatternTriggers(pattern_id: string) {
  return useQuery({
    queryKey: [PATTERNS, "triggers", pattern_id],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/patterns/{pattern_id}/triggers", {
          params: { path: { pattern_id }, query: { limit: 50 } },
          signal,
        }),
      ),
  });
}

export function useLookForPatterns() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => unwrap(api.POST("/api/v1/patterns")),
    onSuccess: () => client.invalidateQueries({ queryKey: [PATTERNS] }),
  });
}
