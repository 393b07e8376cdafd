/** Where notifications can go, and how well that works. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import type { Channel, ChannelInput } from "@/api/types";

const CHANNELS = "channels";

export function useChannels() {
  return useQuery({
    queryKey: [CHANNELS],
    queryFn: async ({ signal }) => (await unwrap(api.GET("/api/v1/channels", { signal }))).items,
    staleTime: 300_000,
  });
}

export function useChannelHealth() {
  return useQuery({
    queryKey: [CHANNELS, "health"],
    queryFn: async ({ signal }) => (await unwrap(api.GET("/api/v1/channels/health", { signal }))).items,
    refetchInterval: 30_000,
  });
}

function useChange<A, R>(change: (argument: A) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSettled: () => client.invalidateQueries({ queryKey: [CHANNELS] }),
  });
}

export function useAddChannel() {
  return useChange((body: ChannelInput) => unwrap(api.POST("/api/v1/channels", { body })));
}

export function useEnableChannel() {
  return useChange(({ channel, enabled }: { channel: Channel; enabled: boolean }) =>
    unwrap(
      api.PATCH("/api/v1/channels/{channel_id}", {
        params: { path: { channel_id: channel.id } },
        body: { enabled },
      }),
    ),
  );
}

export function useRemoveChannel() {
  return useChange((channel_id: string) =>
    unwrap(api.DELETE("/api/v1/channels/{channel_id}", { params: { path: { channel_id } } })),
  );
}

export function useTestChannel() {
  return useChange((channel_id: string) =>
    unwrap(api.POST("/api/v1/channels/{channel_id}/test", { params: { path: { channel_id } } })),
  );
}
