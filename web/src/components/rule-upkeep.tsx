import { FileCode, Trash2 } from "lucide-react";
import { useNavigate } from "react-router";
import { messageOf } from "@/api/problem";
import type { Rule } from "@/api/types";
import { useMay } from "@/app/identity";
import { ruleLines } from "@/data/rule-file";
import { useBringBackRule, useRemoveRule, useRuleFile } from "@/data/rules";
import { Code } from "./code";
import { Failure } from "./states";
import { Button } from "./ui/button";
import { Card } from "./ui/card";
import { SkeletonRows } from "./ui/skeleton";
import { say } from "./ui/toast";

/** Take the rule away; for a while that can be undone. */
export function RemoveRule({ rule }: { rule: Rule }) {
  const owner = useMay("owner");
  const remove = useRemoveRule();
  const restore = useBringBackRule();
  const navigate = useNavigate();
  if (!owner || rule.provenance === "code") return null;
  // The promises, not the callbacks: this page is left before the answers come.
  const undo = () => {
    restore
      .mutateAsync(rule.id)
      .then(() => say(`Back: ${rule.name}`))
      .catch((error: unknown) => say(`Not brought back: ${messageOf(error)}`, { bad: true }));
  };
  const takeAway = () => {
    remove
      .mutateAsync(rule.id)
      .then(() => {
        void navigate("/rules");
        say(`Removed: ${rule.name}`, { undo });
      })
      .catch((error: unknown) => say(`Not removed: ${messageOf(error)}`, { bad: true }));
  };
  return (
    <Button look="danger" disabled={remove.isPending} onClick={takeAway}>
      <Trash2 size={14} aria-hidden />
      Remove
    </Button>
  );
}

/** The rule as it would stand in a file. */
export function RuleAsCode({ rule }: { rule: Rule }) {
  const file = useRuleFile(rule.framework);
  const lines = file.data === undefined ? null : ruleLines(file.data, rule.name);
  return (
    <Card className="mt-5">
      <details>
        <summary className="flex items-center gap-2 px-4 py-3 text-sm font-medium hover:bg-sunken/50">
          <FileCode size={15} aria-hidden className="text-muted" />
          As code
        </summary>
        <div className="border-t border-line p-4">
          {file.isPending ? (
            <SkeletonRows rows={2} />
          ) : file.isError ? (
            <Failure error={file.error} />
          ) : (
            <>
              <Code label="The rule as YAML" text={lines ?? file.data} />
              <p className="mt-2 text-xs text-muted">
                Put it into a file, then <code className="font-mono">convex rules plan rules.yaml</code> says
                what would change and <code className="font-mono">convex rules apply rules.yaml</code> does
                it.
              </p>
            </>
          )}
        </div>
      </details>
    </Card>
  );
}
