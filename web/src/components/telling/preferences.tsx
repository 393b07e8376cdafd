import { type FormEvent, type ReactNode, useId, useState } from "react";
import { ApiError, messageOf } from "@/api/problem";
import type { EscalationStep, Preferences, PreferencesChange, Severity } from "@/api/types";
import { useIdentity } from "@/app/identity";
import { Failure } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Card, CardHeader } from "@/components/ui/card";
import { Field, Input, Select } from "@/components/ui/field";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Switch } from "@/components/ui/switch";
import { say } from "@/components/ui/toast";
import { useChannels } from "@/data/channels";
import { usePreferences, useSavePreferences, useSimulation, type Whose } from "@/data/preferences";
import { duration, parseDuration } from "@/format/time";
import { SEVERITIES, title } from "@/format/words";
import { Escalation } from "./escalation";
import { SimulationCard } from "./simulation";

const SOURCES = {
  own: "Your own choice",
  workspace: "As the workspace says",
  built_in: "As Convex comes; nothing was chosen yet",
} as const;
const GROUPINGS = [
  ["rule", "by rule"],
  ["framework", "by framework"],
  ["type", "by type"],
  ["none", "not at all"],
] as const;

export function PreferencesCard({ whose }: { whose: Whose }) {
  const preferences = usePreferences(whose);
  if (preferences.isPending) return <SkeletonRows />;
  if (preferences.isError) {
    return (
      <Card>
        <Failure error={preferences.error} retry={() => void preferences.refetch()} />
      </Card>
    );
  }
  // A new version starts the form anew.
  return <Form key={preferences.data.version} whose={whose} saved={preferences.data} />;
}

function Form({ whose, saved }: { whose: Whose; saved: Preferences }) {
  const { user } = useIdentity();
  const [draft, setDraft] = useState<PreferencesChange>({});
  const save = useSavePreferences(whose, () => say("Saved."));
  const simulation = useSimulation();
  const now = { ...saved, ...draft };
  const set = (change: PreferencesChange) => setDraft({ ...draft, ...change });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate(
      // Quiet hours go by the clock of whoever sleeps.
      { ...draft, ...(draft.quiet_hours_enabled === true && { timezone: draft.timezone ?? user.timezone }) },
      {
        onSuccess: () => {
          setDraft({});
        },
      },
    );
  };
  const problem = (field: string) => (save.error instanceof ApiError ? save.error.fields[field] : undefined);
  return (
    <form onSubmit={submit}>
      <Card>
        <CardHeader
          title={whose === "own" ? "What I am told" : "What members are told"}
          hint={SOURCES[saved.source]}
        />
        <Part title="Where" about="Channels, in this order; a rule may name others.">
          <Channels chosen={now.channels ?? []} onChange={(channels) => set({ channels })} />
        </Part>
        <Part title="What" about="Below this, nothing is sent; the inbox and the ledger say so.">
          <Field label="From severity" className="w-44">
            {(ties) => (
              <Select
                {...ties}
                value={now.min_severity ?? "info"}
                onChange={({ target }) => set({ min_severity: target.value as Severity })}
              >
                {SEVERITIES.toReversed().map((severity) => (
                  <option key={severity} value={severity}>
                    {title(severity)}
                  </option>
                ))}
              </Select>
            )}
          </Field>
          <Toggle
            label="Tell me of predictions that are likely and matter"
            checked={now.predictions === true}
            onChange={(predictions) => set({ predictions })}
          />
        </Part>
        <Part title="Quiet hours" about="Held until they end; critical alerts come through.">
          <Toggle
            label="Keep quiet"
            checked={now.quiet_hours_enabled === true}
            onChange={(quiet_hours_enabled) => set({ quiet_hours_enabled })}
          />
          {now.quiet_hours_enabled === true && (
            <>
              <Field label="From" error={problem("quiet_hours_start")}>
                {(ties) => (
                  <Input
                    {...ties}
                    type="time"
                    className="w-28"
                    value={now.quiet_hours_start ?? ""}
                    onChange={({ target }) => set({ quiet_hours_start: target.value })}
                  />
                )}
              </Field>
              <Field label="Until">
                {(ties) => (
                  <Input
                    {...ties}
                    type="time"
                    className="w-28"
                    value={now.quiet_hours_end ?? ""}
                    onChange={({ target }) => set({ quiet_hours_end: target.value })}
                  />
                )}
              </Field>
              <Field label="Time zone" error={problem("timezone")}>
                {(ties) => (
                  <Input
                    {...ties}
                    className="w-44"
                    list="zones"
                    value={now.timezone ?? ""}
                    onChange={({ target }) => set({ timezone: target.value })}
                  />
                )}
              </Field>
              <Zones />
            </>
          )}
        </Part>
        <Part
          title="Together"
          about="Alerts that come at once are one message; the first critical one does not wait."
        >
          <Field label="Group" className="w-36">
            {(ties) => (
              <Select
                {...ties}
                value={now.group_by ?? "rule"}
                onChange={({ target }) =>
                  set({ group_by: target.value as NonNullable<PreferencesChange["group_by"]> })
                }
              >
                {GROUPINGS.map(([name, text]) => (
                  <option key={name} value={name}>
                    {text}
                  </option>
                ))}
              </Select>
            )}
          </Field>
          <DurationField
            label="Wait for others"
            value={now.group_wait_seconds ?? 0}
            onChange={(group_wait_seconds) => set({ group_wait_seconds })}
          />
          <DurationField
            label="Between messages"
            value={now.group_interval_seconds ?? 0}
            onChange={(group_interval_seconds) => set({ group_interval_seconds })}
          />
          <DurationField
            label="Remind after"
            value={now.repeat_interval_seconds ?? 0}
            onChange={(repeat_interval_seconds) => set({ repeat_interval_seconds })}
          />
        </Part>
        <Part
          title="Not too much"
          about="The same again is counted, not sent; the rest of a flood comes as one digest."
        >
          <NumberField
            label="Repeats within (minutes)"
            value={now.deduplication_minutes ?? 5}
            min={1}
            max={60}
            onChange={(value) => set({ deduplication_minutes: value ?? 5 })}
          />
          <NumberField
            label="Most in an hour"
            value={now.max_per_hour ?? null}
            min={1}
            max={10_000}
            placeholder="no limit"
            onChange={(max_per_hour) => set({ max_per_hour })}
          />
        </Part>
        <Part title="Escalation" about="Until somebody acknowledges or the alert resolves.">
          <Escalation
            steps={(now.escalation_steps ?? []) as readonly EscalationStep[]}
            after={now.escalation_after_minutes ?? 60}
            onChange={set}
          />
        </Part>
        <footer className="flex items-center justify-end gap-3 px-4 py-3">
          {save.isError && (
            <p role="alert" className="mr-auto text-sm text-critical-ink">
              {messageOf(save.error)}
            </p>
          )}
          {whose === "own" && (
            <Button
              disabled={simulation.isPending || Object.keys(draft).length === 0}
              onClick={() =>
                simulation.mutate(draft, {
                  onError: (error) => say(`Not tried: ${messageOf(error)}`, { bad: true }),
                })
              }
            >
              {simulation.isPending ? "Replaying…" : "Try on the last 90 days"}
            </Button>
          )}
          <Button onClick={() => setDraft({})} disabled={Object.keys(draft).length === 0}>
            Undo
          </Button>
          <Button type="submit" look="primary" disabled={save.isPending || Object.keys(draft).length === 0}>
            {save.isPending ? "Saving…" : "Save"}
          </Button>
        </footer>
      </Card>
      {simulation.data !== undefined && <SimulationCard found={simulation.data} />}
    </form>
  );
}

