import { Link } from "react-router";
import type { FrameworkFigures, NoisyRule, PagedMember, Severity } from "@/api/types";
import { SeverityIcon } from "@/components/badges";
import { Card, CardHeader } from "@/components/ui/card";
import { SkeletonRows } from "@/components/ui/skeleton";
import { type Question, useNoise, usePerformance } from "@/data/analytics";
import { count, plural, quantity } from "@/format/number";
import { duration } from "@/format/time";
import { title } from "@/format/words";
import { Failing } from "./trends";

const minutes = (value: number | null) => (value === null ? "–" : duration(Math.round(value * 60)));
const share = (value: number | null) => quantity(value, "ratio");

export function Performance({ question }: { question: Question }) {
  return (
    <div className="flex flex-col gap-5">
      <Frameworks question={question} />
      <Noise question={question} />
    </div>
  );
}

const cell = "px-3 py-2 text-right numbers whitespace-nowrap";
const head = "px-3 py-2 text-right text-xs font-medium text-muted whitespace-nowrap";

function Frameworks({ question }: { question: Question }) {
  const found = usePerformance(question);
  if (found.isPending) return <SkeletonRows rows={3} />;
  if (found.isError) return <Failing error={found.error} retry={() => void found.refetch()} />;
  return (
    <Card>
      <CardHeader title="Frameworks" hint="The busiest first" />
      <div className="overflow-x-auto" tabIndex={0} role="region" aria-label="Figures by framework">
        <table className="w-full text-sm">
          <thead>
            <tr className="border-b border-line">
              <th className={`${head} pl-4 text-left!`}>Framework</th>
              {[
                "Alerts",
                "To acknowledge",
                "To resolve",
                "Resolved",
                "Worth it",
                "Kept quiet",
                "Pages",
                "At night",
              ].map((name) => (
                <th key={name} className={head}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {found.data.items.map((row: FrameworkFigures) => (
              <tr key={row.framework_id} className="border-b border-line last:border-b-0">
                <th scope="row" className="px-3 py-2 pl-4 text-left font-medium">
                  <Link to={`/frameworks/${row.framework_id}`} className="rounded hover:underline">
                    {row.name}
                  </Link>
                </th>
                <td className={cell}>{count(row.total_triggers)}</td>
                <td className={cell}>{minutes(row.avg_response_time_minutes)}</td>
                <td className={cell}>{minutes(row.mttr_minutes)}</td>
                <td className={cell}>{share(row.resolution_rate)}</td>
                <td className={cell}>{share(row.actionable_rate)}</td>
                <td className={cell}>{share(row.suppression_effectiveness)}</td>
                <td className={cell}>{count(row.pages)}</td>
                <td className={cell}>{count(row.pages_sleep_hours)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

function Noise({ question }: { question: Question }) {
  const found = useNoise(question);
  if (found.isPending) return <SkeletonRows rows={3} />;
  if (found.isError) return <Failing error={found.error} retry={() => void found.refetch()} />;
  const { rules, never_acknowledged, always_auto_resolved, flapping, members, suppression } = found.data;
  const lists = [
    [
      "Noisiest rules",
      "By alerts",
      rules,
      (rule: NoisyRule) => `${count(rule.triggers)} · ${share(rule.share)}`,
    ],
    [
      "Never acknowledged",
      "Nobody took them up",
      never_acknowledged,
      (rule: NoisyRule) => plural(rule.triggers, "alert"),
    ],
    [
      "Always resolved by themselves",
      "Would anybody have missed them?",
      always_auto_resolved,
      (rule: NoisyRule) => plural(rule.triggers, "alert"),
    ],
    ["Flapping", "Share of alerts that flapped", flapping, (rule: NoisyRule) => share(rule.flap_rate)],
  ] as const;
  const { counterfactual } = suppression;
  return (
    <>
      <div className="grid items-start gap-5 lg:grid-cols-2">
        {lists.map(([name, hint, some, figure]) => (
          <Card key={name}>
            <CardHeader title={name} hint={hint} />
            <RuleList rules={some} figure={figure} />
          </Card>
        ))}
      </div>
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <Card>
          <CardHeader title="Pages by member" hint="Sleep hours are 22:00 to 06:00 of their own zone" />
          <Members members={members} />
        </Card>
        <Card>
          <CardHeader title="What was kept quiet" hint="And what of it proved to matter" />
          <dl className="grid grid-cols-2 gap-4 p-4 text-sm">
            <Fact name="Sent" value={count(suppression.sent)} />
            <Fact name="Kept quiet" value={count(suppression.suppressed)} />
            {Object.entries(suppression.by_reason).map(([reason, n]) => (
              <Fact key={reason} name={title(reason)} value={count(n)} />
            ))}
            <Fact
              name="Nobody was told, later marked actionable"
              value={`${count(counterfactual.actionable)} of ${count(counterfactual.judged)} judged`}
            />
          </dl>
          {counterfactual.missed.length > 0 && (
            <ul className="border-t border-line px-4 py-3 text-sm">
              {counterfactual.missed.map((missed) => (
                <li key={missed.trigger_id}>
                  <Link to={`/alerts/${missed.trigger_id}`} className="rounded text-accent hover:underline">
                    {missed.rule_name ?? "A rule that is gone"}
                  </Link>{" "}
                  <span className="text-muted">{missed.reasons.map(title).join(", ")}</span>
                </li>
              ))}
            </ul>
          )}
        </Card>
      </div>
    </>
  );
}

function RuleList({ rules, figure }: { rules: readonly NoisyRule[]; figure: (rule: NoisyRule) => string }) {
  if (rules.length === 0) return <p className="px-4 py-5 text-sm text-muted">None in this time.</p>;
  return (
    <ul>
      {rules.slice(0, 6).map((rule) => (
        <li
          key={`${rule.rule_id ?? ""}${rule.framework_id}`}
          className="flex items-center gap-3 border-b border-line px-4 py-2 text-sm last:border-b-0"
        >
          <SeverityIcon severity={rule.severity as Severity} size={14} />
          <span className="min-w-0 flex-1 truncate">
            {rule.rule_id === null ? (
              (rule.name ?? "A rule that is gone")
            ) : (
              <Link to={`/rules/${rule.rule_id}`} className="rounded font-medium hover:underline">
                {rule.name}
              </Link>
            )}
            <span className="text-muted"> · {rule.framework_name}</span>
          </span>
          <span className="numbers shrink-0 text-muted">{figure(rule)}</span>
        </li>
      ))}
    </ul>
  );
}

function Members({ members }: { members: readonly PagedMember[] }) {
  if (members.length === 0) return <p className="px-4 py-5 text-sm text-muted">Nobody was paged.</p>;
  return (
    <table className="w-full text-sm">
      <thead>
        <tr className="border-b border-line">
          <th className={`${head} pl-4 text-left!`}>Member</th>
          <th className={head}>Business hours</th>
          <th className={head}>Off hours</th>
          <th className={head}>Sleep hours</th>
        </tr>
      </thead>
      <tbody>
        {members.map((member) => (
          <tr key={member.user_id} className="border-b border-line last:border-b-0">
            <th scope="row" className="px-3 py-2 pl-4 text-left font-medium">
              {member.name ?? "Somebody who left"}
            </th>
            <td className={cell}>{count(member.pages_business_hours)}</td>
            <td className={cell}>{count(member.pages_off_hours)}</td>
            <td className={cell}>{count(member.pages_sleep_hours)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt className="text-xs text-muted">{name}</dt>
      <dd className="numbers font-medium">{value}</dd>
    </div>
  );
}
