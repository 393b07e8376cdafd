import clsx from "clsx";
import type { Severity, TriggerDetail } from "@/api/types";
import { quantity } from "@/format/number";
import { title } from "@/format/words";
import { At } from "./time";

const severityDots: Record<Severity, string> = {
  critical: "bg-critical",
  warning: "bg-warning",
  info: "bg-info",
};
const dots: Record<string, string> = {
  acknowledged: "bg-accent",
  commented: "bg-accent",
  resolved: "bg-good",
  flapping: "bg-warning",
};

/** The author and the note say all there is to say about these. */
const OPENINGS = new Set(["opened", "reopened"]);
const BY_HAND = new Set(["commented", "assigned", "feedback"]);

/** Every change of a trigger, the first on top: it reads as a story. */
export function Timeline({ trigger, unit }: { trigger: TriggerDetail; unit: string }) {
  const told = trigger.transitions.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  return (
    <ol className="px-4 py-4">
      {told.map((transition) => (
        <li
          key={transition.id}
          className="relative flex gap-3 pb-5 last:pb-0 not-last:before:absolute not-last:before:top-4 not-last:before:bottom-0 not-last:before:left-[4.5px] not-last:before:w-px not-last:before:bg-line"
        >
          <span
            aria-hidden
            className={clsx(
              "mt-1.5 size-2.5 shrink-0 rounded-full",
              OPENINGS.has(transition.kind)
                ? severityDots[trigger.severity]
                : (dots[transition.kind] ?? "bg-line-strong"),
            )}
          />
          <div className="min-w-0 flex-1">
            <p className="flex flex-wrap items-baseline gap-x-2">
              <span className="font-medium">{title(transition.kind)}</span>
              {transition.author !== null && <span className="text-sm">by {transition.author.name}</span>}
              <At at={transition.at} className="ml-auto text-xs text-muted" />
            </p>
            {!BY_HAND.has(transition.kind) && (
              <p className="text-sm text-pretty text-muted">
                {sentence(transition.reason)}
                {transition.value !== null && ` at ${quantity(transition.value, unit)}`}
              </p>
            )}
            {transition.note !== "" && (
              <blockquote className="mt-1.5 border-l-2 border-line-strong pl-2.5 text-sm whitespace-pre-wrap">
                {transition.note}
              </blockquote>
            )}
          </div>
        </li>
      ))}
    </ol>
  );
}

/** Named reasons such as `held_for` are words too; whole sentences stay as they are. */
export function sentence(reason: string): string {
  return /\s/.test(reason) ? reason : title(reason);
}
