/** The in-app inbox and the ledger of who was told what, and why. */
import {
  type InfiniteData,
  type QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import type { InAppNotification, Inbox } from "@/api/types";

const INBOX = "inbox";
const UNREAD = "unread";
type InboxList = InfiniteData<Inbox, string | null>;

export function useInbox(unreadOnly: boolean) {
  return useInfiniteQuery({
    queryKey: [INBOX, { unreadOnly }],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET("/api/v1/notifications", {
          params: { query: { unread: unreadOnly, limit: 50, cursor: pageParam } },
          signal,
        }),
      ) as Promise<Inbox>,
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
}

export function useUnreadCount() {
  return useQuery({
    queryKey: [UNREAD],
    queryFn: async ({ signal }) =>
      (await unwrap(api.GET("/api/v1/notifications", { params: { query: { limit: 1 } }, signal }))).unread,
  });
}

/** Null: all of them. */
export function useMarkRead() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string | null) =>
      id === null
        ? unwrap<unknown>(api.POST("/api/v1/notifications/read-all"))
        : unwrap<unknown>(
            api.POST("/api/v1/notifications/{notification_id}/read", {
              params: { path: { notification_id: id } },
            }),
          ),
    onMutate: (id) => {
      const now = new Date().toISOString();
      const lists = client.getQueriesData<InboxList>({ queryKey: [INBOX] });
      const unread = client.getQueryData<number>([UNREAD]);
      client.setQueriesData<InboxList>({ queryKey: [INBOX] }, (list) =>
        mapItems(list, (item) =>
          id === null || item.id === id ? { ...item, read_at: item.read_at ?? now } : item,
        ),
      );
      if (unread !== undefined) client.setQueryData([UNREAD], id === null ? 0 : Math.max(0, unread - 1));
      return { lists, unread };
    },
    onError: (_error, _id, before) => {
      for (const [key, list] of before?.lists ?? []) client.setQueryData(key, list);
      client.setQueryData([UNREAD], before?.unread);
    },
    onSettled: () => client.invalidateQueries({ queryKey: [UNREAD] }),
  });
}

/** A notification that the stream brought. */
export function receiveNotification(client: QueryClient, notification: InAppNotification): void {
  let isNew = true;
  client.setQueriesData<InboxList>({ queryKey: [INBOX] }, (list) => {
    const [first, ...rest] = list?.pages ?? [];
    if (list === undefined || first === undefined) return list;
    if (list.pages.some((page) => page.items.some(({ id }) => id === notification.id))) {
      isNew = false;
      return list;
    }
    return { ...list, pages: [{ ...first, items: [notification, ...first.items] }, ...rest] };
  });
  if (!isNew) return;
  client.setQueryData<number>([UNREAD], (unread) => (unread === undefined ? unread : unread + 1));
}

/** Who was told of a trigger, who was not, and why. */
export function useLedger(trigger: string) {
  return useQuery({
    queryKey: ["ledger", trigger],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/api/v1/ledger", { params: { query: { trigger, limit: 200 } }, signal })),
  });
}

function mapItems(
  list: InboxList | undefined,
  change: (item: InAppNotification) => InAppNotification,
): InboxList | undefined {
  return list && { ...list, pages: list.pages.map((page) => ({ ...page, items: page.items.map(change) })) };
}
