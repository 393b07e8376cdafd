import clsx from "clsx";
import { FilePenLine } from "lucide-react";
import { type FormEvent, useState } from "react";
import { messageOf } from "@/api/problem";
import type { StrategyScore, StrategyVersion } from "@/api/types";
import { useMay } from "@/app/identity";
import { Tag } from "@/components/badges";
import { Empty, Failure } from "@/components/states";
import { Ago } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card, CardHeader } from "@/components/ui/card";
import { Field, Input, Textarea } from "@/components/ui/field";
import { SkeletonRows } from "@/components/ui/skeleton";
import {
  useAddStrategyVersion,
  useStrategyDiff,
  useStrategyScores,
  useStrategyVersions,
} from "@/data/health";
import { count } from "@/format/number";
import { title } from "@/format/words";

const SIDES = [
  "clarity",
  "specificity",
  "outcome_focus",
  "proof",
  "objection_handling",
  "risk_removal",
] as const;

/** Numbered versions of the strategy, what changed in each, and what each was judged at. */
export function Strategy({ framework }: { framework: string }) {
  const versions = useStrategyVersions(framework);
  const scores = useStrategyScores(framework);
  const may = useMay("editor");
  const [writing, setWriting] = useState(false);
  const [open, setOpen] = useState<number | null>(null);
  return (
    <Card>
      <CardHeader title="Strategy" hint="Versions never change; each has a number">
        {may && !writing && (
          <Button size="sm" onClick={() => setWriting(true)}>
            <FilePenLine size={13} aria-hidden />
            New version
          </Button>
        )}
      </CardHeader>
      {writing && <VersionForm framework={framework} onDone={() => setWriting(false)} />}
      {versions.isPending ? (
        <SkeletonRows rows={2} />
      ) : versions.isError ? (
        <Failure error={versions.error} retry={() => void versions.refetch()} />
      ) : versions.data.items.length === 0 ? (
        <Empty icon={FilePenLine} title="No strategy yet">
          Write down what this framework is to achieve and why it will; it is scored by a rubric.
        </Empty>
      ) : (
        <ul>
          {versions.data.items.map((version) => (
            <Version
              key={version.id}
              framework={framework}
              version={version}
              score={scores.data?.items.find((score) => score.version === version.number)}
              open={open === version.number}
              onToggle={() => setOpen(open === version.number ? null : version.number)}
            />
          ))}
        </ul>
      )}
    </Card>
  );
}

const VERDICTS = {
  pass: "bg-good-tint text-good-ink",
  needs_revision: "bg-warning-tint text-warning-ink",
  fail: "bg-critical-tint text-critical-ink",
} as const;

function Version({
  framework,
  version,
  score,
  open,
  onToggle,
}: {
  framework: string;
  version: StrategyVersion;
  score: StrategyScore | undefined;
  open: boolean;
  onToggle: () => void;
}) {
  return (
    <li className="border-b border-line last:border-b-0">
      <button
        type="button"
        aria-expanded={open}
        onClick={onToggle}
        className="flex w-full flex-wrap items-center gap-x-4 gap-y-1 px-4 py-3 text-left hover:bg-sunken/50"
      >
        <span className="numbers font-semibold">Version {version.number}</span>
        <span className="min-w-0 flex-1 truncate text-sm text-muted">
          {version.note !== "" && `${version.note} · `}
          {version.author?.name ?? "Somebody who left"}, <Ago at={version.created_at} /> ·{" "}
          {count(version.characters)} characters
        </span>
        {score !== undefined && (
          <span
            className={clsx("rounded-full px-2 text-xs leading-5.5 font-medium", VERDICTS[score.verdict])}
          >
            {Math.round(score.score)} · {title(score.verdict)}
          </span>
        )}
      </button>
      {open && (
        <div className="grid gap-5 border-t border-line bg-sunken/40 p-4 lg:grid-cols-[minmax(0,1fr)_17rem]">
          <Diff framework={framework} number={version.number} />
          {score !== undefined && <Sides score={score} />}
        </div>
      )}
    </li>
  );
}

function Diff({ framework, number }: { framework: string; number: number }) {
  const diff = useStrategyDiff(framework, number);
  if (diff.isPending) return <SkeletonRows rows={3} />;
  if (diff.isError) return <Failure error={diff.error} />;
  const { old, added, removed, unified } = diff.data;
  return (
    <div className="min-w-0">
      <p className="mb-2 text-xs text-muted">
        {old === 0 ? "The first version" : `Against version ${old}`}: {count(added)} lines added,{" "}
        {count(removed)} removed
      </p>
      <pre
        tabIndex={0}
        className="max-h-96 overflow-auto rounded-lg border border-line bg-surface p-3 font-mono text-xs leading-5 whitespace-pre-wrap"
      >
        {unified
          .split("\n")
          .filter((line) => !/^(---|\+\+\+|@@)/.test(line))
          .map((line, index) => (
            <span
              key={index}
              className={clsx(
                "block",
                line.startsWith("+") && "bg-good-tint text-good-ink",
                line.startsWith("-") && "bg-critical-tint text-critical-ink",
              )}
            >
              {line === "" ? " " : line}
            </span>
          ))}
      </pre>
    </div>
  );
}

function Sides({ score }: { score: StrategyScore }) {
  return (
    <div>
      <p className="mb-2 text-xs text-muted">
        Judged{" "}
        <Tag>{score.scored_by === "hand" ? (score.author?.name ?? "by hand") : `by ${score.scored_by}`}</Tag>
      </p>
      <dl className="flex flex-col gap-2 text-sm">
        {SIDES.map((side) => (
          <div key={side}>
            <div className="flex justify-between">
              <dt>{title(side)}</dt>
              <dd className="numbers">{Math.round(score.sub_scores[side])}</dd>
            </div>
            <svg viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden className="h-1.5 w-full">
              <rect width={100} height={2} rx={1} fill="var(--line)" />
              <rect width={score.sub_scores[side]} height={2} rx={1} fill="var(--series-1)" />
            </svg>
          </div>
        ))}
      </dl>
      <p className="mt-3 text-xs text-pretty whitespace-pre-line text-muted">{score.rationale}</p>
    </div>
  );
}

function VersionForm({ framework, onDone }: { framework: string; onDone: () => void }) {
  const add = useAddStrategyVersion(framework);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    add.mutate(
      { document: String(form.get("document")), note: String(form.get("note")) },
      { onSuccess: onDone },
    );
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-3 border-b border-line p-4">
      <Field
        label="The strategy"
        hint="Markdown or plain text"
        error={add.isError ? messageOf(add.error) : undefined}
      >
        {(ties) => <Textarea {...ties} name="document" rows={12} required className="font-mono" />}
      </Field>
      <Field label="What is new">{(ties) => <Input {...ties} name="note" maxLength={500} />}</Field>
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" look="primary" disabled={add.isPending}>
          {add.isPending ? "Saving…" : "Save as a new version"}
        </Button>
      </div>
    </form>
  );
}
