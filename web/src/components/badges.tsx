import clsx from "clsx";
import { BellRing, CircleCheck, Eye, Info, OctagonAlert, TriangleAlert } from "lucide-react";
import type { Severity, TriggerState } from "@/api/types";
import { title } from "@/format/words";

const icons = { critical: OctagonAlert, warning: TriangleAlert, info: Info } as const;
export const severityInk: Record<Severity, string> = {
  critical: "text-critical",
  warning: "text-warning",
  info: "text-info",
};
const severityTint: Record<Severity, string> = {
  critical: "bg-critical-tint text-critical-ink",
  warning: "bg-warning-tint text-warning-ink",
  info: "bg-info-tint text-info-ink",
};

/** Told by shape as well as by colour. */
export function SeverityIcon({
  severity,
  size = 16,
  className,
}: {
  severity: Severity;
  size?: number;
  className?: string;
}) {
  const Icon = icons[severity];
  return (
    <Icon
      size={size}
      role="img"
      aria-label={title(severity)}
      className={clsx("shrink-0", severityInk[severity], className)}
    />
  );
}

const badge = "inline-flex h-5.5 items-center gap-1 rounded-full px-2 text-xs font-medium whitespace-nowrap";

export function SeverityBadge({ severity }: { severity: Severity }) {
  const Icon = icons[severity];
  return (
    <span className={clsx(badge, severityTint[severity])}>
      <Icon size={12} aria-hidden />
      {title(severity)}
    </span>
  );
}

/** How many of a severity; nothing at all for none, so that zeros do not shout. */
export function SeverityCount({ severity, count }: { severity: Severity; count: number }) {
  if (count === 0) return null;
  const Icon = icons[severity];
  return (
    <span className={clsx(badge, "numbers", severityTint[severity])}>
      <Icon size={12} role="img" aria-label={title(severity)} />
      {count}
    </span>
  );
}

/** Firing wears its severity's colour; acknowledged is calm; resolved is good. */
export function StateBadge({ state, severity }: { state: TriggerState; severity: Severity }) {
  switch (state) {
    case "firing":
      return (
        <span className={clsx(badge, severityTint[severity])}>
          <BellRing size={12} aria-hidden />
          Firing
        </span>
      );
    case "acknowledged":
      return (
        <span className={clsx(badge, "bg-sunken text-ink")}>
          <Eye size={12} aria-hidden />
          Acknowledged
        </span>
      );
    case "resolved":
      return (
        <span className={clsx(badge, "bg-good-tint text-good-ink")}>
          <CircleCheck size={12} aria-hidden />
          Resolved
        </span>
      );
  }
}

export function Tag({ children, className }: { children: React.ReactNode; className?: string }) {
  return (
    <span
      className={clsx(
        "inline-flex h-5 items-center rounded bg-sunken px-1.5 text-2xs font-medium text-muted",
        className,
      )}
    >
      {children}
    </span>
  );
}
