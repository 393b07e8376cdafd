import clsx from "clsx";
import { Check, KeyRound, X } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Link } from "react-router";
import { messageOf } from "@/api/problem";
import { useIdentity, useMay } from "@/app/identity";
import { proposalFor, ruleFor, type Step, STEPS, useFirstSteps, useLed } from "@/data/first-steps";
import { useMakeIngestKey } from "@/data/keys";
import { useSaveRule } from "@/data/rules";
import { number } from "@/format/number";
import { title } from "@/format/words";
import { Code } from "./code";
import { type Details, SNIPPETS, type Way, WAYS } from "./first-snippets";
import { FrameworkForm } from "./framework-form";
import { Button, buttonClass } from "./ui/button";
import { Card, CardHeader } from "./ui/card";
import { Segmented } from "./ui/segmented";
import { say } from "./ui/toast";

/** From an empty workspace to the first alert delivered; gone once somebody has been there. */
export function FirstSteps() {
  const { workspace } = useIdentity();
  const [led, end] = useLed(workspace.id);
  return led ? <Steps onEnd={end} /> : null;
}

const NAMES: Record<Step, string> = {
  name: "Name what you watch",
  point: "Push the first point",
  rule: "Say what counts as wrong",
  fire: "Make it happen",
  told: "Be told",
};

function Steps({ onEnd }: { onEnd: () => void }) {
  const state = useFirstSteps();
  const key = useMakeIngestKey();
  const { framework, metric, rule, trigger, newest, done, step } = state;
  const details: Details = {
    origin: location.origin,
    key: key.data?.key ?? "YOUR_API_KEY",
    slug: framework?.slug ?? "",
    metric: metric?.name ?? "checkout_rate",
    value: 0.42,
  };
  const proposal = proposalFor(newest ?? details.value);
  const firing =
    rule?.threshold_value === undefined || rule.threshold_value === null
      ? proposal.firing
      : rule.condition === "below"
        ? rule.threshold_value / 2
        : rule.threshold_value * 2 + 1;
  const bodies: Record<Step, ReactNode> = {
    name: <NameIt />,
    point: <Push details={details} make={key} waiting="Waiting for the first point…" />,
    rule: metric === undefined ? null : <FirstRule metric={metric} proposal={proposal} />,
    fire: (
      <Push
        details={{ ...details, value: Number(firing.toPrecision(2)) }}
        make={key}
        only
        waiting="Waiting for a point that breaks the rule…"
      />
    ),
    told: (
      <p role="status" className="flex items-center gap-2 text-sm text-muted">
        <Pulse />
        The alert is open; similar ones are awaited for half a minute, then you are told.
      </p>
    ),
  };
  return (
    <Card>
      <CardHeader
        title={step === null ? "Your first alert has arrived" : "Your first alert, in five minutes"}
        hint={`${STEPS.filter((each) => done[each]).length} of ${STEPS.length} done`}
      >
        <Button size="sm" look={step === null ? "primary" : "ghost"} onClick={onEnd}>
          {step !== null && <X size={13} aria-hidden />}
          {step === null ? "Done" : "Hide"}
        </Button>
      </CardHeader>
      <ol className="px-4 py-3 sm:px-5">
        {STEPS.map((each, index) => (
          <li key={each} aria-current={each === step ? "step" : undefined} className="py-1.5">
            <p className="flex items-center gap-2.5">
              <Mark done={done[each]} current={each === step} number={index + 1} />
              <span className={clsx(each === step ? "font-semibold" : !done[each] && "text-muted")}>
                {each === "point" && framework !== undefined
                  ? `Push the first point of ${framework.name}`
                  : NAMES[each]}
              </span>
            </p>
            {each === step && <div className="mt-2 mb-3 sm:pl-8.5">{bodies[each]}</div>}
          </li>
        ))}
      </ol>
      {step === null && (
        <p className="flex flex-wrap gap-2 px-4 pb-4 sm:pl-14">
          {trigger !== undefined && (
            <Link to={`/alerts/${trigger.id}`} className={buttonClass({ size: "sm" })}>
              Look at the alert
            </Link>
          )}
          <Link to="/inbox" className={buttonClass({ size: "sm" })}>
            Inbox
          </Link>
          <Link to="/notifications?tab=channels" className={buttonClass({ size: "sm" })}>
            Tell Slack, a webhook or a team
          </Link>
          <Link to="/workspace" className={buttonClass({ size: "sm" })}>
            Add people
          </Link>
        </p>
      )}
    </Card>
  );
}

