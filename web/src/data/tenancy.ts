/** All of the workspace: as files to take along, and its end. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import type { Export, ExportForm } from "@/api/types";
import { download } from "./download";

const WORKSPACE = "workspace";
const EXPORTS = "exports";
const AT_WORK_MS = 2_000;
const RARELY_MS = 300_000;

const at = (workspace_id: string) => ({ path: { workspace_id } });

/** As it is now; no live event tells of another owner who deletes it, so it is asked for now and then. */
export function useWorkspace(id: string) {
  return useQuery({
    queryKey: [WORKSPACE, id],
    queryFn: ({ signal }) => unwrap(api.GET("/api/v1/workspaces/{workspace_id}", { params: at(id), signal })),
    refetchInterval: RARELY_MS,
    refetchOnWindowFocus: true,
  });
}

export function isUnderway({ state }: Pick<Export, "state">): boolean {
  return state === "requested" || state === "running";
}

/** The newest ones. */
export function useExports(id: string) {
  return useQuery({
    queryKey: [EXPORTS, id],
    queryFn: async ({ signal }) =>
      (await unwrap(api.GET("/api/v1/workspaces/{workspace_id}/exports", { params: at(id), signal }))).items,
    refetchInterval: ({ state }) => (state.data?.some(isUnderway) === true ? AT_WORK_MS : false),
  });
}

function useChange<A, R>(key: string, change: (argument: A) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSettled: () => client.invalidateQueries({ queryKey: [key] }),
  });
}

export function useAskExport(id: string) {
  return useChange(EXPORTS, (format: ExportForm) =>
    unwrap(api.POST("/api/v1/workspaces/{workspace_id}/exports", { params: at(id), body: { format } })),
  );
}

export function useSaveExport(id: string, slug: string) {
  return useMutation({
    mutationFn: (one: Export) =>
      download(
        `/api/v1/workspaces/${id}/exports/${one.id}/file`,
        `${slug}-${one.requested_at.slice(0, 10)}.zip`,
      ),
  });
}

export function useDeleteWorkspace(id: string) {
  return useChange(WORKSPACE, (body: { slug: string; password: string | null }) =>
    unwrap(api.POST("/api/v1/workspaces/{workspace_id}/deletion", { params: at(id), body })),
  );
}

/** Undo the deletion. */
export function useKeepWorkspace(id: string) {
  return useChange(WORKSPACE, () =>
    unwrap(api.DELETE("/api/v1/workspaces/{workspace_id}/deletion", { params: at(id) })),
  );
}
