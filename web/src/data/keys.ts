/** API keys. */
import { useMutation } from "@tanstack/react-query";
import { call } from "@/api/client";

interface NewKey {
  id: string;
  key: string;
}

/** A key that may only push points; it is shown this once. */
export function useMakeIngestKey() {
  return useMutation({
    mutationFn: () =>
      call<NewKey>("/api-keys", { method: "POST", body: { name: "first points", scopes: ["ingest"] } }),
  });
}
