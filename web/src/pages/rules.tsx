import { Plus, SearchX, SlidersHorizontal } from "lucide-react";
import { Link, useSearchParams } from "react-router";
import { useMay } from "@/app/identity";
import { PageTitle } from "@/app/slots";
import { RulesCode } from "@/components/rules-code";
import { RuleTable } from "@/components/rule-table";
import { Empty, Failure } from "@/components/states";
import { buttonClass } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Input } from "@/components/ui/field";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Tabs, useTab } from "@/components/ui/tabs";
import { useRules } from "@/data/rules";

const TABS = [
  ["list", "Rules"],
  ["code", "As code"],
] as const;

export default function RulesPage() {
  const tab = useTab(["list", "code"]);
  return (
    <>
      <PageTitle>Rules</PageTitle>
      <Tabs label="Ways to see the rules" value={tab} choices={TABS} />
      {tab === "list" ? <RuleList /> : <RulesCode />}
    </>
  );
}

function RuleList() {
  const rules = useRules();
  const may = useMay("editor");
  const [parameters, setParameters] = useSearchParams();
  const wanted = parameters.get("q") ?? "";
  const needle = wanted.toLowerCase();
  const shown = rules.data?.filter((rule) =>
    [rule.name, rule.framework, rule.metric, ...rule.tags].some((text) =>
      text.toLowerCase().includes(needle),
    ),
  );
  return (
    <>
      <div className="mb-4 flex items-center gap-3">
        <Input
          type="search"
          aria-label="Find a rule"
          placeholder="Find by name, framework, metric or tag"
          className="max-w-sm"
          value={wanted}
          onChange={({ target: { value } }) =>
            setParameters(value === "" ? {} : { q: value }, { replace: true })
          }
        />
        {may && (
          <Link to="/rules/new" className={`${buttonClass({ look: "primary" })} ml-auto`}>
            <Plus size={15} aria-hidden />
            New rule
          </Link>
        )}
      </div>
      <Card>
        {rules.isPending ? (
          <SkeletonRows />
        ) : rules.isError ? (
          <Failure error={rules.error} retry={() => void rules.refetch()} />
        ) : rules.data.length === 0 ? (
          <Empty icon={SlidersHorizontal} title="No rules yet">
            A rule says what counts as wrong. Without one, nothing alerts.
          </Empty>
        ) : shown === undefined || shown.length === 0 ? (
          <Empty icon={SearchX} title="No rule fits" />
        ) : (
          <RuleTable rules={shown} />
        )}
      </Card>
    </>
  );
}
