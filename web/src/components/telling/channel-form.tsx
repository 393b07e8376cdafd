import { type FormEvent, useState } from "react";
import { ApiError, messageOf } from "@/api/problem";
import type { ChannelInput } from "@/api/types";
import { Once } from "@/components/copyable";
import { Button } from "@/components/ui/button";
import { Field, Input, Select } from "@/components/ui/field";
import { useAddChannel } from "@/data/channels";

type Kind = "webhook" | "slack" | "email" | "apprise" | "pagerduty";

/** What each kind needs, as people call it, and where it goes. */
const KINDS: Record<
  Kind,
  {
    name: string;
    needs: string;
    hint: string;
    secret: boolean;
    body: (value: string) => Partial<ChannelInput>;
  }
> = {
  webhook: {
    name: "Webhook",
    needs: "Address",
    hint: "Signed by Standard Webhooks; the key is shown once",
    secret: false,
    body: (url) => ({ kind: "webhook", config: { url } }),
  },
  slack: {
    name: "Slack",
    needs: "Incoming webhook",
    hint: "https://hooks.slack.com/services/…",
    secret: true,
    body: (url) => ({ kind: "slack", secret: { url } }),
  },
  email: {
    name: "E-mail to a team",
    needs: "Addresses",
    hint: "Separated by commas; members get theirs without a channel",
    secret: false,
    body: (text) => ({ kind: "email", config: { to: text.split(/[\s,;]+/).filter(Boolean) } }),
  },
  pagerduty: {
    name: "PagerDuty",
    needs: "Routing key",
    hint: "Of an Events API v2 integration",
    secret: true,
    body: (routing_key) => ({ kind: "webhook", config: { mode: "pagerduty" }, secret: { routing_key } }),
  },
  apprise: {
    name: "Another service (Apprise)",
    needs: "Apprise URL",
    hint: "Such as tgram://bottoken/chat, or one of a hundred others",
    secret: true,
    body: (url) => ({ kind: "apprise", secret: { url } }),
  },
};

export function ChannelForm({ onDone }: { onDone: () => void }) {
  const add = useAddChannel();
  const [kind, setKind] = useState<Kind>("webhook");
  const chosen = KINDS[kind];
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const body = chosen.body(String(form.get("value")).trim());
    const config = form.get("heartbeat") === "on" ? { ...body.config, heartbeat: true } : body.config;
    add.mutate(
      { name: String(form.get("name")).trim(), kind: "webhook", ...body, ...(config && { config }) },
      { onSuccess: ({ secret }) => secret === null && onDone() },
    );
  };
  if (typeof add.data?.secret === "string") {
    return (
      <Once
        label="The signing key; the receiver verifies with it. It is shown only now"
        text={add.data.secret}
      />
    );
  }
  const fields = add.error instanceof ApiError ? add.error.fields : {};
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field label="Kind">
        {(ties) => (
          <Select {...ties} value={kind} onChange={({ target }) => setKind(target.value as Kind)}>
            {Object.entries(KINDS).map(([key, { name }]) => (
              <option key={key} value={key}>
                {name}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <Field label="Name" hint="Rules and preferences name it so" error={fields["name"]}>
        {(ties) => (
          <Input
            {...ties}
            name="name"
            required
            pattern="[a-z0-9][a-z0-9_.\-]*"
            maxLength={63}
            placeholder="ops"
          />
        )}
      </Field>
      <Field label={chosen.needs} hint={chosen.hint}>
        {(ties) => (
          <Input
            {...ties}
            key={kind}
            name="value"
            required
            type={chosen.secret ? "password" : "text"}
            autoComplete="off"
          />
        )}
      </Field>
      {kind !== "email" && (
        <label className="flex items-start gap-2 text-sm">
          <input type="checkbox" name="heartbeat" className="mt-0.5 size-4 accent-accent" />
          <span>
            Only a heartbeat
            <span className="block text-xs text-muted">
              A message every 5 minutes and nothing else, for a service outside that raises the alarm when
              they stop.
            </span>
          </span>
        </label>
      )}
      {add.isError && (
        <p role="alert" className="text-sm text-critical-ink">
          {messageOf(add.error)}
        </p>
      )}
      <Button type="submit" look="primary" disabled={add.isPending} className="self-end">
        {add.isPending ? "Adding…" : "Add"}
      </Button>
    </form>
  );
}
