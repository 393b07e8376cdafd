/** API keys. */
import { useMutation } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";

/** A key that may only push points; it is shown this once. */
export function useMakeIngestKey() {
  return useMutation({
    mutationFn: () =>
      unwrap(api.POST("/api/v1/api-keys", { body: { name: "first points", scopes: ["ingest"] } })),
  });
}