function Mark({ done, current, number: n }: { done: boolean; current: boolean; number: number }) {
  return (
    <span
      className={clsx(
        "numbers grid size-6 shrink-0 place-items-center rounded-full text-xs font-semibold",
        done ? "bg-good-tint text-good-ink" : current ? "bg-accent text-on-accent" : "bg-sunken text-muted",
      )}
    >
      {done ? <Check size={14} role="img" aria-label="Done" /> : n}
    </span>
  );
}

function Pulse() {
  return <span aria-hidden className="size-2 shrink-0 animate-breathe rounded-full bg-accent" />;
}

function NameIt() {
  const may = useMay("editor");
  return (
    <>
      <p className="mb-3 max-w-prose text-sm text-pretty text-muted">
        A framework is anything you measure. Its metrics appear by themselves with their first points.
      </p>
      {may ? (
        <FrameworkForm />
      ) : (
        <p>Nothing is watched yet. An editor or owner can create the first framework.</p>
      )}
    </>
  );
}

interface PushProps {
  details: Details;
  make: ReturnType<typeof useMakeIngestKey>;
  waiting: string;
  /** Only ways that send one chosen value. */
  only?: boolean;
}

function Push({ details, make, waiting, only = false }: PushProps) {
  const [way, setWay] = useState<Way>("curl");
  const owner = useMay("owner");
  const ways = only ? WAYS.filter(([name]) => name !== "prometheus") : WAYS;
  return (
    <>
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <Segmented label="How points are sent" value={way} onChange={setWay} choices={ways} />
        {owner && make.data === undefined && (
          <Button
            disabled={make.isPending}
            onClick={() =>
              make.mutate(undefined, {
                onError: (error) => say(`No key was made: ${messageOf(error)}`, { bad: true }),
              })
            }
          >
            <KeyRound size={14} aria-hidden />
            Make a key for it
          </Button>
        )}
        {make.data !== undefined && (
          <p className="text-sm text-good-ink">The key is in place; it is shown only now.</p>
        )}
        {!owner && <p className="text-sm text-muted">An owner makes keys, under Workspace.</p>}
      </div>
      <Code label="What to run" text={SNIPPETS[way](details)} />
      <p role="status" className="mt-3 flex items-center gap-2 text-sm text-muted">
        <Pulse />
        {waiting}
      </p>
    </>
  );
}

function FirstRule({
  metric,
  proposal,
}: {
  metric: Parameters<typeof ruleFor>[0];
  proposal: ReturnType<typeof proposalFor>;
}) {
  const may = useMay("editor");
  const save = useSaveRule(null);
  const { condition, threshold } = proposal;
  return (
    <>
      <p className="mb-3 max-w-prose text-sm text-pretty text-muted">
        A rule looks at every point as it comes in. A simple one to begin with: warn when{" "}
        <span className="font-medium text-ink">{title(metric.name).toLowerCase()}</span> is {condition}{" "}
        <span className="numbers font-medium text-ink">{number(threshold)}</span>.
      </p>
      {may && (
        <div className="flex flex-wrap gap-2">
          <Button
            look="primary"
            disabled={save.isPending}
            onClick={() =>
              save.mutate(ruleFor(metric, proposal), {
                onError: (error) => say(`Not made: ${messageOf(error)}`, { bad: true }),
              })
            }
          >
            Make this rule
          </Button>
          <Link to={`/rules/new?framework=${metric.framework_id}`} className={buttonClass()}>
            Write my own
          </Link>
        </div>
      )}
    </>
  );
}
