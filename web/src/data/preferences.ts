/** What a member is told and how, and what the workspace gives those who chose nothing. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import type { Preferences, PreferencesChange } from "@/api/types";

export type Whose = "own" | "workspace";
const PREFERENCES = "preferences";

export function usePreferences(whose: Whose) {
  return useQuery({
    queryKey: [PREFERENCES, whose],
    queryFn: ({ signal }): Promise<Preferences> =>
      whose === "own"
        ? unwrap(api.GET("/api/v1/notification-preferences", { signal }))
        : unwrap(api.GET("/api/v1/notification-preferences/workspace", { signal })),
  });
}

/** `onSaved` is called even where the form has begun anew by then. */
export function useSavePreferences(whose: Whose, onSaved: () => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: PreferencesChange): Promise<Preferences> =>
      whose === "own"
        ? unwrap(api.PUT("/api/v1/notification-preferences", { body }))
        : unwrap(api.PUT("/api/v1/notification-preferences/workspace", { body })),
    onSuccess: (saved) => {
      client.setQueryData([PREFERENCES, whose], saved);
      onSaved();
    },
    // Those who have chosen nothing get what the workspace says.
    onSettled: () => client.invalidateQueries({ queryKey: [PREFERENCES] }),
  });
}

/** What the last 90 days would have been with other settings. */
export function useSimulation() {
  return useMutation({
    mutationFn: (preferences: PreferencesChange) =>
      unwrap(api.POST("/api/v1/notification-preferences/simulate", { body: { preferences, days: 90 } })),
  });
}
