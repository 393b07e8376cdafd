/** Who belongs to the workspace, the keys of programs, and what was changed by whom. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import type { KeyScope, Member, Role } from "@/api/types";
import { allPages } from "./frameworks";

const MEMBERS = "members";
const KEYS = "keys";

export function useMembers() {
  return useQuery({
    queryKey: [MEMBERS],
    queryFn: ({ signal }) =>
      allPages((query) => unwrap(api.GET("/api/v1/members", { params: { query }, signal }))),
  });
}

function useChange<A, R>(key: string, change: (argument: A) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSettled: () => client.invalidateQueries({ queryKey: [key] }),
  });
}

export function useAddMember() {
  return useChange(MEMBERS, async (body: { email: string; name: string; role: Role }) => {
    const member = await unwrap(api.POST("/api/v1/members", { body }));
    return { member, invitation: await inviteLink(member.id).catch(() => null) };
  });
}

function inviteLink(user_id: string) {
  return unwrap(api.POST("/api/v1/members/{user_id}/invitation", { params: { path: { user_id } } }));
}

export function useInvite() {
  return useMutation({ mutationFn: (member: Member) => inviteLink(member.id) });
}

export function useChangeRole() {
  return useChange(MEMBERS, ({ id, role }: { id: string; role: Role }) =>
    unwrap(api.PATCH("/api/v1/members/{user_id}", { params: { path: { user_id: id } }, body: { role } })),
  );
}

export function useRemoveMember() {
  return useChange(MEMBERS, (user_id: string) =>
    unwrap(api.DELETE("/api/v1/members/{user_id}", { params: { path: { user_id } } })),
  );
}

export function useKeys(enabled: boolean) {
  return useQuery({
    queryKey: [KEYS],
    queryFn: ({ signal }) =>
      allPages((query) => unwrap(api.GET("/api/v1/api-keys", { params: { query }, signal }))),
    enabled,
  });
}

/** The answer holds the key itself, which is shown only then. */
export function useMakeKey() {
  return useChange(KEYS, (body: { name: string; scopes: KeyScope[] }) =>
    unwrap(api.POST("/api/v1/api-keys", { body })),
  );
}

export function useRevokeKey() {
  return useChange(KEYS, (key_id: string) =>
    unwrap(api.DELETE("/api/v1/api-keys/{key_id}", { params: { path: { key_id } } })),
  );
}

export function useAudit() {
  return useInfiniteQuery({
    queryKey: ["audit"],
    queryFn: ({ pageParam, signal }) =>
      unwrap(api.GET("/api/v1/audit", { params: { query: { limit: 50, cursor: pageParam } }, signal })),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
}

export function useVerifyAudit() {
  return useMutation({ mutationFn: () => unwrap(api.GET("/api/v1/audit/verify")) });
}
