import { SearchX } from "lucide-react";
import { useCallback, useMemo } from "react";
import { useSearchParams } from "react-router";
import { useMay } from "@/app/identity";
import { PageTitle } from "@/app/slots";
import { BulkBar } from "@/components/bulk-bar";
import { HistoryFilters } from "@/components/history-filters";
import { Empty, Failure } from "@/components/states";
import { TriggerActions } from "@/components/trigger-actions";
import { TriggerList } from "@/components/trigger-list";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { SkeletonRows } from "@/components/ui/skeleton";
import { useSelection } from "@/data/selection";
import { fromParameters, toParameters, type TriggerFilters } from "@/data/trigger-filters";
import { useTriggers } from "@/data/triggers";

/** Everything that ever fired; the filters are the address, so that a view can be sent to somebody. */
export default function HistoryPage() {
  const [parameters, setParameters] = useSearchParams();
  const filters = useMemo(() => fromParameters(parameters), [parameters]);
  const change = useCallback(
    (next: TriggerFilters) => setParameters(toParameters(next), { replace: true }),
    [setParameters],
  );
  const may = useMay("editor");
  const selection = useSelection(parameters.toString());
  const list = useTriggers(filters);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const triggers = useMemo(() => list.data?.pages.flatMap(({ items }) => items) ?? [], [list.data]);
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  return (
    <TriggerActions>
      <PageTitle>History</PageTitle>
      <HistoryFilters filters={filters} onChange={change} />
      <Card className={list.isPlaceholderData ? "opacity-60 transition-opacity" : ""}>
        {list.isPending ? (
          <SkeletonRows rows={10} />
        ) : list.isError ? (
          <Failure error={list.error} retry={() => void list.refetch()} />
        ) : triggers.length === 0 ? (
          <Empty icon={SearchX} title="Nothing matches">
            <p>No alert fits these filters.</p>
            <Button className="mt-4" onClick={() => setParameters({}, { replace: true })}>
              Clear filters
            </Button>
          </Empty>
        ) : (
          <>
            <BulkBar triggers={triggers} filters={filters} selection={selection} more={hasNextPage} />
            <TriggerList
              triggers={triggers}
              label="Alert history"
              onEnd={more}
              selection={may ? selection : undefined}
            />
          </>
        )}
      </Card>
      <p role="status" className="h-8 pt-3 text-center text-xs text-muted">
        {isFetchingNextPage ? "Loading more…" : triggers.length > 0 && !hasNextPage ? "That is all." : ""}
      </p>
    </TriggerActions>
  );
}
