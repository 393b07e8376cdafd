import { type FormEvent, useState } from "react";
import { Link } from "react-router";
import { ApiError, messageOf } from "@/api/problem";
import type {
  Aggregate,
  AlertType,
  Condition,
  NoData,
  Rule,
  RuleInput,
  Sensitivity,
  Severity,
} from "@/api/types";
import { useFrameworks, useMetrics } from "@/data/frameworks";
import {
  check,
  conditionsOf,
  type DraftErrors,
  inputOf,
  recovers,
  type RuleDraft,
  usesChange,
} from "@/data/rule-draft";
import { useBacktest } from "@/data/trials";
import { conditionWords, SEVERITIES, title, TYPES } from "@/format/words";
import { ChannelChoice } from "./channel-choice";
import { RulePreview } from "./rule-preview";
import { RuleTrial, RuleTuning } from "./rule-trial";
import { Button, buttonClass } from "./ui/button";
import { Card, CardHeader } from "./ui/card";
import { Field, Input, Select, Textarea } from "./ui/field";
import { Switch } from "./ui/switch";

const AGGREGATES: readonly Aggregate[] = ["last", "mean", "min", "max", "sum", "count", "p50", "p95"];
const SENSITIVITIES: readonly Sensitivity[] = ["low", "medium", "high"];
const NO_DATA: readonly (readonly [NoData, string])[] = [
  ["keep", "keep the state it has"],
  ["ok", "count as fine"],
  ["alert", "alert"],
];

interface RuleFormProps {
  start: RuleDraft;
  /** The rule as it is saved; none for a new one. */
  saved: Rule | undefined;
  readOnly: boolean;
  busy: boolean;
  error: Error | null;
  onSave: (input: RuleInput) => void;
}

