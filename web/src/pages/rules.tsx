import { Plus, SearchX, SlidersHorizontal } from "lucide-react";
import { Link, useSearchParams } from "react-router";
import { useMay } from "@/app/identity";
import { PageTitle } from "@/app/slots";
import { RuleTable } from "@/components/rule-table";
import { Empty, Failure } from "@/components/states";
import { buttonClass } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Input } from "@/components/ui/field";
import { SkeletonRows } from "@/components/ui/skeleton";
import { useRules } from "@/data/rules";

export default function RulesPage() {
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
      <PageTitle>Rules</PageTitle>
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
