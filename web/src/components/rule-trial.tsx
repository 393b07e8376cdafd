import { Wand2 } from "lucide-react";
import type { ReactNode } from "react";
import { messageOf } from "@/api/problem";
import type { Backtest, BacktestSummary, Candidate, Rule } from "@/api/types";
import type { RuleDraft } from "@/data/rule-draft";
import { TRIAL_DAYS, useTuning } from "@/data/trials";
import { count, number, plural, quantity } from "@/format/number";
import { Button } from "./ui/button";
import { Card, CardHeader } from "./ui/card";
import { Skeleton } from "./ui/skeleton";
import { say } from "./ui/toast";

interface TrialProps {
  trial: { data: Backtest | undefined; error: Error | null; isFetching: boolean };
}

/** What the rule would have done in the past, told while it is being written. */
export function RuleTrial({ trial }: TrialProps) {
  const { data, error, isFetching } = trial;
  return (
    <Card>
      <CardHeader title="What it would have done" hint={`In the last ${TRIAL_DAYS} days`}>
        <span role="status" className="text-xs text-muted">
          {isFetching && "Replaying…"}
        </span>
      </CardHeader>
      <div className="p-4">
        {error !== null ? (
          <p className="text-sm text-critical-ink">{messageOf(error)}</p>
        ) : data === undefined ? (
          isFetching ? (
            <Skeleton className="h-20 w-full" />
          ) : (
            <p className="text-sm text-muted">
              As soon as the rule is complete, it is replayed on the real past.
            </p>
          )
        ) : (
          <Told tested={data.tested} saved={data.saved} />
        )}
      </div>
    </Card>
  );
}

function Told({ tested, saved }: { tested: BacktestSummary; saved: BacktestSummary | null }) {
  const [low, high] = tested.triggers_per_week_interval ?? [];
  const marked = tested.actionable.total + tested.false_positive.total;
  return (
    <dl className="grid grid-cols-2 gap-x-4 gap-y-3 text-sm sm:grid-cols-3">
      <Figure name="Alerts a week" before={saved && number(saved.triggers_per_week)}>
        {number(tested.triggers_per_week)}
        {low !== undefined && high !== undefined && (
          <span className="text-xs font-normal text-muted">
            {" "}
            ({number(low)}–{number(high)})
          </span>
        )}
      </Figure>
      <Figure name="At night" before={saved && quantity(saved.sleep_hour_share, "ratio")}>
        {quantity(tested.sleep_hour_share, "ratio")}
      </Figure>
      <Figure name="Flapping" before={saved && count(saved.flaps)}>
        {count(tested.flaps)}
      </Figure>
      <Figure name="Firing" before={saved && quantity(saved.firing_share, "ratio")}>
        {quantity(tested.firing_share, "ratio")} of the time
      </Figure>
      {marked > 0 && (
        <>
          <Figure name="Found of the actionable" before={saved && count(saved.actionable.found)}>
            {count(tested.actionable.found)} of {count(tested.actionable.total)}
          </Figure>
          <Figure name="False alarms again" before={saved && count(saved.false_positive.found)}>
            {count(tested.false_positive.found)} of {count(tested.false_positive.total)}
          </Figure>
        </>
      )}
      <p className="col-span-full text-xs text-muted">
        {plural(tested.triggers, "alert")} on {plural(tested.series, "series", "series")}.
        {marked === 0 && " Mark alerts as actionable or false, and this tells which of them it would find."}
      </p>
    </dl>
  );
}

function Figure({ name, before, children }: { name: string; before: string | null; children: ReactNode }) {
  return (
    <div>
      <dt className="text-xs text-muted">{name}</dt>
      <dd className="numbers font-semibold">{children}</dd>
      {before !== null && <dd className="numbers text-xs text-muted">saved: {before}</dd>}
    </div>
  );
}

interface TuningProps {
  rule: Rule;
  onTake: (change: Partial<RuleDraft>) => void;
}

/** Settings that no other beats: alerts saved against actionable ones missed. */
export function RuleTuning({ rule, onTake }: TuningProps) {
  const tuning = useTuning();
  return (
    <Card>
      <CardHeader title="Better settings" hint="Found on the last year">
        <Button
          size="sm"
          disabled={tuning.isPending}
          onClick={() =>
            tuning.mutate(rule.id, {
              onError: (error) => say(`Nothing was found: ${messageOf(error)}`, { bad: true }),
            })
          }
        >
          <Wand2 size={13} aria-hidden />
          {tuning.isPending ? "Trying…" : "Look for some"}
        </Button>
      </CardHeader>
      {tuning.data !== undefined &&
        (tuning.data.candidates.length === 0 ? (
          <p className="px-4 py-4 text-sm text-muted">
            {count(tuning.data.tried)} settings were tried; none is better than what is saved.
          </p>
        ) : (
          <ul>
            {tuning.data.candidates.map((candidate) => (
              <Proposal key={JSON.stringify(settings(candidate))} candidate={candidate} onTake={onTake} />
            ))}
          </ul>
        ))}
    </Card>
  );
}

function Proposal({ candidate, onTake }: { candidate: Candidate; onTake: TuningProps["onTake"] }) {
  const { actionable } = candidate.backtest;
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-1 border-b border-line px-4 py-2.5 text-sm last:border-b-0">
      <span className="min-w-0 flex-1 basis-48">
        <span className="font-medium">{settings(candidate).join(", ")}</span>
        <span className="numbers block text-xs text-muted">
          saves {number(candidate.saved_per_week)} alerts a week
          {actionable.total > 0 &&
            `, misses ${candidate.missed_actionable} of ${actionable.total} actionable`}
        </span>
      </span>
      <Button
        size="sm"
        onClick={() =>
          onTake({
            ...(candidate.threshold_value !== null && { threshold_value: String(candidate.threshold_value) }),
            ...(candidate.change_percentage !== null && {
              change_percentage: String(candidate.change_percentage),
            }),
            recovery_threshold:
              candidate.recovery_threshold === null ? "" : String(candidate.recovery_threshold),
            for: candidate.for,
            keep_firing_for: candidate.keep_firing_for,
          })
        }
      >
        Try it
      </Button>
    </li>
  );
}

function settings(candidate: Candidate): string[] {
  return [
    candidate.threshold_value !== null && `threshold ${number(candidate.threshold_value)}`,
    candidate.change_percentage !== null && `change ${number(candidate.change_percentage)} %`,
    candidate.recovery_threshold !== null && `recovers at ${number(candidate.recovery_threshold)}`,
    `for ${candidate.for}`,
    `kept for ${candidate.keep_firing_for}`,
  ].filter((each): each is string => each !== false);
}
