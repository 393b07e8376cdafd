import { type FormEvent, useState } from "react";
import { messageOf } from "@/api/problem";
import { slugOf, useCreateFramework } from "@/data/frameworks";
import { Button } from "./ui/button";
import { Field, Input } from "./ui/field";

/** A new framework, by its name. */
export function FrameworkForm({ onDone }: { onDone?: () => void }) {
  const [name, setName] = useState("");
  const create = useCreateFramework();
  const slug = slugOf(name);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate(name.trim(), { onSuccess: () => onDone?.() });
  };
  return (
    <form onSubmit={submit} className="flex max-w-md items-start gap-2">
      <Field
        label="Name"
        className="flex-1"
        hint={
          slug === "" ? "A funnel, a service, an airport: anything you measure" : `Points name it ${slug}`
        }
        error={create.isError ? messageOf(create.error) : undefined}
      >
        {(ties) => (
          <Input
            {...ties}
            value={name}
            maxLength={200}
            placeholder="Shop"
            onChange={({ target }) => setName(target.value)}
          />
        )}
      </Field>
      <Button type="submit" look="primary" className="mt-5.5" disabled={slug === "" || create.isPending}>
        Create
      </Button>
    </form>
  );
}
