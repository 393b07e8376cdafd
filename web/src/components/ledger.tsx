import clsx from "clsx";
import { MailX } from "lucide-react";
import type { LedgerRow } from "@/api/types";
import { useLedger } from "@/data/notifications";
import { title } from "@/format/words";
import { Empty, Failure } from "./states";
import { Ago } from "./time";
import { SkeletonRows } from "./ui/skeleton";

/** Each planned message of a trigger with the reason for sending, or for not sending, it. */
export function Ledger({ trigger }: { trigger: string }) {
  const ledger = useLedger(trigger);
  if (ledger.isPending) return <SkeletonRows rows={3} className="h-10" />;
  if (ledger.isError) return <Failure error={ledger.error} retry={() => void ledger.refetch()} />;
  if (ledger.data.items.length === 0) {
    return (
      <Empty icon={MailX} title="Nobody was told">
        No notification was planned for this alert.
      </Empty>
    );
  }
  return (
    <ul>
      {ledger.data.items.map((row) => (
        <li key={row.id} className="flex items-start gap-3 border-b border-line px-4 py-2.5 last:border-b-0">
          <div className="min-w-0 flex-1">
            <p className="truncate text-sm">
              <span className="font-medium">{row.recipient?.name ?? row.channel ?? "Nobody"}</span>
              <span className="text-muted">
                {row.recipient !== null && row.channel !== null ? ` by ${row.channel}` : ""}
                {row.recipient === null && row.channel_kind !== null ? ` (${row.channel_kind})` : ""}
              </span>
              {row.step > 0 && <span className="text-muted"> · escalation {row.step}</span>}
            </p>
            <p className="text-sm text-pretty text-muted">
              {row.explanation !== "" ? row.explanation : title(row.reason)}
            </p>
          </div>
          <div className="text-right">
            <span
              className={clsx(
                "inline-block rounded-full px-2 text-xs leading-5.5 font-medium whitespace-nowrap",
                look(row),
              )}
            >
              {title(row.state)}
            </span>
            <p className="mt-0.5 text-xs text-muted">
              <Ago at={row.delivered_at ?? row.due_at ?? row.created_at} />
            </p>
          </div>
        </li>
      ))}
    </ul>
  );
}

function look({ state }: LedgerRow): string {
  if (state === "delivered") return "bg-good-tint text-good-ink";
  if (state === "failed") return "bg-critical-tint text-critical-ink";
  return state === "due" ? "bg-info-tint text-info-ink" : "bg-sunken text-ink";
}
