/** What keeps alerts quiet: silences, hours of the week, and alerts that speak for others. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import type { InhibitionInput, Matcher, MuteWindowInput, Silence, SilenceInput } from "@/api/types";
import { allPages } from "./frameworks";

const MUTING = "muting";

export function useSilences() {
  return useQuery({
    queryKey: [MUTING, "silences"],
    queryFn: ({ signal }) =>
      allPages((query) => unwrap(api.GET("/api/v1/silences", { params: { query }, signal }))),
    refetchInterval: 60_000,
  });
}

export function useMuteWindows() {
  return useQuery({
    queryKey: [MUTING, "windows"],
    queryFn: ({ signal }) =>
      allPages((query) => unwrap(api.GET("/api/v1/mute-windows", { params: { query }, signal }))),
  });
}

export function useInhibitions() {
  return useQuery({
    queryKey: [MUTING, "inhibitions"],
    queryFn: ({ signal }) =>
      allPages((query) => unwrap(api.GET("/api/v1/inhibition-rules", { params: { query }, signal }))),
  });
}

function useChange<A, R>(change: (argument: A) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSettled: () => client.invalidateQueries({ queryKey: [MUTING] }),
  });
}

export function useSilence() {
  return useChange((body: SilenceInput) => unwrap(api.POST("/api/v1/silences", { body })));
}

/** What a silence would mute now. */
export function useSilencePreview(matchers: readonly Matcher[]) {
  return useQuery({
    queryKey: [MUTING, "preview", matchers],
    queryFn: ({ signal }) =>
      unwrap(api.POST("/api/v1/silences/preview", { body: { matchers: [...matchers] }, signal })),
    enabled: matchers.length > 0,
    retry: false,
  });
}

export function useEndSilence() {
  return useChange(({ id }: Silence) =>
    unwrap(
      api.PATCH("/api/v1/silences/{silence_id}", {
        params: { path: { silence_id: id } },
        body: { ends_at: new Date().toISOString() },
      }),
    ),
  );
}

export function useAddWindow() {
  return useChange((body: MuteWindowInput) => unwrap(api.POST("/api/v1/mute-windows", { body })));
}

export function useRemoveWindow() {
  return useChange((window_id: string) =>
    unwrap<unknown>(api.DELETE("/api/v1/mute-windows/{window_id}", { params: { path: { window_id } } })),
  );
}

export function useAddInhibition() {
  return useChange((body: InhibitionInput) => unwrap(api.POST("/api/v1/inhibition-rules", { body })));
}

export function useRemoveInhibition() {
  return useChange((inhibition_id: string) =>
    unwrap<unknown>(
      api.DELETE("/api/v1/inhibition-rules/{inhibition_id}", { params: { path: { inhibition_id } } }),
    ),
  );
}

export function useEnableWindow() {
  return useChange(({ id, enabled }: { id: string; enabled: boolean }) =>
    unwrap(
      api.PATCH("/api/v1/mute-windows/{window_id}", {
        params: { path: { window_id: id } },
        body: { enabled },
      }),
    ),
  );
}

export function useEnableInhibition() {
  return useChange(({ id, enabled }: { id: string; enabled: boolean }) =>
    unwrap(
      api.PATCH("/api/v1/inhibition-rules/{inhibition_id}", {
        params: { path: { inhibition_id: id } },
        body: { enabled },
      }),
    ),
  );
}
