/** How Convex itself is: its health, what waits, how the cache does, who is talked to. */
import { useQuery } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import { readExposition } from "./exposition";

const EVERY_MS = 15_000;

export function useSystemHealth() {
  return useQuery({
    queryKey: ["system", "health"],
    queryFn: ({ signal }) => unwrap(api.GET("/api/v1/system/health", { signal })),
    refetchInterval: EVERY_MS,
  });
}

export function useQueues() {
  return useQuery({
    queryKey: ["system", "queues"],
    queryFn: ({ signal }) => unwrap(api.GET("/api/v1/system/queues", { signal })),
    refetchInterval: EVERY_MS,
  });
}

export function useCacheReport() {
  return useQuery({
    queryKey: ["system", "cache"],
    queryFn: ({ signal }) => unwrap(api.GET("/api/v1/system/cache", { signal })),
    refetchInterval: 4 * EVERY_MS,
  });
}

export function useIntegrations() {
  return useQuery({
    queryKey: ["system", "integrations"],
    queryFn: ({ signal }) => unwrap(api.GET("/api/v1/system/integrations", { signal })),
    refetchInterval: 4 * EVERY_MS,
  });
}

export function useOwnMetrics() {
  return useQuery({
    queryKey: ["system", "metrics"],
    queryFn: async ({ signal }) => (await unwrap(api.GET("/metrics", { parseAs: "text", signal }))) as string,
    select: readExposition,
    refetchInterval: EVERY_MS,
  });
}
