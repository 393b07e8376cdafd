import { ArrowRight } from "lucide-react";
import { Link, useParams } from "react-router";
import type { PatternDetail } from "@/api/types";
import { PageTitle } from "@/app/slots";
import { Tag } from "@/components/badges";
import { Evidence } from "@/components/patterns/evidence";
import { Confidence, PATTERN_ICONS } from "@/components/patterns/list";
import { Failure } from "@/components/states";
import { Ago, At } from "@/components/time";
import { TriggerSummary } from "@/components/trigger-summary";
import { Card, CardHeader } from "@/components/ui/card";
import { SkeletonRows } from "@/components/ui/skeleton";
import { usePattern, usePatternTriggers } from "@/data/patterns";
import { count } from "@/format/number";
import { title } from "@/format/words";

export default function PatternPage() {
  const { id = "" } = useParams();
  const pattern = usePattern(id);
  return (
    <>
      <PageTitle above={{ to: "/patterns", name: "Patterns" }}>Pattern</PageTitle>
      <div className="mx-auto max-w-5xl">
        {pattern.isPending ? (
          <SkeletonRows />
        ) : pattern.isError ? (
          <Card>
            <Failure error={pattern.error} retry={() => void pattern.refetch()} />
          </Card>
        ) : (
          <Detail pattern={pattern.data} />
        )}
      </div>
    </>
  );
}

function Detail({ pattern }: { pattern: PatternDetail }) {
  const triggers = usePatternTriggers(pattern.id);
  const Icon = PATTERN_ICONS[pattern.type];
  return (
    <div className="flex flex-col gap-5">
      <Card>
        <div className="flex items-start gap-4 p-4">
          <Icon size={22} aria-hidden className="mt-1 shrink-0 text-muted" />
          <div className="min-w-0 flex-1">
            <h2 className="text-lg font-semibold text-pretty">{pattern.title}</h2>
            <p className="text-muted">{pattern.label}</p>
            <p className="mt-2 flex flex-wrap gap-1.5">
              <Tag>{title(pattern.type)}</Tag>
              <Tag>{title(pattern.state)}</Tag>
              {pattern.rule_id !== null && <RuleLink id={pattern.rule_id} name={pattern.rule_name} />}
              {pattern.other_rule_id !== null && (
                <RuleLink id={pattern.other_rule_id} name={pattern.other_rule_name} />
              )}
            </p>
          </div>
          <Confidence value={pattern.confidence} />
        </div>
        <dl className="grid grid-cols-2 gap-4 border-t border-line p-4 text-sm sm:grid-cols-4">
          <Moment name="First found" at={pattern.first_seen_at} />
          <Moment name="Found last" at={pattern.last_seen_at} />
          <Moment name="Last time" at={pattern.last_occurrence_at} />
          <Moment name="Next expected" at={pattern.next_expected_at} exactly />
        </dl>
      </Card>
      {pattern.recommendation !== null && (
        <Card>
          <CardHeader title="What follows" hint={title(pattern.recommendation.state)} />
          <Link
            to="/insights?tab=recommendations"
            className="flex items-center gap-2 px-4 py-3 font-medium hover:underline"
          >
            {pattern.recommendation.title}
            <ArrowRight size={15} aria-hidden />
          </Link>
        </Card>
      )}
      <Card>
        <CardHeader title="Why it is believed" />
        <Evidence pattern={pattern} evidence={pattern.evidence} />
      </Card>
      <Card>
        <CardHeader title="Alerts behind it" hint={`${count(pattern.triggers)}, the newest first`} />
        {triggers.isPending ? (
          <SkeletonRows />
        ) : triggers.isError ? (
          <Failure error={triggers.error} retry={() => void triggers.refetch()} />
        ) : (
          <ul>
            {triggers.data.items.map((trigger) => (
              <TriggerSummary key={trigger.id} trigger={trigger} />
            ))}
          </ul>
        )}
      </Card>
    </div>
  );
}

function RuleLink({ id, name }: { id: string; name: string | null }) {
  return (
    <Link to={`/rules/${id}`} className="rounded text-sm text-accent hover:underline">
      {name ?? "A rule that is gone"}
    </Link>
  );
}

function Moment({ name, at, exactly = false }: { name: string; at: string | null; exactly?: boolean }) {
  return (
    <div>
      <dt className="text-xs text-muted">{name}</dt>
      <dd className="numbers font-medium">
        {at === null ? "–" : exactly ? <At at={at} /> : <Ago at={at} />}
      </dd>
    </div>
  );
}
