import { type FormEvent, useState } from "react";
import { ApiError, messageOf } from "@/api/problem";
import type { SourceKind } from "@/api/types";
import { useAddSource } from "@/data/quality";
import { SOURCE_KINDS, sourceBody } from "@/data/source-kinds";
import { Button } from "./ui/button";
import { Field, Input, Select, Textarea } from "./ui/field";

const KINDS = Object.keys(SOURCE_KINDS) as SourceKind[];

/** Where points are pulled from. */
export function SourceForm({ onDone }: { onDone: () => void }) {
  const [kind, setKind] = useState<SourceKind>("file");
  const add = useAddSource();
  const { about, fields } = SOURCE_KINDS[kind];
  const problems = add.error instanceof ApiError ? add.error.fields : {};
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const typed = Object.fromEntries(fields.map(({ name }) => [name, String(form.get(name) ?? "")]));
    add.mutate(sourceBody(kind, String(form.get("name")).trim(), String(form.get("schedule")), typed), {
      onSuccess: onDone,
    });
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field label="Kind" hint={about}>
        {(ties) => (
          <Select {...ties} value={kind} onChange={({ target }) => setKind(target.value as SourceKind)}>
            {KINDS.map((each) => (
              <option key={each} value={each}>
                {SOURCE_KINDS[each].name}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <Field label="Name" error={problems["name"]}>
        {(ties) => <Input {...ties} name="name" required maxLength={200} placeholder="orders" />}
      </Field>
      {fields.map(({ name, label, hint, placeholder, optional, secret, long }) => {
        const attributes = { name, placeholder, required: optional === undefined };
        return (
          <Field
            key={`${kind} ${name}`}
            label={label}
            hint={hint ?? (optional === true ? "May be left out" : undefined)}
            error={problems[`config.${name}`]}
          >
            {(ties) =>
              long === true ? (
                <Textarea {...ties} {...attributes} rows={3} className="font-mono text-xs" />
              ) : (
                <Input
                  {...ties}
                  {...attributes}
                  type={secret === true ? "password" : "text"}
                  autoComplete="off"
                />
              )
            }
          </Field>
        );
      })}
      <Field
        label="How often"
        hint="A cron line in UTC, or seconds between runs; empty: only when asked"
        error={problems["schedule"]}
      >
        {(ties) => <Input {...ties} name="schedule" defaultValue="*/5 * * * *" />}
      </Field>
      {add.isError && (
        <p role="alert" className="text-sm text-critical-ink">
          {messageOf(add.error)}
        </p>
      )}
      <Button type="submit" look="primary" disabled={add.isPending} className="self-end">
        {add.isPending ? "Adding…" : "Add the source"}
      </Button>
    </form>
  );
}
