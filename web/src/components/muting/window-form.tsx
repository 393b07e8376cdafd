import { Plus, X } from "lucide-react";
import { type FormEvent, useState } from "react";
import { ApiError, messageOf } from "@/api/problem";
import type { Interval, Matcher } from "@/api/types";
import { useZone } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/field";
import { useAddWindow } from "@/data/muting";
import { title } from "@/format/words";
import { MatchersField } from "./matchers";

const DAYS: readonly Interval["days"][number][] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const NIGHT: Interval = { days: [], start: "22:00", end: "06:00" };

/** What is muted at the same hours every week. */
export function WindowForm({ onDone }: { onDone: () => void }) {
  const [matchers, setMatchers] = useState<readonly Matcher[]>([
    { label: "framework", operator: "=", value: "" },
  ]);
  const [intervals, setIntervals] = useState<readonly Interval[]>([NIGHT]);
  const zone = useZone();
  const add = useAddWindow();
  const fields = add.error instanceof ApiError ? add.error.fields : {};
  const set = (at: number, change: Partial<Interval>) =>
    setIntervals(intervals.map((each, index) => (index === at ? { ...each, ...change } : each)));
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    add.mutate(
      {
        name: String(form.get("name")).trim(),
        timezone: String(form.get("timezone")).trim(),
        matchers: [...matchers],
        intervals: [...intervals],
        enabled: true,
      },
      { onSuccess: onDone },
    );
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field label="Name" error={fields["name"]}>
        {(ties) => <Input {...ties} name="name" required maxLength={200} placeholder="Nightly imports" />}
      </Field>
      <MatchersField value={matchers} onChange={setMatchers} />
      <fieldset className="flex min-w-0 flex-col gap-2">
        <legend className="mb-1 text-xs font-medium">Muted</legend>
        {intervals.map((interval, index) => (
          <div key={index} className="flex flex-col gap-2 rounded-lg border border-line p-2.5">
            <Days value={interval.days} onChange={(days) => set(index, { days })} />
            <div className="flex items-center gap-2 text-sm">
              <Input
                type="time"
                aria-label="From"
                required
                value={interval.start}
                onChange={({ target }) => set(index, { start: target.value })}
              />
              to
              <Input
                type="time"
                aria-label="Until"
                required
                value={interval.end}
                onChange={({ target }) => set(index, { end: target.value })}
              />
              <Button
                look="ghost"
                size="icon"
                aria-label="Remove these hours"
                disabled={intervals.length === 1}
                onClick={() => setIntervals(intervals.filter((_, at) => at !== index))}
              >
                <X size={14} />
              </Button>
            </div>
          </div>
        ))}
        <Button size="sm" className="self-start" onClick={() => setIntervals([...intervals, NIGHT])}>
          <Plus size={13} aria-hidden />
          More hours
        </Button>
      </fieldset>
      <Field label="Time zone" hint="Hours go by its clocks" error={fields["timezone"]}>
        {(ties) => <Input {...ties} name="timezone" required defaultValue={zone} />}
      </Field>
      {add.isError && (
        <p role="alert" className="text-sm text-critical-ink">
          {messageOf(add.error)}
        </p>
      )}
      <Button type="submit" look="primary" disabled={add.isPending} className="self-end">
        {add.isPending ? "Saving…" : "Mute these hours"}
      </Button>
    </form>
  );
}

/** On which days an interval begins; none chosen means every day. */
function Days({ value, onChange }: { value: Interval["days"]; onChange: (days: Interval["days"]) => void }) {
  return (
    <div role="group" aria-label="Days; every day when none is chosen" className="flex flex-wrap gap-1">
      {DAYS.map((day) => {
        const on = value.includes(day);
        return (
          <Button
            key={day}
            size="sm"
            aria-pressed={on}
            className={on ? "border-accent! bg-accent-tint! px-2! text-accent!" : "px-2!"}
            onClick={() => onChange(DAYS.filter((each) => (each === day ? !on : value.includes(each))))}
          >
            {title(day)}
          </Button>
        );
      })}
      <span className="self-center pl-1 text-xs text-muted">
        {value.length === 0 || value.length === 7 ? "every day" : ""}
      </span>
    </div>
  );
}
