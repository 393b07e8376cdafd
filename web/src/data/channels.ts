/** Where notifications can go. */
import { useQuery } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";

export function useChannels() {
  return useQuery({
    queryKey: ["channels"],
    queryFn: async ({ signal }) => (await unwrap(api.GET("/api/v1/channels", { signal }))).items,
    staleTime: 300_000,
  });
}
