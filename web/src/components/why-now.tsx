import { Lightbulb } from "lucide-react";
import { messageOf } from "@/api/problem";
import { useMay } from "@/app/identity";
import { useExplain } from "@/data/insights";
import { InsightCard } from "./insights/insight-card";
import { Button } from "./ui/button";
import { say } from "./ui/toast";

/** Why this alert, and why now: written on request, from facts that can be opened. */
export function WhyNow({ trigger }: { trigger: string }) {
  const explain = useExplain();
  const may = useMay("editor");
  if (explain.data !== undefined) return <InsightCard insight={explain.data} />;
  if (!may) return null;
  return (
    <Button
      className="self-start"
      disabled={explain.isPending}
      onClick={() =>
        explain.mutate(trigger, {
          onError: (error) => say(`Not explained: ${messageOf(error)}`, { bad: true }),
        })
      }
    >
      <Lightbulb size={14} aria-hidden />
      {explain.isPending ? "Looking into it…" : "Why now?"}
    </Button>
  );
}
