import { Bot, FileText, ThumbsDown, ThumbsUp } from "lucide-react";
import type { Fact, Insight, Statement } from "@/api/types";
import { Tag } from "@/components/badges";
import { Ago } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { useInsightFeedback } from "@/data/insights";
import { quantity } from "@/format/number";
import { title } from "@/format/words";

const SIDES = [
  "clarity",
  "specificity",
  "outcome_focus",
  "proof",
  "objection_handling",
  "risk_removal",
] as const;

/** An insight: each sentence opens the facts that it rests on. */
export function InsightCard({ insight }: { insight: Insight }) {
  const { content, evidence } = insight;
  const facts = new Map(evidence.facts.map((fact) => [fact.id, fact]));
  const sides = SIDES.flatMap((name) => {
    const side = content[name];
    return side === null || side === undefined ? [] : [{ ...side, text: `${title(name)}: ${side.text}` }];
  });
  const parts: readonly (readonly [string, readonly Statement[]])[] = [
    ["", content.summary ?? []],
    ["Findings", content.findings ?? []],
    ["Sides", sides],
    ["Risks", content.risks ?? []],
    ["What to do", content.recommendations],
  ];
  return (
    <Card>
      <article className="flex flex-col gap-3 p-4">
        <header className="flex flex-wrap items-start gap-x-3 gap-y-1">
          <h3 className="min-w-0 flex-1 text-base font-semibold text-pretty">
            <Cited statement={content.headline} facts={facts} />
          </h3>
          <Tag>{title(insight.kind)}</Tag>
        </header>
        {parts.map(
          ([name, statements]) =>
            statements.length > 0 && (
              <section key={name}>
                {name !== "" && <h4 className="text-xs font-medium text-muted">{name}</h4>}
                <ul className="mt-1 flex flex-col gap-1.5 text-sm">
                  {statements.map((statement) => (
                    <li key={statement.text} className="text-pretty">
                      <Cited statement={statement} facts={facts} />
                    </li>
                  ))}
                </ul>
              </section>
            ),
        )}
        <footer className="flex flex-wrap items-center gap-x-3 gap-y-2 border-t border-line pt-3 text-xs text-muted">
          <Author insight={insight} />
          <Ago at={insight.created_at} />
          <span>{evidence.facts.length} facts</span>
          {evidence.missing.length > 0 && <span>not asked: {evidence.missing.map(title).join(", ")}</span>}
          <Helpful insight={insight} />
        </footer>
      </article>
    </Card>
  );
}

function Author({ insight }: { insight: Insight }) {
  return insight.source === "claude" ? (
    <span className="flex items-center gap-1.5">
      <Bot size={14} aria-hidden />
      {insight.model}
      {insight.cost_usd !== null && `, ${quantity(insight.cost_usd, "USD")}`}
    </span>
  ) : (
    <span className="flex items-center gap-1.5" title={insight.source_explanation}>
      <FileText size={14} aria-hidden />
      {insight.source_explanation}
    </span>
  );
}

/** A sentence; its facts are one press away. */
function Cited({ statement, facts }: { statement: Statement; facts: ReadonlyMap<string, Fact> }) {
  const known = statement.facts.flatMap((id) => facts.get(id) ?? []);
  if (known.length === 0) return <>{statement.text}</>;
  return (
    <details className="group inline">
      <summary className="inline cursor-pointer list-none rounded decoration-dotted underline-offset-4 hover:underline">
        {statement.text}
        <sup className="ml-0.5 text-2xs font-normal text-accent">{known.map(({ id }) => id).join(" ")}</sup>
      </summary>
      <ul className="mt-1 mb-2 flex flex-col gap-1 rounded-md bg-sunken p-2.5 text-xs font-normal text-muted">
        {known.map((fact) => (
          <li key={fact.id}>
            <span className="font-medium text-ink">
              {fact.id} · {fact.shown}
            </span>{" "}
            {fact.what}
            {fact.of !== "" && ` of ${fact.of}`}
            {fact.window !== "" && `, ${fact.window}`}
            <span className="block font-mono text-2xs">{fact.query}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Helpful({ insight }: { insight: Insight }) {
  const feedback = useInsightFeedback();
  const give = (value: NonNullable<Insight["feedback"]>) =>
    feedback.mutate({ id: insight.id, feedback: insight.feedback === value ? null : value });
  return (
    <span className="ml-auto flex gap-1">
      <Button
        look="ghost"
        size="sm"
        aria-pressed={insight.feedback === "helpful"}
        aria-label="This helped"
        className={insight.feedback === "helpful" ? "text-good-ink!" : ""}
        onClick={() => give("helpful")}
      >
        <ThumbsUp size={14} />
      </Button>
      <Button
        look="ghost"
        size="sm"
        aria-pressed={insight.feedback === "not_helpful"}
        aria-label="This did not help"
        className={insight.feedback === "not_helpful" ? "text-critical-ink!" : ""}
        onClick={() => give("not_helpful")}
      >
        <ThumbsDown size={14} />
      </Button>
    </span>
  );
}
