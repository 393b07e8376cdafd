import { ScrollText, ShieldCheck } from "lucide-react";
import { messageOf } from "@/api/problem";
import type { AuditEntry } from "@/api/types";
import { useMay } from "@/app/identity";
import { Empty, Failure } from "@/components/states";
import { At } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card, CardHeader } from "@/components/ui/card";
import { SkeletonRows } from "@/components/ui/skeleton";
import { say } from "@/components/ui/toast";
import { useAudit, useVerifyAudit } from "@/data/workspace";
import { count } from "@/format/number";
import { title } from "@/format/words";

const DID = { INSERT: "made", UPDATE: "changed", DELETE: "deleted" } as const;

export function Audit() {
  const owner = useMay("owner");
  return owner ? (
    <Trail />
  ) : (
    <Card>
      <Empty icon={ScrollText} title="Owners see the audit trail" />
    </Card>
  );
}

function Trail() {
  const audit = useAudit();
  const verify = useVerifyAudit();
  const entries = audit.data?.pages.flatMap(({ items }) => items) ?? [];
  const check = () =>
    verify.mutate(undefined, {
      onError: (error) => say(`Not checked: ${messageOf(error)}`, { bad: true }),
      onSuccess: ({ whole, entries: all, breaks }) =>
        whole
          ? say(`The chain of ${count(all)} entries is whole.`)
          : say(`The chain is broken at entry ${String(breaks[0]?.sequence)}.`, { bad: true }),
    });
  return (
    <Card>
      <CardHeader title="Audit trail" hint="Each entry is chained to the one before it">
        <Button size="sm" onClick={check} disabled={verify.isPending}>
          <ShieldCheck size={13} aria-hidden />
          {verify.isPending ? "Checking…" : "Check the chain"}
        </Button>
      </CardHeader>
      {audit.isPending ? (
        <SkeletonRows />
      ) : audit.isError ? (
        <Failure error={audit.error} retry={() => void audit.refetch()} />
      ) : (
        <ul>
          {entries.map((entry) => (
            <Entry key={entry.sequence} entry={entry} />
          ))}
        </ul>
      )}
      {audit.hasNextPage && (
        <div className="flex justify-center border-t border-line p-3">
          <Button onClick={() => void audit.fetchNextPage()} disabled={audit.isFetchingNextPage}>
            {audit.isFetchingNextPage ? "Loading…" : "Show older"}
          </Button>
        </div>
      )}
    </Card>
  );
}

function Entry({ entry }: { entry: AuditEntry }) {
  const who = typeof entry.user?.["name"] === "string" ? entry.user["name"] : nobody(entry);
  return (
    <li className="border-b border-line px-4 py-2.5 text-sm last:border-b-0">
      <details>
        <summary className="flex cursor-pointer flex-wrap items-baseline gap-x-3 rounded">
          <At at={entry.at} className="numbers text-xs text-muted" />
          <span>
            <span className="font-medium">{who}</span> {DID[entry.action]} {title(entry.table).toLowerCase()}
          </span>
          <span className="ml-auto truncate text-xs text-muted">{Object.keys(entry.change).join(", ")}</span>
        </summary>
        <pre tabIndex={0} className="mt-2 overflow-x-auto rounded-md bg-sunken p-3 font-mono text-xs">
          {JSON.stringify(entry.change, null, 2)}
        </pre>
      </details>
    </li>
  );
}

function nobody({ api_key_id, role }: AuditEntry): string {
  return api_key_id === null ? (role === "system" ? "Convex" : title(role)) : "An API key";
}
