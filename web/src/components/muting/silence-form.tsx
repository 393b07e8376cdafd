import { type FormEvent, useDeferredValue, useState } from "react";
import { ApiError, messageOf } from "@/api/problem";
import type { Matcher } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Field, Select, Textarea } from "@/components/ui/field";
import { useSilence, useSilencePreview } from "@/data/muting";
import { plural } from "@/format/number";
import { MatchersField } from "./matchers";

const HOURS = [
  [1, "1 hour"],
  [4, "4 hours"],
  [12, "12 hours"],
  [24, "1 day"],
  [72, "3 days"],
  [168, "1 week"],
] as const;

export function SilenceForm({ begin, onDone }: { begin?: readonly Matcher[]; onDone: () => void }) {
  const [matchers, setMatchers] = useState<readonly Matcher[]>(
    begin ?? [{ label: "framework", operator: "=", value: "" }],
  );
  const [hours, setHours] = useState(4);
  const [broad, setBroad] = useState(false);
  const silence = useSilence();
  const whole = matchers.filter(({ label }) => label !== "");
  const preview = useSilencePreview(useDeferredValue(whole));
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    silence.mutate(
      {
        matchers: [...matchers],
        ends_at: new Date(Date.now() + hours * 3_600_000).toISOString(),
        reason: String(new FormData(event.currentTarget).get("reason")),
        confirm_broad: broad,
      },
      { onSuccess: onDone },
    );
  };
  const tooBroad = preview.data?.too_broad ?? null;
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <MatchersField value={matchers} onChange={setMatchers} />
      <p role="status" className="min-h-5 text-sm text-muted">
        {preview.isError
          ? messageOf(preview.error)
          : preview.data !== undefined &&
            `Mutes ${plural(preview.data.matching, "open alert")} of ${preview.data.open} now, and what opens meanwhile.`}
      </p>
      {tooBroad !== null && (
        <label className="flex items-start gap-2 rounded-md bg-warning-tint px-3 py-2 text-sm text-warning-ink">
          <input
            type="checkbox"
            checked={broad}
            onChange={({ target }) => setBroad(target.checked)}
            className="mt-0.5 size-4"
          />
          {tooBroad} I mean it.
        </label>
      )}
      <Field label="For">
        {(ties) => (
          <Select {...ties} value={hours} onChange={({ target }) => setHours(Number(target.value))}>
            {HOURS.map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <Field
        label="Why"
        hint="Others will ask"
        error={silence.error instanceof ApiError ? silence.error.fields["reason"] : undefined}
      >
        {(ties) => <Textarea {...ties} name="reason" required rows={2} maxLength={2000} />}
      </Field>
      {silence.isError && (
        <p role="alert" className="text-sm text-critical-ink">
          {messageOf(silence.error)}
        </p>
      )}
      <Button
        type="submit"
        look="primary"
        className="self-end"
        disabled={silence.isPending || (tooBroad !== null && !broad)}
      >
        {silence.isPending ? "Silencing…" : "Silence"}
      </Button>
    </form>
  );
}
