import clsx from "clsx";
import type { HealthStatus } from "@/api/types";
import { title } from "@/format/words";

const inks: Record<HealthStatus, string> = {
  excellent: "bg-good-tint text-good-ink",
  good: "bg-good-tint text-good-ink",
  fair: "bg-warning-tint text-warning-ink",
  poor: "bg-critical-tint text-critical-ink",
  unknown: "bg-sunken text-muted",
};

/** A health score with its status; unknown is a status, never a number. */
export function HealthBadge({ score, status }: { score: number | null; status: HealthStatus }) {
  return (
    <span
      title={`Health: ${status}`}
      className={clsx(
        "numbers inline-flex h-5.5 items-center rounded-full px-2 text-xs font-medium",
        inks[status],
      )}
    >
      <span className="sr-only">Health </span>
      {score === null ? title(status) : Math.round(score)}
      {score !== null && <span className="sr-only">, {status}</span>}
    </span>
  );
}

/** 0 to 100: the higher, the more there is to lose. */
export function RiskBadge({ score }: { score: number }) {
  const ink =
    score >= 60
      ? "bg-critical-tint text-critical-ink"
      : score >= 25
        ? "bg-warning-tint text-warning-ink"
        : "bg-sunken text-muted";
  return (
    <span
      title="Risk, 0 to 100"
      className={clsx("numbers inline-flex h-5.5 items-center rounded-full px-2 text-xs font-medium", ink)}
    >
      Risk {Math.round(score)}
    </span>
  );
}
