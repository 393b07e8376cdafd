import clsx from "clsx";
import { Link } from "react-router";
import type { Trigger } from "@/api/types";
import { useLive } from "@/app/live";
import { lasted } from "@/format/time";
import { ruleName } from "@/format/words";
import { SeverityIcon, StateBadge } from "./badges";
import { Ago } from "./time";

interface TriggerSummaryProps {
  trigger: Trigger;
  withFramework?: boolean;
}

/** A trigger in two short lines, where there is no room for the row. */
export function TriggerSummary({ trigger, withFramework = true }: TriggerSummaryProps) {
  const { fresh } = useLive();
  return (
    <li
      className={clsx(
        "relative flex items-start gap-3 border-b border-line px-4 py-2.5 last:border-b-0 hover:bg-sunken/50",
        fresh.has(trigger.id) && "animate-arrive",
      )}
    >
      <SeverityIcon severity={trigger.severity} className="mt-0.5" />
      <div className="min-w-0 flex-1">
        <Link to={`/alerts/${trigger.id}`} className="block truncate row-link text-sm font-medium">
          {ruleName(trigger)}
        </Link>
        <p className="truncate text-xs text-muted">
          {withFramework && `${trigger.framework_name} · `}
          <Ago at={trigger.opened_at} />
          {trigger.resolved_at !== null && ` · lasted ${lasted(trigger.opened_at, trigger.resolved_at)}`}
        </p>
      </div>
      <StateBadge state={trigger.state} severity={trigger.severity} />
    </li>
  );
}
