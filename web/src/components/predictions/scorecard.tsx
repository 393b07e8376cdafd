import type { ReactNode } from "react";
import { Gauge } from "lucide-react";
import type { PredictionKind, Score, Scorecard } from "@/api/types";
import { Empty, Failure } from "@/components/states";
import { Ago } from "@/components/time";
import { Card, CardHeader } from "@/components/ui/card";
import { SkeletonRows } from "@/components/ui/skeleton";
import { useScorecard } from "@/data/predictions";
import { count, quantity } from "@/format/number";
import { title } from "@/format/words";
import { Reliability } from "./reliability";

const KINDS: readonly PredictionKind[] = [
  "escalation_risk",
  "next_alert",
  "anomaly_risk",
  "performance_issue",
];

/** How good the predictions were: never shown without what they are measured against. */
export function ScorecardCard() {
  const found = useScorecard();
  if (found.isPending) return <SkeletonRows />;
  if (found.isError) {
    return (
      <Card>
        <Failure error={found.error} retry={() => void found.refetch()} />
      </Card>
    );
  }
  return <Found card={found.data} />;
}

function Found({ card }: { card: Scorecard }) {
  const { all, last_8_weeks: recent } = card.verified;
  const horizons = card.hindcast?.horizons ?? {};
  const past = Object.values(horizons).flatMap(({ kind, score }) =>
    score === null ? [] : [[kind, score] as const],
  );
  if (all.overall === null && past.length === 0) {
    return (
      <Card>
        <Empty icon={Gauge} title="Nothing to score yet">
          A prediction is scored when its time is over; the first ones are on their way.
        </Empty>
      </Card>
    );
  }
  return (
    <div className="flex flex-col gap-5">
      {all.overall !== null && (
        <Scores
          name="Predictions that were shown, and are over"
          hint={`${count(all.overall.n)} since the beginning`}
          rows={KINDS.flatMap((kind) => {
            const score = all.kinds[kind];
            return score === undefined ? [] : [[kind, score] as const];
          })}
          diagram={all.overall}
        />
      )}
      {recent.overall !== null && all.overall !== null && recent.overall.n < all.overall.n && (
        <Scores
          name="Of these, the last 8 weeks"
          hint={count(recent.overall.n)}
          rows={KINDS.flatMap((kind) => {
            const score = recent.kinds[kind];
            return score === undefined ? [] : [[kind, score] as const];
          })}
          diagram={recent.overall}
        />
      )}
      {card.hindcast !== null && past.length > 0 && (
        <Scores
          name={`What would have been said in the last ${card.hindcast.weeks} weeks`}
          hint={
            <>
              Each moment from nothing but what was known at it; computed <Ago at={card.hindcast.as_of} />
            </>
          }
          rows={past}
          diagram={past.find(([kind]) => kind === "next_alert")?.[1] ?? past[0]?.[1]}
        />
      )}
    </div>
  );
}

const head = "px-3 py-2 text-right text-xs font-medium text-muted whitespace-nowrap";
const cell = "px-3 py-2 text-right numbers whitespace-nowrap";

function Scores({
  name,
  hint,
  rows,
  diagram,
}: {
  name: string;
  hint: ReactNode;
  rows: readonly (readonly [PredictionKind, Score])[];
  diagram: Score | undefined;
}) {
  return (
    <Card>
      <CardHeader title={name} hint={hint} />
      <div className="grid gap-5 p-4 lg:grid-cols-[minmax(0,1fr)_18rem]">
        <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={`Scores: ${name}`}>
          <table className="w-full text-sm">
            <thead>
              <tr className="border-b border-line">
                <th className={`${head} pl-0 text-left!`}>Kind</th>
                <th className={head}>n</th>
                <th className={head}>Base rate</th>
                <th className={head}>Brier</th>
                <th className={head}>Skill (90 %)</th>
                <th className={head}>AUC</th>
                <th className={head}>Calibration error</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(([kind, score]) => (
                <tr key={kind} className="border-b border-line last:border-b-0">
                  <th scope="row" className="py-2 pr-3 text-left font-medium">
                    {title(kind)}
                  </th>
                  <td className={cell}>{count(score.n)}</td>
                  <td className={cell}>{quantity(score.base_rate, "ratio")}</td>
                  <td className={cell}>
                    {score.brier.toFixed(3)}
                    <span className="text-muted"> / {score.climatology_brier.toFixed(3)}</span>
                  </td>
                  <td className={cell}>
                    <Skill score={score} />
                  </td>
                  <td className={cell}>{score.auc === null ? "–" : score.auc.toFixed(2)}</td>
                  <td className={cell}>{score.ece.toFixed(3)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <p className="mt-3 text-xs text-pretty text-muted">
            Brier is the mean squared error of the probability, beside that of each rule&apos;s own base rate.
            Skill is what is gained over the base rate: 0 is no better, 1 is perfect, below 0 is worse.
          </p>
        </div>
        {diagram !== undefined && (diagram.reliability?.length ?? 0) > 0 && (
          <figure>
            <Reliability score={diagram} label="Said against come true" />
            <figcaption className="text-xs text-muted">
              Across: what was said. Up: how often it came true. On the dashed line, a probability means what
              it says.
            </figcaption>
          </figure>
        )}
      </div>
    </Card>
  );
}

function Skill({ score }: { score: Score }) {
  if (score.skill === null) return <>–</>;
  const [low, high] = score.skill_interval ?? [];
  const ink = score.skill <= 0 ? "text-critical-ink" : low !== undefined && low > 0 ? "text-good-ink" : "";
  return (
    <>
      <span className={ink}>{score.skill.toFixed(2)}</span>
      {low !== undefined && high !== undefined && (
        <span className="text-muted">
          {" "}
          ({low.toFixed(2)} … {high.toFixed(2)})
        </span>
      )}
    </>
  );
}
