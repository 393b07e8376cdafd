import { BookOpenText, PenLine, Search } from "lucide-react";
import { messageOf } from "@/api/problem";
import { useMay } from "@/app/identity";
import { PageTitle } from "@/app/slots";
import { InsightCard } from "@/components/insights/insight-card";
import { Recommendations } from "@/components/insights/recommendations";
import { Empty, Failure } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Input } from "@/components/ui/field";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Tabs, useTab } from "@/components/ui/tabs";
import { say } from "@/components/ui/toast";
import { useAsk, useInsights, useWriteDigest } from "@/data/insights";

const TABS = [
  ["insights", "Insights"],
  ["recommendations", "Recommendations"],
] as const;
const complain = (error: unknown) => say(`Not written: ${messageOf(error)}`, { bad: true });

export default function InsightsPage() {
  const tab = useTab(["insights", "recommendations"]);
  return (
    <>
      <PageTitle>Insights</PageTitle>
      <div className="mx-auto max-w-4xl">
        <Tabs label="Insights and recommendations" value={tab} choices={TABS} />
        {tab === "insights" ? <Insights /> : <Recommendations />}
      </div>
    </>
  );
}

function Insights() {
  const may = useMay("editor");
  const insights = useInsights();
  const items = insights.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <div className="flex flex-col gap-4">
      {may && <Asking />}
      {insights.isPending ? (
        <SkeletonRows />
      ) : insights.isError ? (
        <Card>
          <Failure error={insights.error} retry={() => void insights.refetch()} />
        </Card>
      ) : items.length === 0 ? (
        <Card>
          <Empty icon={BookOpenText} title="Nothing written yet">
            Every morning there is an insight for each framework. Every number in it opens the fact behind it.
          </Empty>
        </Card>
      ) : (
        items.map((insight) => <InsightCard key={insight.id} insight={insight} />)
      )}
      {insights.hasNextPage && (
        <div className="flex justify-center">
          <Button onClick={() => void insights.fetchNextPage()} disabled={insights.isFetchingNextPage}>
            {insights.isFetchingNextPage ? "Loading…" : "Show older"}
          </Button>
        </div>
      )}
    </div>
  );
}

function Asking() {
  const ask = useAsk();
  const digest = useWriteDigest();
  return (
    <form
      className="flex flex-wrap gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        const form = event.currentTarget;
        const question = String(new FormData(form).get("question")).trim();
        if (question !== "") ask.mutate(question, { onError: complain, onSuccess: () => form.reset() });
      }}
    >
      <Input
        name="question"
        aria-label="Ask the figures"
        placeholder="Ask: which rules were noisy in the last 30 days?"
        maxLength={500}
        className="min-w-56 flex-1"
      />
      <Button type="submit" look="primary" disabled={ask.isPending}>
        <Search size={14} aria-hidden />
        {ask.isPending ? "Looking…" : "Ask"}
      </Button>
      <Button disabled={digest.isPending} onClick={() => digest.mutate(undefined, { onError: complain })}>
        <PenLine size={14} aria-hidden />
        {digest.isPending ? "Writing…" : "The week in a digest"}
      </Button>
    </form>
  );
}
