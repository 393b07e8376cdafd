import { BookOpenText, PenLine } from "lucide-react";
import { messageOf } from "@/api/problem";
import { useMay } from "@/app/identity";
import { InsightCard } from "@/components/insights/insight-card";
import { Empty, Failure } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { SkeletonRows } from "@/components/ui/skeleton";
import { say } from "@/components/ui/toast";
import { useFrameworkInsights, useWriteInsight } from "@/data/insights";

export function FrameworkInsights({ framework }: { framework: string }) {
  const insights = useFrameworkInsights(framework);
  const write = useWriteInsight(framework);
  const may = useMay("editor");
  return (
    <div className="mx-auto flex w-full max-w-4xl flex-col gap-4">
      {may && (
        <Button
          className="self-end"
          disabled={write.isPending}
          onClick={() =>
            write.mutate("framework", {
              onError: (error) => say(`Not written: ${messageOf(error)}`, { bad: true }),
            })
          }
        >
          <PenLine size={14} aria-hidden />
          {write.isPending ? "Writing…" : "Write one now"}
        </Button>
      )}
      {insights.isPending ? (
        <SkeletonRows />
      ) : insights.isError ? (
        <Card>
          <Failure error={insights.error} retry={() => void insights.refetch()} />
        </Card>
      ) : insights.data.items.length === 0 ? (
        <Card>
          <Empty icon={BookOpenText} title="Nothing written yet">
            Every morning there is one; each number in it opens the fact behind it.
          </Empty>
        </Card>
      ) : (
        insights.data.items.map((insight) => <InsightCard key={insight.id} insight={insight} />)
      )}
    </div>
  );
}
