import { Hourglass } from "lucide-react";
import { messageOf } from "@/api/problem";
import { At, useNow, useZone } from "@/components/time";
import { Button } from "@/components/ui/button";
import { say } from "@/components/ui/toast";
import { useKeepWorkspace, useWorkspace } from "@/data/tenancy";
import { useIdentity, useMay } from "./identity";

/** On every page, for everybody, while the workspace waits for its deletion. */
export function Ending() {
  const { workspace } = useIdentity();
  const owner = useMay("owner");
  const zone = useZone();
  const now = useNow();
  const at = useWorkspace(workspace.id).data?.purge_at ?? null;
  const keep = useKeepWorkspace(workspace.id);
  if (at === null) return null;
  const due = Date.parse(at) <= now;
  const undo = () =>
    keep.mutate(undefined, {
      onError: (error) => say(`Not undone: ${messageOf(error)}`, { bad: true }),
      onSuccess: () => say("The workspace stays."),
    });
  return (
    <section
      aria-label="The workspace's deletion"
      className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-line bg-critical-tint px-4 py-2 text-sm text-critical-ink md:px-6"
    >
      <Hourglass size={16} aria-hidden className="shrink-0" />
      <p className="min-w-0 flex-1 basis-60">
        {due ? (
          `${workspace.name} is being deleted.`
        ) : (
          <>
            {workspace.name} will be deleted with all of its data on <At at={at} className="font-medium" /> (
            {zone}).{!owner && " An owner can undo it."}
          </>
        )}
      </p>
      {owner && !due && (
        <Button size="sm" onClick={undo} disabled={keep.isPending}>
          {keep.isPending ? "Undoing…" : "Undo the deletion"}
        </Button>
      )}
    </section>
  );
}
