import { Telescope } from "lucide-react";
import { Link } from "react-router";
import type { Prediction, Severity } from "@/api/types";
import { SeverityIcon } from "@/components/badges";
import { Empty, Failure } from "@/components/states";
import { Card, CardHeader } from "@/components/ui/card";
import { SkeletonRows } from "@/components/ui/skeleton";
import { useRiskiest } from "@/data/predictions";
import { ruleName, title } from "@/format/words";

/** The few that are likeliest to matter next. */
export function NextAlerts() {
  const found = useRiskiest();
  return (
    <Card>
      <CardHeader title="Likely next">
        <Link to="/predictions" className="rounded text-sm font-medium text-accent hover:underline">
          All
        </Link>
      </CardHeader>
      {found.isPending ? (
        <SkeletonRows rows={4} className="h-11" />
      ) : found.isError ? (
        <Failure error={found.error} retry={() => void found.refetch()} />
      ) : found.data.length === 0 ? (
        <Empty icon={Telescope} title="Nothing is predicted">
          Predictions need some weeks of history; they are made every night.
        </Empty>
      ) : (
        <ul>
          {found.data.map((prediction) => (
            <Row key={prediction.id} prediction={prediction} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function Row({ prediction }: { prediction: Prediction }) {
  const { rule_id, rule_name, framework_name, framework_id, kind, horizon_hours, severity } = prediction;
  const to = rule_id === null ? `/frameworks/${framework_id}?tab=predictions` : `/rules/${rule_id}`;
  return (
    <li className="relative flex items-start gap-3 border-b border-line px-4 py-2.5 last:border-b-0 hover:bg-sunken/50">
      {severity !== null && <SeverityIcon severity={severity as Severity} className="mt-0.5" />}
      <div className="min-w-0 flex-1">
        <Link to={to} className="block truncate row-link text-sm font-medium">
          {rule_name === null ? framework_name : ruleName({ rule_name, framework_name })}
        </Link>
        <p className="truncate text-xs text-muted">
          {framework_name} · {title(kind).toLowerCase()} within {horizon_hours} h
        </p>
      </div>
      <p className="numbers text-right text-sm font-semibold">
        {Math.round(prediction.probability)} %
        <span className="block text-2xs font-normal text-muted">
          usually {Math.round(prediction.climatology)} %
        </span>
      </p>
    </li>
  );
}
