import clsx from "clsx";
import { Download, FileCheck, Play } from "lucide-react";
import { type ReactNode, useState } from "react";
import { messageOf } from "@/api/problem";
import type { RulePlan, RuleStep } from "@/api/types";
import { useMay } from "@/app/identity";
import { useFrameworks } from "@/data/frameworks";
import { useApplyRules, usePlanRules, useRuleFile } from "@/data/rules";
import { handOver } from "@/data/download";
import { plural } from "@/format/number";
import { title } from "@/format/words";
import { Tag } from "./badges";
import { Code } from "./code";
import { Failure } from "./states";
import { Button } from "./ui/button";
import { Card, CardHeader } from "./ui/card";
import { Select, Textarea } from "./ui/field";
import { SkeletonRows } from "./ui/skeleton";
import { say } from "./ui/toast";

/** The rules as a file, and a file as the rules. */
export function RulesCode() {
  const [framework, setFramework] = useState("");
  const frameworks = useFrameworks();
  const file = useRuleFile(framework);
  const may = useMay("editor");
  return (
    <div className="grid items-start gap-5 xl:grid-cols-2">
      <Card className="min-w-0">
        <CardHeader title="As they are">
          <Select
            aria-label="Rules of"
            className="w-44"
            value={framework}
            onChange={({ target }) => setFramework(target.value)}
          >
            <option value="">All frameworks</option>
            {frameworks.data?.map(({ id, slug, name }) => (
              <option key={id} value={slug}>
                {name}
              </option>
            ))}
          </Select>
          <Button
            disabled={file.data === undefined}
            onClick={() =>
              handOver(
                new Blob([file.data ?? ""], { type: "application/yaml" }),
                `${framework || "rules"}.yaml`,
              )
            }
          >
            <Download size={14} aria-hidden />
            Save
          </Button>
        </CardHeader>
        <div className="p-4">
          {file.isPending ? (
            <SkeletonRows />
          ) : file.isError ? (
            <Failure error={file.error} retry={() => void file.refetch()} />
          ) : (
            <Code label="Rules as YAML" text={file.data} className="max-h-[70vh]" />
          )}
        </div>
      </Card>
      <div className="flex min-w-0 flex-col gap-5">
        {may && <Apply />}
        <Card>
          <CardHeader title="From a repository" hint="With a key that may write" />
          <div className="flex flex-col gap-3 p-4">
            <p className="text-sm text-pretty text-muted">
              Keep the file beside the code that it watches: a plan in the pull request, applied when it is
              merged. Rules applied so are read-only here.
            </p>
            <Code label="Commands" text={COMMANDS(location.origin)} />
          </div>
        </Card>
      </div>
    </div>
  );
}

const COMMANDS = (origin: string) => `export CONVEX_URL=${origin} CONVEX_API_KEY=cvx_…
convex rules export > rules.yaml
convex rules plan rules.yaml
convex rules apply rules.yaml`;

function Apply() {
  const [text, setText] = useState("");
  const plan = usePlanRules();
  const apply = useApplyRules();
  const planned = plan.data;
  const changes =
    planned?.steps.filter(({ action }) => action !== "unchanged" && action !== "orphaned") ?? [];
  return (
    <Card>
      <CardHeader title="A file" hint="Nothing changes before you have seen what would">
        <Button size="sm" disabled={text.trim() === "" || plan.isPending} onClick={() => plan.mutate(text)}>
          <FileCheck size={13} aria-hidden />
          {plan.isPending ? "Planning…" : "Plan"}
        </Button>
        <Button
          size="sm"
          look="primary"
          disabled={planned === undefined || planned.problems.length > 0 || changes.length === 0}
          onClick={() =>
            planned !== undefined &&
            apply.mutate(
              { text, fingerprint: planned.fingerprint },
              {
                onSuccess: () => {
                  say(`Applied: ${plural(changes.length, "change")}.`);
                  plan.reset();
                },
                onError: (error) => say(`Not applied: ${messageOf(error)}`, { bad: true }),
              },
            )
          }
        >
          <Play size={13} aria-hidden />
          Apply
        </Button>
      </CardHeader>
      <div className="flex flex-col gap-3 p-4">
        <Textarea
          aria-label="File of rules"
          rows={10}
          spellCheck={false}
          placeholder={
            "rules:\n  - name: Too many cancellations\n    framework: ewr\n    metric: cancel_rate\n    threshold_value: 0.2\n    for: 2h"
          }
          className="font-mono text-xs"
          value={text}
          onChange={({ target }) => {
            setText(target.value);
            plan.reset();
          }}
        />
        <div role="status">
          {plan.isError && <p className="text-sm text-critical-ink">{messageOf(plan.error)}</p>}
          {planned !== undefined && <Planned plan={planned} changes={changes} />}
        </div>
      </div>
    </Card>
  );
}

function Planned({ plan, changes }: { plan: RulePlan; changes: readonly RuleStep[] }): ReactNode {
  if (plan.problems.length > 0) {
    return (
      <ul className="flex flex-col gap-1 text-sm text-critical-ink">
        {plan.problems.map(({ file, line, path, message }) => (
          <li key={`${file}${line}${path}`}>
            <code className="font-mono text-xs">
              {file}:{line}
            </code>{" "}
            {path}: {message}
          </li>
        ))}
      </ul>
    );
  }
  if (changes.length === 0) return <p className="text-sm text-muted">The rules are already so.</p>;
  return (
    <ul className="flex flex-col gap-2 text-sm">
      {changes.map((step) => (
        <li key={`${step.action}${step.name}`}>
          <Tag className={clsx(LOOKS[step.action])}>{title(step.action)}</Tag>{" "}
          <span className="font-medium">{step.name}</span>
          {step.differences.map(({ field, before, after }) => (
            <span key={field} className="block pl-4 font-mono text-xs break-words text-muted">
              {field}: {JSON.stringify(before)} → <span className="text-ink">{JSON.stringify(after)}</span>
            </span>
          ))}
        </li>
      ))}
    </ul>
  );
}

const LOOKS: Partial<Record<RuleStep["action"], string>> = {
  create: "bg-good-tint! text-good-ink!",
  update: "bg-info-tint! text-info-ink!",
  delete: "bg-critical-tint! text-critical-ink!",
};
