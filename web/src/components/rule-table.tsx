import { Link } from "react-router";
import { messageOf } from "@/api/problem";
import type { Rule } from "@/api/types";
import { useMay } from "@/app/identity";
import { useUnits } from "@/data/frameworks";
import { useEnableRule } from "@/data/rules";
import { ruleText, title } from "@/format/words";
import { SeverityIcon, Tag } from "./badges";
import { say } from "./ui/toast";
import { Switch } from "./ui/switch";

export function RuleTable({
  rules,
  withFramework = true,
}: {
  rules: readonly Rule[];
  withFramework?: boolean;
}) {
  const may = useMay("editor");
  const enable = useEnableRule();
  const unitOf = useUnits();
  return (
    <ul>
      {rules.map((rule) => {
        const sense = ruleText(rule, unitOf(rule.framework_id, rule.metric));
        return (
          <li
            key={rule.id}
            className="relative grid grid-cols-[auto_minmax(0,1fr)_auto] items-center gap-x-3 gap-y-1 border-b border-line px-4 py-3 last:border-b-0 hover:bg-sunken/50 md:grid-cols-[auto_minmax(0,1fr)_minmax(0,1fr)_9rem_auto]"
          >
            <SeverityIcon severity={rule.severity} className={rule.enabled ? "" : "opacity-40"} />
            <div className="min-w-0">
              <Link to={`/rules/${rule.id}`} className="block truncate row-link font-medium">
                {rule.name}
              </Link>
              <p className="truncate text-sm text-muted">
                {withFramework && `${rule.framework} · `}
                {title(rule.metric || "all metrics")}
                <span className="md:hidden">: {sense}</span>
              </p>
            </div>
            <p className="truncate text-sm text-muted max-md:hidden">{sense}</p>
            <span className="flex gap-1 max-md:hidden">
              <Tag>{title(rule.type)}</Tag>
              {rule.provenance === "code" && <Tag>Code</Tag>}
            </span>
            <span className="relative flex items-center">
              <Switch
                checked={rule.enabled}
                disabled={!may || rule.provenance === "code"}
                aria-label={`${rule.name} is enabled`}
                onCheckedChange={(enabled) =>
                  enable.mutate(
                    { rule, enabled },
                    { onError: (error) => say(`Not changed: ${messageOf(error)}`, { bad: true }) },
                  )
                }
              />
            </span>
          </li>
        );
      })}
    </ul>
  );
}
