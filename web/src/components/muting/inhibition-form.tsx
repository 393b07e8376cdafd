import { type FormEvent, useState } from "react";
import { ApiError, messageOf } from "@/api/problem";
import type { Matcher } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/field";
import { useAddInhibition } from "@/data/muting";
import { MatchersField } from "./matchers";

/** While one alert is open, others that it explains are not told. */
export function InhibitionForm({ onDone }: { onDone: () => void }) {
  const [source, setSource] = useState<readonly Matcher[]>([{ label: "rule", operator: "=", value: "" }]);
  const [target, setTarget] = useState<readonly Matcher[]>([
    { label: "severity", operator: "!=", value: "critical" },
  ]);
  const add = useAddInhibition();
  const fields = add.error instanceof ApiError ? add.error.fields : {};
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const equal_labels = String(form.get("equal"))
      .split(/[\s,]+/)
      .filter(Boolean);
    add.mutate(
      {
        name: String(form.get("name")).trim(),
        source_matchers: [...source],
        target_matchers: [...target],
        equal_labels,
        enabled: true,
      },
      { onSuccess: onDone },
    );
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field label="Name" error={fields["name"]}>
        {(ties) => (
          <Input
            {...ties}
            name="name"
            required
            maxLength={200}
            placeholder="A closed airport explains its delays"
          />
        )}
      </Field>
      <MatchersField legend="While an alert is open where" value={source} onChange={setSource} />
      <MatchersField legend="Nobody is told of alerts where" value={target} onChange={setTarget} />
      <Field
        label="Only with the same"
        hint="Labels that must be equal in both, separated by commas"
        error={fields["equal_labels"]}
      >
        {(ties) => <Input {...ties} name="equal" defaultValue="framework" />}
      </Field>
      {add.isError && (
        <p role="alert" className="text-sm text-critical-ink">
          {messageOf(add.error)}
        </p>
      )}
      <Button type="submit" look="primary" disabled={add.isPending} className="self-end">
        {add.isPending ? "Saving…" : "Save"}
      </Button>
    </form>
  );
}
