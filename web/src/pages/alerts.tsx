import { BellOff, ListChecks } from "lucide-react";
import { useMemo } from "react";
import { useSearchParams } from "react-router";
import type { Severity } from "@/api/types";
import { useMay } from "@/app/identity";
import { PageTitle } from "@/app/slots";
import { BulkBar } from "@/components/bulk-bar";
import { Empty, Failure } from "@/components/states";
import { TriggerActions } from "@/components/trigger-actions";
import { TriggerList } from "@/components/trigger-list";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Segmented } from "@/components/ui/segmented";
import { SkeletonRows } from "@/components/ui/skeleton";
import { useSelection } from "@/data/selection";
import { OPEN, useTriggers } from "@/data/triggers";
import { count } from "@/format/number";
import { byUrgency, SEVERITIES, title } from "@/format/words";

/** What is open now, worst first, as it happens. */
export default function AlertsPage() {
  const [parameters, setParameters] = useSearchParams();
  const severity = (parameters.get("severity") ?? "all") as Severity | "all";
  const open = useTriggers(OPEN);
  const triggers = useMemo(
    () => open.data?.pages.flatMap(({ items }) => items).sort(byUrgency) ?? [],
    [open.data],
  );
  const shown = severity === "all" ? triggers : triggers.filter((trigger) => trigger.severity === severity);
  const may = useMay("editor");
  const selection = useSelection(severity);
  const filters = useMemo(() => (severity === "all" ? OPEN : { ...OPEN, severity: [severity] }), [severity]);
  const firing = triggers.filter(({ state }) => state === "firing").length;
  const number = (of: Severity) => triggers.filter((trigger) => trigger.severity === of).length;
  const more = open.hasNextPage && !open.isFetchingNextPage ? () => void open.fetchNextPage() : undefined;

  return (
    <TriggerActions>
      <PageTitle waiting={firing}>Alerts</PageTitle>
      <div className="mb-4 flex flex-wrap items-center gap-3">
        <Segmented
          label="Severity"
          value={severity}
          onChange={(next) => setParameters(next === "all" ? {} : { severity: next }, { replace: true })}
          choices={[
            ["all", <Choice key="all" name="All" count={triggers.length} />] as const,
            ...SEVERITIES.map(
              (each) => [each, <Choice key={each} name={title(each)} count={number(each)} />] as const,
            ),
          ]}
        />
        {may && shown.length > 1 && (
          <Button
            size="sm"
            onClick={() =>
              selection.size === shown.length
                ? selection.clear()
                : selection.choose(shown.map(({ id }) => id))
            }
          >
            <ListChecks size={13} aria-hidden />
            {selection.size === shown.length ? "Choose none" : "Choose all"}
          </Button>
        )}
        <p className="ml-auto text-xs text-muted max-lg:hidden">
          <Key>j</Key> <Key>k</Key> move · <Key>x</Key> choose · <Key>a</Key> acknowledge · <Key>r</Key>{" "}
          resolve
        </p>
      </div>
      <Card>
        {open.isPending ? (
          <SkeletonRows />
        ) : open.isError ? (
          <Failure error={open.error} retry={() => void open.refetch()} />
        ) : shown.length === 0 ? (
          <Empty
            icon={BellOff}
            title={severity === "all" ? "Nothing is firing" : `Nothing ${severity} is firing`}
          >
            New alerts appear here the moment they open.
          </Empty>
        ) : (
          <>
            <BulkBar triggers={shown} filters={filters} selection={selection} more={open.hasNextPage} />
            <TriggerList
              triggers={shown}
              label="Open alerts"
              onEnd={more}
              withActions
              selection={may ? selection : undefined}
            />
          </>
        )}
      </Card>
    </TriggerActions>
  );
}

function Choice({ name, count: number }: { name: string; count: number }) {
  return (
    <>
      {name} <span className="numbers font-normal text-muted">{count(number)}</span>
    </>
  );
}

function Key({ children }: { children: string }) {
  return (
    <kbd className="rounded border border-line bg-surface px-1 font-mono text-2xs text-ink">{children}</kbd>
  );
}
