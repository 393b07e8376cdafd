import { Card, CardHeader } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/skeleton";
import { type Question, useDistribution } from "@/data/analytics";
import { ShareBars } from "./share-bars";
import { Failing } from "./trends";
import { Week } from "./week";

export function Distribution({ question }: { question: Question }) {
  const found = useDistribution(question);
  if (found.isError) return <Failing error={found.error} retry={() => void found.refetch()} />;
  const data = found.data;
  const parts = [
    ["Type", data?.by_type],
    ["Severity", data?.by_severity],
    ["How it ended", data?.by_resolution],
    ["What members said", data?.by_feedback],
  ] as const;
  return (
    <div className="flex flex-col gap-5">
      <Card>
        <CardHeader title="When alerts open" hint={data && `By hour of the week, ${data.timezone}`} />
        <div className="overflow-x-auto p-4">
          <div className="min-w-2xl">
            {data === undefined ? (
              <Skeleton className="h-52 w-full" />
            ) : (
              <Week label="Alerts by hour of the week" cells={data.by_hour_of_week} />
            )}
          </div>
        </div>
      </Card>
      <div className="grid gap-5 sm:grid-cols-2 xl:grid-cols-4">
        {parts.map(([name, values]) => (
          <Card key={name}>
            <CardHeader title={name} />
            <div className="p-4">
              {values === undefined ? <Skeleton className="h-24 w-full" /> : <ShareBars parts={values} />}
            </div>
          </Card>
        ))}
      </div>
    </div>
  );
}