function Part({ title: name, about, children }: { title: string; about: string; children: ReactNode }) {
  return (
    <section className="grid gap-x-6 gap-y-3 border-b border-line px-4 py-4 md:grid-cols-[14rem_minmax(0,1fr)]">
      <div>
        <h3 className="text-sm font-medium">{name}</h3>
        <p className="mt-0.5 text-xs text-pretty text-muted">{about}</p>
      </div>
      <div className="flex min-w-0 flex-wrap items-end gap-x-4 gap-y-3">{children}</div>
    </section>
  );
}

function Toggle({
  label,
  checked,
  onChange,
}: {
  label: string;
  checked: boolean;
  onChange: (on: boolean) => void;
}) {
  const id = useId();
  return (
    <div className="flex h-8.5 items-center gap-2.5">
      <Switch id={id} checked={checked} onCheckedChange={onChange} />
      <label htmlFor={id} className="text-sm">
        {label}
      </label>
    </div>
  );
}

function Channels({ chosen, onChange }: { chosen: readonly string[]; onChange: (names: string[]) => void }) {
  const channels = useChannels();
  const names = [
    ...new Set([...chosen, "in_app", "email", ...(channels.data?.map(({ name }) => name) ?? [])]),
  ];
  return (
    <div className="flex flex-wrap gap-x-5 gap-y-1.5">
      {names.map((name) => (
        <label key={name} className="flex items-center gap-2 text-sm">
          <input
            type="checkbox"
            className="size-4 accent-(--accent)"
            checked={chosen.includes(name)}
            onChange={({ target }) =>
              onChange(target.checked ? [...chosen, name] : chosen.filter((each) => each !== name))
            }
          />
          {name === "in_app" ? "Inbox" : name === "email" ? "E-mail" : name}
        </label>
      ))}
    </div>
  );
}

/** The zones that the browser knows, to choose from while typing. */
function Zones() {
  return (
    <datalist id="zones">
      {Intl.supportedValuesOf("timeZone").map((zone) => (
        <option key={zone} value={zone} />
      ))}
    </datalist>
  );
}

function DurationField({
  label,
  value,
  onChange,
}: {
  label: string;
  value: number;
  onChange: (seconds: number) => void;
}) {
  const [text, setText] = useState(value === 0 ? "0 s" : duration(value));
  const seconds = parseDuration(text.replace(/\bmin\b/g, "m"));
  return (
    <Field label={label} error={seconds === null ? "Such as 30s or 5m" : undefined}>
      {(ties) => (
        <Input
          {...ties}
          className="w-28"
          value={text}
          onChange={({ target }) => {
            setText(target.value);
            const next = parseDuration(target.value.replace(/\bmin\b/g, "m"));
            if (next !== null) onChange(next);
          }}
        />
      )}
    </Field>
  );
}

export function NumberField({
  label,
  value,
  min,
  max,
  placeholder,
  onChange,
}: {
  label: string;
  value: number | null;
  min: number;
  max: number;
  placeholder?: string;
  onChange: (value: number | null) => void;
}) {
  return (
    <Field label={label}>
      {(ties) => (
        <Input
          {...ties}
          type="number"
          className="w-32"
          min={min}
          max={max}
          placeholder={placeholder}
          value={value ?? ""}
          onChange={({ target }) => onChange(target.value === "" ? null : Number(target.value))}
        />
      )}
    </Field>
  );
}
