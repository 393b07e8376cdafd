import { useWindowVirtualizer } from "@tanstack/react-virtual";
import clsx from "clsx";
import { type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from "react";
import { Link } from "react-router";
import type { Trigger } from "@/api/types";
import { useMay } from "@/app/identity";
import { useLive } from "@/app/live";
import { useUnits } from "@/data/frameworks";
import type { Selection } from "@/data/selection";
import { plural, quantity, tick } from "@/format/number";
import { lasted } from "@/format/time";
import { labelText, ruleName, title } from "@/format/words";
import { SeverityIcon, StateBadge } from "./badges";
import { Ago, useNow } from "./time";
import { ActionButtons, useTriggerActions } from "./trigger-actions";

interface TriggerListProps {
  triggers: readonly Trigger[];
  label: string;
  /** Called when the end comes into sight, if there is more. */
  onEnd?: (() => void) | undefined;
  withActions?: boolean;
  /** Rows can be chosen, for what is done to many at once. */
  selection?: Selection | undefined;
}

const ROW_HEIGHT = 65;

/** Thousands scroll as lightly as ten: only what is in sight exists. */
export function TriggerList({ triggers, label, onEnd, withActions = false, selection }: TriggerListProps) {
  const list = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop(list.current?.offsetTop ?? 0), []);
  const rows = useWindowVirtualizer({
    count: triggers.length,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (index) => triggers[index]?.id ?? index,
    overscan: 12,
    scrollMargin: top,
  });
  const items = rows.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? -1;
  useEffect(() => {
    if (lastShown >= triggers.length - 20) onEnd?.();
  }, [lastShown, triggers.length, onEnd]);
  const onKeyDown = useRowKeys(triggers, withActions, selection);
  const unitOf = useUnits();

  return (
    <ul
      ref={list}
      aria-label={label}
      className="relative"
      style={{ height: rows.getTotalSize() }}
      onKeyDown={onKeyDown}
    >
      {items.map(({ key, index, start }) => {
        const trigger = triggers[index];
        return trigger === undefined ? null : (
          <li
            key={key}
            ref={rows.measureElement}
            data-index={index}
            aria-setsize={triggers.length}
            aria-posinset={index + 1}
            className="absolute inset-x-0 top-0 border-b border-line last:border-b-0"
            style={{ transform: `translateY(${start - top}px)` }}
          >
            <TriggerRow
              trigger={trigger}
              unit={unitOf(trigger.framework_id, trigger.metric)}
              withActions={withActions}
              selection={selection}
            />
          </li>
        );
      })}
    </ul>
  );
}

export function TriggerRow({
  trigger,
  unit,
  withActions,
  selection,
}: {
  trigger: Trigger;
  unit: string;
  withActions: boolean;
  selection?: Selection | undefined;
}) {
  const { fresh } = useLive();
  const labels = labelText(trigger.labels);
  return (
    <div
      data-trigger={trigger.id}
      className={clsx(
        "group relative grid grid-cols-[auto_minmax(0,1fr)_auto] items-center gap-x-3 gap-y-1 px-4 py-3 hover:bg-sunken/50",
        withActions
          ? "lg:grid-cols-[auto_minmax(0,1fr)_9rem_7.5rem_5.5rem_13.5rem]"
          : "lg:grid-cols-[auto_minmax(0,1fr)_10rem_8rem_8rem]",
        fresh.has(trigger.id) && "animate-arrive",
        selection?.has(trigger.id) === true && "bg-accent-tint/50",
      )}
    >
      <span className="flex items-center gap-3 self-start max-lg:mt-0.5 lg:self-center">
        {selection !== undefined && (
          <input
            type="checkbox"
            aria-label={`Choose ${trigger.rule_name} of ${trigger.framework_name}`}
            checked={selection.has(trigger.id)}
            onChange={() => selection.toggle(trigger.id)}
            className="relative z-1 size-4 accent-accent after:absolute after:-inset-2.5"
          />
        )}
        <SeverityIcon severity={trigger.severity} />
      </span>
      <div className="min-w-0">
        <p className="flex min-w-0 items-baseline gap-2">
          <Link to={`/alerts/${trigger.id}`} className="truncate row-link font-medium">
            {ruleName(trigger)}
          </Link>
          {trigger.repeat_count > 0 && (
            <span
              className="numbers shrink-0 text-xs text-muted"
              title={`It fired again ${plural(trigger.repeat_count, "time")} while it was open`}
            >
              ×{trigger.repeat_count + 1}
            </span>
          )}
        </p>
        <p className="truncate text-sm text-muted">
          <span className="text-ink/80">{trigger.framework_name}</span> ·{" "}
          {title(trigger.metric || "all metrics")}
          {labels !== "" && ` · ${labels}`}
          {trigger.reason !== "" && <span className="max-sm:hidden"> · {trigger.reason}</span>}
        </p>
      </div>
      <p className="numbers truncate text-right text-sm max-lg:hidden">
        <span className="font-medium">
          {trigger.threshold === null ? quantity(trigger.value, unit) : tick(trigger.value, unit)}
        </span>
        {trigger.threshold !== null && (
          <span className="text-muted"> / {quantity(trigger.threshold, unit)}</span>
        )}
      </p>
      <div className="max-lg:justify-self-end">
        <StateBadge state={trigger.state} severity={trigger.severity} />
      </div>
      <p className="text-sm text-muted max-lg:col-start-2 max-lg:col-end-3 lg:text-right">
        <Ago at={trigger.opened_at} />
        <Lasted trigger={trigger} />
      </p>
      {withActions && (
        <div className="relative flex justify-end gap-1.5 max-lg:col-span-full max-lg:justify-start max-lg:pl-7">
          <ActionButtons trigger={trigger} />
        </div>
      )}
    </div>
  );
}

function Lasted({ trigger }: { trigger: Trigger }) {
  const now = useNow();
  const text = lasted(trigger.opened_at, trigger.resolved_at ?? now);
  return trigger.state === "resolved" ? (
    <span className="block text-xs max-lg:inline max-lg:before:content-['_·_']">lasted {text}</span>
  ) : null;
}

/** j and k walk the rows, x chooses, a acknowledges and r resolves the one in focus. */
function useRowKeys(triggers: readonly Trigger[], withActions: boolean, selection: Selection | undefined) {
  const { acknowledge, resolve } = useTriggerActions();
  const may = useMay("editor") && withActions;
  return (event: KeyboardEvent<HTMLUListElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = (event.target as Element).closest("li");
    if (row === null) return;
    const trigger = triggers[Number(row.dataset["index"])];
    const focus = (sibling: Element | null) => sibling?.querySelector("a")?.focus();
    if (event.key === "j") focus(row.nextElementSibling);
    else if (event.key === "k") focus(row.previousElementSibling);
    else if (event.key === "x" && selection !== undefined && trigger !== undefined)
      selection.toggle(trigger.id);
    else if (event.key === "a" && may && trigger?.state === "firing") acknowledge(trigger);
    else if (event.key === "r" && may && trigger !== undefined && trigger.state !== "resolved")
      resolve(trigger);
    else return;
    event.preventDefault();
  };
}
