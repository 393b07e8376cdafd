import { Download, ExternalLink } from "lucide-react";
import { useSearchParams } from "react-router";
import { messageOf } from "@/api/problem";
import { PageTitle } from "@/app/slots";
import { Distribution } from "@/components/analytics/distribution";
import { Performance } from "@/components/analytics/performance";
import { Trends } from "@/components/analytics/trends";
import { Patterns } from "@/components/patterns/list";
import { Button } from "@/components/ui/button";
import { Select } from "@/components/ui/field";
import { Menu, MenuItem } from "@/components/ui/menu";
import { Segmented } from "@/components/ui/segmented";
import { Tabs, useTab } from "@/components/ui/tabs";
import { say } from "@/components/ui/toast";
import { DAYS, type Days, type Question } from "@/data/analytics";
import { download } from "@/data/download";
import { useFrameworks } from "@/data/frameworks";

const TABS = [
  ["trends", "Trends"],
  ["distribution", "Distribution"],
  ["patterns", "Patterns"],
  ["performance", "Performance"],
] as const;

export default function AnalyticsPage() {
  const [parameters, setParameters] = useSearchParams();
  const frameworks = useFrameworks();
  const tab = useTab(["trends", "distribution", "patterns", "performance"]);
  const days = DAYS.find(([name]) => name === parameters.get("days"))?.[0] ?? "30";
  const question = { days, framework: parameters.get("framework") ?? "" };
  const set = (name: string, value: string, usual: string) => {
    const next = new URLSearchParams(parameters);
    if (value === usual) next.delete(name);
    else next.set(name, value);
    setParameters(next, { replace: true });
  };
  return (
    <>
      <PageTitle>Analytics</PageTitle>
      <div className="mb-3 flex flex-wrap items-center gap-3">
        <Segmented
          label="How far back"
          value={days}
          onChange={(next: Days) => set("days", next, "30")}
          choices={DAYS}
        />
        <Select
          aria-label="Framework"
          className="w-48"
          value={question.framework}
          onChange={({ target }) => set("framework", target.value, "")}
        >
          <option value="">All frameworks</option>
          {frameworks.data?.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
        {tab !== "patterns" && (
          <div className="ml-auto">
            <Export what={tab} question={question} />
          </div>
        )}
      </div>
      <Tabs label="Parts of the analytics" value={tab} choices={TABS} />
      {tab === "trends" ? (
        <Trends question={question} />
      ) : tab === "distribution" ? (
        <Distribution question={question} />
      ) : tab === "patterns" ? (
        <Patterns framework={question.framework} />
      ) : (
        <Performance question={question} />
      )}
      {tab !== "patterns" && (
        <p className="mt-4 text-xs text-muted">
          From the model{" "}
          <a
            href="/docs/dbt/#!/model/model.convex.alert_analytics"
            target="_blank"
            rel="noreferrer"
            className="inline-flex items-center gap-1 rounded text-accent hover:underline"
          >
            alert_analytics <ExternalLink size={12} aria-hidden />
          </a>
          , which says how each figure is computed.
        </p>
      )}
    </>
  );
}

/** What the tab shows, as a file. */
function Export({ what, question }: { what: string; question: Question }) {
  const save = (format: string) => {
    const query = new URLSearchParams({ days: question.days, format });
    if (question.framework !== "" && what !== "performance") query.set("framework", question.framework);
    download(
      `/api/v1/analytics/${what}?${query.toString()}`,
      `${what}-${question.days}-days.${format}`,
    ).catch((error: unknown) => say(`Not exported: ${messageOf(error)}`, { bad: true }));
  };
  return (
    <Menu
      trigger={
        <Button>
          <Download size={14} aria-hidden />
          Export
        </Button>
      }
    >
      <MenuItem onSelect={() => save("csv")}>CSV</MenuItem>
      <MenuItem onSelect={() => save("parquet")}>Parquet</MenuItem>
    </Menu>
  );
}
