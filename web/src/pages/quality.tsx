import clsx from "clsx";
import { ExternalLink, FileWarning, ShieldCheck, ShieldQuestion } from "lucide-react";
import type { QualityRun, RejectedPoint } from "@/api/types";
import { PageTitle } from "@/app/slots";
import { Tag } from "@/components/badges";
import { Sources } from "@/components/sources";
import { Empty, Failure } from "@/components/states";
import { Ago } from "@/components/time";
import { Card, CardHeader } from "@/components/ui/card";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Tabs, useTab } from "@/components/ui/tabs";
import { useDistrusted, useQualityRuns, useRejected } from "@/data/quality";
import { count } from "@/format/number";
import { labelText, title } from "@/format/words";

const TABS = [
  ["checks", "Checks"],
  ["rejected", "Rejected points"],
  ["sources", "Sources"],
] as const;

export default function QualityPage() {
  const tab = useTab(["checks", "rejected", "sources"]);
  return (
    <>
      <PageTitle>Data</PageTitle>
      <div className="mx-auto max-w-5xl">
        <Tabs label="Parts of the data" value={tab} choices={TABS} />
        {tab === "checks" ? <Checks /> : tab === "rejected" ? <Rejected /> : <Sources />}
      </div>
    </>
  );
}

function Checks() {
  const runs = useQualityRuns();
  const distrusted = useDistrusted();
  return (
    <div className="flex flex-col gap-5">
      {distrusted.data !== undefined && distrusted.data.items.length > 0 && (
        <Card>
          <CardHeader
            title="Not to be trusted"
            hint="Rules answer error here instead of firing on bad data"
          />
          <ul>
            {distrusted.data.items.map((series) => (
              <li
                key={series.series_id}
                className="flex flex-wrap items-center gap-3 border-b border-line px-4 py-2.5 text-sm last:border-b-0"
              >
                <ShieldQuestion size={16} aria-hidden className="text-warning" />
                <span className="min-w-0 flex-1">
                  <span className="font-medium">{title(series.metric)}</span> of {series.framework}{" "}
                  {labelText(series.labels)}
                  <span className="block text-muted">{series.because}</span>
                </span>
                <Ago at={series.since} className="text-muted" />
              </li>
            ))}
          </ul>
        </Card>
      )}
      <Card>
        <CardHeader title="Checks" hint="Every hour, and after each pull" />
        {runs.isPending ? (
          <SkeletonRows />
        ) : runs.isError ? (
          <Failure error={runs.error} retry={() => void runs.refetch()} />
        ) : runs.data.items.length === 0 ? (
          <Empty icon={ShieldCheck} title="Nothing was checked yet" />
        ) : (
          <ul>
            {runs.data.items.map((run) => (
              <Run key={run.id} run={run} />
            ))}
          </ul>
        )}
      </Card>
    </div>
  );
}

function Run({ run }: { run: QualityRun }) {
  const failed = run.results.filter((result) => result["success"] === false);
  return (
    <li className="border-b border-line last:border-b-0">
      <details>
        <summary className="flex cursor-pointer flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2.5 hover:bg-sunken/50">
          <span
            role="img"
            aria-label={run.failed === 0 ? "All held" : "Some failed"}
            className={clsx("size-2 rounded-full", run.failed === 0 ? "bg-good" : "bg-critical")}
          />
          <span className="min-w-0 flex-1 font-medium">{title(run.suite)}</span>
          <span className="numbers text-sm text-muted">
            {count(run.passed)} of {count(run.evaluated)} held
          </span>
          <Ago at={run.finished_at} className="w-24 text-right text-sm text-muted" />
        </summary>
        <div className="border-t border-line bg-sunken/40 px-4 py-3 text-sm">
          {failed.length === 0 ? (
            <p className="text-muted">Everything that was expected held.</p>
          ) : (
            <ul className="flex flex-col gap-1.5">
              {failed.map((result, index) => (
                <li key={index}>
                  {title(String(result["name"] ?? result["expectation"] ?? "An expectation"))}
                  {typeof result["severity"] === "string" && (
                    <>
                      {" "}
                      <Tag>{result["severity"]}</Tag>
                    </>
                  )}
                  {typeof result["detail"] === "string" && (
                    <span className="block text-muted">{result["detail"]}</span>
                  )}
                </li>
              ))}
            </ul>
          )}
          {run.report_path !== null && (
            <a
              href={`/docs/quality/${run.report_path}`}
              target="_blank"
              rel="noreferrer"
              className="mt-2 inline-flex items-center gap-1 rounded text-accent hover:underline"
            >
              The whole report <ExternalLink size={12} aria-hidden />
            </a>
          )}
        </div>
      </details>
    </li>
  );
}

function Rejected() {
  const rejected = useRejected();
  return (
    <Card>
      <CardHeader title="Rejected points" hint="Kept with their reason; nothing is lost" />
      {rejected.isPending ? (
        <SkeletonRows />
      ) : rejected.isError ? (
        <Failure error={rejected.error} retry={() => void rejected.refetch()} />
      ) : rejected.data.items.length === 0 ? (
        <Empty icon={FileWarning} title="Every point was taken" />
      ) : (
        <ul>
          {rejected.data.items.map((point) => (
            <RejectedRow key={point.id} point={point} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function RejectedRow({ point }: { point: RejectedPoint }) {
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-1 border-b border-line px-4 py-2.5 text-sm last:border-b-0">
      <span className="min-w-0 flex-1 basis-72">
        <span className="font-medium">{title(point.reason)}</span>
        <span className="block text-pretty text-muted">{point.detail}</span>
        <code className="mt-1 block truncate font-mono text-xs text-muted">
          {JSON.stringify(point.point)}
        </code>
      </span>
      <Tag>{point.source}</Tag>
      {point.reingested_at !== null && <Tag>Taken later</Tag>}
      <Ago at={point.received_at} className="text-muted" />
    </li>
  );
}