export function RuleForm({ start, saved, readOnly, busy, error, onSave }: RuleFormProps) {
  const [draft, setDraft] = useState(start);
  const [tried, setTried] = useState(false);
  const frameworks = useFrameworks();
  const metrics = useMetrics(draft.framework_id);
  const metric = metrics.data?.find(({ id }) => id === draft.metric_id);
  const found = check(draft);
  const trial = useBacktest(draft, saved);
  const refused: Readonly<Record<string, string>> = error instanceof ApiError ? error.fields : {};
  const problems: DraftErrors = tried ? { ...refused, ...found } : {};

  const set = (change: Partial<RuleDraft>) => setDraft((before) => ({ ...before, ...change }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(found).length === 0) onSave(inputOf(draft));
  };
  const text =
    (name: TextName, attributes: { placeholder?: string; inputMode?: "decimal" } = {}) =>
    (ties: Ties) => (
      <Input
        {...ties}
        {...attributes}
        value={draft[name]}
        onChange={({ target }) => set({ [name]: target.value })}
      />
    );

  return (
    <form
      onSubmit={submit}
      noValidate
      className="grid items-start gap-5 xl:grid-cols-[minmax(0,1fr)_minmax(24rem,0.8fr)]"
    >
      <fieldset disabled={readOnly || busy} className="contents">
        <Card className="min-w-0">
          <Part legend="What it watches">
            <Field label="Name" error={problems.name} className="sm:col-span-2">
              {text("name", { placeholder: "Cancellations are high" })}
            </Field>
            <Field label="Framework" error={problems.framework_id}>
              {(ties) => (
                <Select
                  {...ties}
                  value={draft.framework_id}
                  onChange={({ target }) => set({ framework_id: target.value, metric_id: "" })}
                >
                  <option value="">Choose…</option>
                  {frameworks.data?.map(({ id, name }) => (
                    <option key={id} value={id}>
                      {name}
                    </option>
                  ))}
                </Select>
              )}
            </Field>
            <Field label="Metric" error={problems.metric_id}>
              {(ties) => (
                <Select
                  {...ties}
                  value={draft.metric_id}
                  onChange={({ target }) => {
                    const chosen = metrics.data?.find(({ id }) => id === target.value);
                    set({ metric_id: target.value, ...(chosen && { aggregate: chosen.default_aggregate }) });
                  }}
                >
                  <option value="">{draft.type === "anomaly" ? "All, in one alert" : "Choose…"}</option>
                  {metrics.data?.map(({ id, name }) => (
                    <option key={id} value={id}>
                      {title(name)}
                    </option>
                  ))}
                </Select>
              )}
            </Field>
          </Part>
          <Part legend="When it fires">
            <Field label="Kind" error={problems.type}>
              {(ties) => (
                <Choices
                  ties={ties}
                  value={draft.type}
                  values={TYPES}
                  onChange={(type: AlertType) =>
                    set({
                      type,
                      // A condition that the new kind does not know gives way to its first.
                      condition: conditionsOf(type).includes(draft.condition) ? draft.condition : "above",
                      // The detector looks at each value itself.
                      ...(type === "anomaly" && { aggregate: "last", window: "0s" }),
                    })
                  }
                />
              )}
            </Field>
            <Field label="Condition" error={problems.condition}>
              {(ties) => (
                <Select
                  {...ties}
                  value={draft.condition}
                  onChange={({ target }) => set({ condition: target.value as Condition })}
                >
                  {conditionsOf(draft.type).map((value) => (
                    <option key={value} value={value}>
                      {conditionWords(draft.type, value)}
                    </option>
                  ))}
                </Select>
              )}
            </Field>
            {draft.type === "anomaly" ? (
              <Field label="Sensitivity" hint="The higher, the sooner it fires" error={problems.sensitivity}>
                {(ties) => (
                  <Choices
                    ties={ties}
                    value={draft.sensitivity}
                    values={SENSITIVITIES}
                    onChange={(sensitivity: Sensitivity) => set({ sensitivity })}
                  />
                )}
              </Field>
            ) : usesChange(draft) ? (
              <Field label="Change" hint="Per cent" error={problems.change_percentage}>
                {text("change_percentage", { inputMode: "decimal" })}
              </Field>
            ) : (
              <Field
                label={draft.type === "milestone" ? "Goal" : "Threshold"}
                hint={metric && `In ${unitName(metric.unit)}`}
                error={problems.threshold_value}
              >
                {text("threshold_value", { inputMode: "decimal" })}
              </Field>
            )}
            {recovers(draft) && (
              <Field label="Recovers at" hint="Empty: where it fires" error={problems.recovery_threshold}>
                {text("recovery_threshold", { inputMode: "decimal" })}
              </Field>
            )}
            <Field label="Of the" error={problems.aggregate}>
              {(ties) => (
                <Choices
                  ties={ties}
                  value={draft.aggregate}
                  values={AGGREGATES}
                  onChange={(aggregate: Aggregate) => set({ aggregate })}
                />
              )}
            </Field>
            <Field label="Over" hint="Length of the window" error={problems.window}>
              {text("window", { placeholder: "1h" })}
            </Field>
            <Field label="Held for" hint="Before it fires" error={problems.for}>
              {text("for", { placeholder: "0s" })}
            </Field>
            <Field label="Kept for" hint="Before it resolves" error={problems.keep_firing_for}>
              {text("keep_firing_for", { placeholder: "0s" })}
            </Field>
            <Field label="Without data" error={problems.no_data}>
              {(ties) => (
                <Select
                  {...ties}
                  value={draft.no_data}
                  onChange={({ target }) => set({ no_data: target.value as NoData })}
                >
                  {NO_DATA.map(([value, words]) => (
                    <option key={value} value={value}>
                      {words}
                    </option>
                  ))}
                </Select>
              )}
            </Field>
            <Field label="No data after" hint="Empty: the default" error={problems.no_data_after}>
              {text("no_data_after", { placeholder: "2h" })}
            </Field>
          </Part>
          <Part legend="What it means">
            <Field label="Severity" error={problems.severity}>
              {(ties) => (
                <Choices
                  ties={ties}
                  value={draft.severity}
                  values={SEVERITIES}
                  onChange={(severity: Severity) => set({ severity })}
                />
              )}
            </Field>
            <Field label="Counts as a repeat within" error={problems.deduplication_window}>
              {text("deduplication_window", { placeholder: "5m" })}
            </Field>
            <Field label="Description" error={problems.description} className="sm:col-span-2">
              {(ties) => (
                <Textarea
                  {...ties}
                  value={draft.description}
                  onChange={({ target }) => set({ description: target.value })}
                />
              )}
            </Field>
            <Field label="Tags" hint="With commas" error={problems.tags} className="sm:col-span-2">
              {text("tags")}
            </Field>
            <ChannelChoice chosen={draft.channels} onChange={(channels) => set({ channels })} />
            <Field label="Runbook" error={problems.runbook_url} className="sm:col-span-2">
              {text("runbook_url", { placeholder: "https://" })}
            </Field>
          </Part>
        </Card>
        <div className="flex min-w-0 flex-col gap-5 xl:sticky xl:top-18">
          <Card>
            <CardHeader title="On the last 30 days" />
            <RulePreview draft={draft} metric={metric} episodes={trial.data?.tested.episodes} />
          </Card>
          <RuleTrial trial={trial} />
          {saved !== undefined && saved.type !== "milestone" && !readOnly && (
            <RuleTuning rule={saved} onTake={set} />
          )}
          <Card className="flex items-center justify-between gap-4 px-4 py-3">
            <label htmlFor="enabled" className="text-sm font-medium">
              Enabled
            </label>
            <Switch id="enabled" checked={draft.enabled} onCheckedChange={(enabled) => set({ enabled })} />
          </Card>
          {error !== null && (
            <p role="alert" className="rounded-md bg-critical-tint px-3 py-2 text-sm text-critical-ink">
              Not saved: {messageOf(error)}
            </p>
          )}
          {!readOnly && (
            <div className="flex justify-end gap-2">
              <Link to="/rules" className={buttonClass()}>
                Cancel
              </Link>
              <Button type="submit" look="primary">
                {busy ? "Saving…" : "Save rule"}
              </Button>
            </div>
          )}
        </div>
      </fieldset>
    </form>
  );
}

type Ties = { id: string; "aria-describedby"?: string; "aria-invalid"?: true };
type TextName = {
  [K in keyof RuleDraft]: string extends RuleDraft[K] ? K : never;
}[keyof RuleDraft];

function Part({ legend, children }: { legend: string; children: React.ReactNode }) {
  return (
    <section className="border-b border-line p-4 last:border-b-0">
      <h2 className="mb-3 text-base font-semibold">{legend}</h2>
      <div className="grid gap-x-4 gap-y-3.5 sm:grid-cols-2">{children}</div>
    </section>
  );
}

interface ChoicesProps<T extends string> {
  ties: Ties;
  value: T;
  values: readonly T[];
  onChange: (value: T) => void;
}

function Choices<T extends string>({ ties, value, values, onChange }: ChoicesProps<T>) {
  return (
    <Select {...ties} value={value} onChange={({ target }) => onChange(target.value as T)}>
      {values.map((each) => (
        <option key={each} value={each}>
          {title(each)}
        </option>
      ))}
    </Select>
  );
}

function unitName(unit: string): string {
  return unit === "ratio" ? "shares of one (0.2 is 20 %)" : unit === "" ? "the metric's unit" : unit;
}
