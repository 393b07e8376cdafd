import { RefreshCw, Sparkles } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import { messageOf } from "@/api/problem";
import type { Prediction, Severity } from "@/api/types";
import { useMay } from "@/app/identity";
import { SeverityIcon, Tag } from "@/components/badges";
import { Empty, Failure } from "@/components/states";
import { Ago, At } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card, CardHeader } from "@/components/ui/card";
import { SkeletonRows } from "@/components/ui/skeleton";
import { say } from "@/components/ui/toast";
import { useNoteAction, usePredictions, usePredictNow } from "@/data/predictions";
import { count, plural } from "@/format/number";
import { title } from "@/format/words";

/** The riskiest ones; the rest on request. */
const AT_FIRST = 12;

export function Predictions({ framework }: { framework: string }) {
  const found = usePredictions(framework);
  const now = usePredictNow();
  const may = useMay("editor");
  const [all, setAll] = useState(false);
  if (found.isPending) return <SkeletonRows />;
  if (found.isError) {
    return (
      <Card>
        <Failure error={found.error} retry={() => void found.refetch()} />
      </Card>
    );
  }
  const { items, run } = found.data;
  const ahead = items
    .filter(({ verified_at }) => verified_at === null)
    .toSorted((a, b) => b.risk_score - a.risk_score);
  return (
    <Card>
      <CardHeader
        title="What is likely to fire"
        hint={
          run === null ? (
            "Made at 03:00 UTC every day"
          ) : (
            <>
              From {plural(run.rules, "rule")}, <Ago at={run.as_of} />
            </>
          )
        }
      >
        {may && (
          <Button
            size="sm"
            disabled={now.isPending}
            onClick={() =>
              now.mutate(undefined, {
                onSuccess: () => say("A run begins within a minute."),
                onError: (error) => say(`Not asked for: ${messageOf(error)}`, { bad: true }),
              })
            }
          >
            <RefreshCw size={13} aria-hidden />
            Predict now
          </Button>
        )}
      </CardHeader>
      {ahead.length === 0 ? (
        <Empty icon={Sparkles} title={run === null ? "Nothing was predicted yet" : "Nothing ahead"}>
          The next run brings new predictions.
        </Empty>
      ) : (
        <ul>
          {ahead.slice(0, all ? undefined : AT_FIRST).map((prediction) => (
            <Row key={prediction.id} prediction={prediction} />
          ))}
        </ul>
      )}
      {!all && ahead.length > AT_FIRST && (
        <div className="flex justify-center border-t border-line p-3">
          <Button onClick={() => setAll(true)}>Show the other {ahead.length - AT_FIRST}</Button>
        </div>
      )}
    </Card>
  );
}

function Row({ prediction }: { prediction: Prediction }) {
  const { scorecard } = prediction;
  return (
    <li className="border-b border-line last:border-b-0">
      <details className="group">
        <summary className="flex cursor-pointer flex-wrap items-center gap-x-4 gap-y-1 px-4 py-3 hover:bg-sunken/50">
          {prediction.severity !== null && <SeverityIcon severity={prediction.severity as Severity} />}
          <span className="min-w-0 flex-1 basis-60">
            <span className="block truncate font-medium">
              {prediction.rule_name ?? prediction.framework_name}
            </span>
            <span className="block truncate text-sm text-muted">
              {title(prediction.kind)} within {prediction.horizon_hours} h · {prediction.framework_name}
            </span>
          </span>
          <Tag>{title(prediction.confidence)} confidence</Tag>
          <span className="w-36 text-right">
            <span className="numbers font-semibold">{Math.round(prediction.probability)} %</span>
            <span className="numbers block text-xs text-muted">
              usually {Math.round(prediction.climatology)} %
            </span>
          </span>
          <span className="w-28 text-right text-xs text-muted">
            {scorecard.skill === null || scorecard.skill === undefined ? (
              "not scored yet"
            ) : (
              <>
                skill <span className="numbers text-ink">{scorecard.skill.toFixed(2)}</span>
                <br />
                of {count(scorecard.n)} {scorecard.source === "verified" ? "verified" : "looked back at"}
              </>
            )}
          </span>
        </summary>
        <Detail prediction={prediction} />
      </details>
    </li>
  );
}

function Detail({ prediction }: { prediction: Prediction }) {
  const may = useMay("editor");
  const note = useNoteAction();
  return (
    <div className="grid gap-4 border-t border-line bg-sunken/40 px-4 py-3 text-sm md:grid-cols-2">
      <dl className="grid grid-cols-2 gap-x-4 gap-y-2">
        <div>
          <dt className="text-xs text-muted">Window</dt>
          <dd className="numbers">
            <At at={prediction.window_start} /> – <At at={prediction.window_end} />
          </dd>
        </div>
        <div>
          <dt className="text-xs text-muted">Risk</dt>
          <dd className="numbers">{Math.round(prediction.risk_score)} of 100</dd>
        </div>
        {prediction.rule_id !== null && (
          <div>
            <dt className="text-xs text-muted">Rule</dt>
            <dd>
              <Link to={`/rules/${prediction.rule_id}`} className="rounded text-accent hover:underline">
                {prediction.rule_name}
              </Link>
            </dd>
          </div>
        )}
      </dl>
      <div>
        <p className="text-xs text-muted">What can be done before</p>
        {prediction.preventive_actions.length === 0 ? (
          <p className="text-muted">Nothing is known that helped before.</p>
        ) : (
          <ul className="mt-1 flex flex-col gap-2">
            {prediction.preventive_actions.map((action) => (
              <li key={action.title} className="flex items-start gap-3">
                <span className="min-w-0 flex-1">
                  <span className="font-medium">{action.title}</span>
                  <span className="block text-pretty text-muted">{action.detail}</span>
                </span>
                {may && (
                  <Button
                    size="sm"
                    disabled={note.isPending}
                    onClick={() =>
                      note.mutate(
                        { id: prediction.id, action: action.title.slice(0, 200) },
                        {
                          onSuccess: () => say("Noted; the scorecard knows of it."),
                          onError: (error) => say(`Not noted: ${messageOf(error)}`, { bad: true }),
                        },
                      )
                    }
                  >
                    Done
                  </Button>
                )}
              </li>
            ))}
          </ul>
        )}
        {prediction.actions_taken.map(({ action, at }) => (
          <p key={at} className="mt-1 text-good-ink">
            ✓ {action}
          </p>
        ))}
      </div>
    </div>
  );
}
