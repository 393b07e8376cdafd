import { KeyRound, Plus } from "lucide-react";
import { type FormEvent, useState } from "react";
import { messageOf } from "@/api/problem";
import type { ApiKey, KeyScope } from "@/api/types";
import { useMay } from "@/app/identity";
import { Tag } from "@/components/badges";
import { Once } from "@/components/copyable";
import { Empty, Failure } from "@/components/states";
import { Ago } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card, CardHeader } from "@/components/ui/card";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/field";
import { SkeletonRows } from "@/components/ui/skeleton";
import { say } from "@/components/ui/toast";
import { useKeys, useMakeKey, useRevokeKey } from "@/data/workspace";

const SCOPES: readonly (readonly [KeyScope, string])[] = [
  ["ingest", "Send points"],
  ["read", "Read everything"],
  ["write", "Change rules and act on alerts (includes the others)"],
];

export function Keys() {
  const owner = useMay("owner");
  const keys = useKeys(owner);
  const [making, setMaking] = useState(false);
  return (
    <Card>
      <CardHeader title="API keys" hint="For programs; each has only the scopes that it needs">
        {owner && (
          <Button size="sm" onClick={() => setMaking(true)}>
            <Plus size={13} aria-hidden />
            New
          </Button>
        )}
      </CardHeader>
      <Dialog title="New API key" open={making} onClose={() => setMaking(false)}>
        <KeyForm />
      </Dialog>
      {!owner ? (
        <Empty icon={KeyRound} title="Owners see the keys" />
      ) : keys.isPending ? (
        <SkeletonRows rows={3} />
      ) : keys.isError ? (
        <Failure error={keys.error} retry={() => void keys.refetch()} />
      ) : keys.data.length === 0 ? (
        <Empty icon={KeyRound} title="No keys yet">
          A program that sends points needs one.
        </Empty>
      ) : (
        <ul>
          {keys.data.map((key) => (
            <KeyRow key={key.id} apiKey={key} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function KeyRow({ apiKey }: { apiKey: ApiKey }) {
  const revoke = useRevokeKey();
  const [sure, setSure] = useState(false);
  const revoked = apiKey.revoked_at !== null;
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-3 last:border-b-0">
      <div className="min-w-0 flex-1 basis-52">
        <p className={revoked ? "truncate text-muted line-through" : "truncate font-medium"}>{apiKey.name}</p>
        <p className="font-mono text-xs text-muted">{apiKey.prefix}…</p>
      </div>
      <span className="flex gap-1">
        {apiKey.scopes.map((scope) => (
          <Tag key={scope}>{scope}</Tag>
        ))}
      </span>
      <p className="text-sm text-muted">
        {apiKey.last_used_at === null ? (
          "Never used"
        ) : (
          <>
            Used <Ago at={apiKey.last_used_at} />
          </>
        )}
      </p>
      {revoked ? (
        <Tag>Revoked</Tag>
      ) : (
        <Button
          look="danger"
          size="sm"
          aria-label={sure ? `Really revoke ${apiKey.name}` : `Revoke ${apiKey.name}`}
          onBlur={() => setSure(false)}
          onClick={() =>
            sure
              ? revoke.mutate(apiKey.id, {
                  onError: (error) => say(`Not revoked: ${messageOf(error)}`, { bad: true }),
                })
              : setSure(true)
          }
        >
          {sure ? "Really?" : "Revoke"}
        </Button>
      )}
    </li>
  );
}

function KeyForm() {
  const make = useMakeKey();
  const [scopes, setScopes] = useState<readonly KeyScope[]>(["ingest"]);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    make.mutate({ name: String(new FormData(event.currentTarget).get("name")), scopes: [...scopes] });
  };
  if (make.data !== undefined) {
    return (
      <Once
        label="The key is shown only now; keep it where only the program can read it"
        text={make.data.key}
      />
    );
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field label="Name" hint="What will use it" error={make.isError ? messageOf(make.error) : undefined}>
        {(ties) => <Input {...ties} name="name" required maxLength={200} placeholder="Shop exporter" />}
      </Field>
      <fieldset className="flex flex-col gap-1.5">
        <legend className="mb-1 text-xs font-medium">May</legend>
        {SCOPES.map(([scope, meaning]) => (
          <label key={scope} className="flex items-center gap-2 text-sm">
            <input
              type="checkbox"
              checked={scopes.includes(scope)}
              onChange={({ target }) =>
                setScopes(target.checked ? [...scopes, scope] : scopes.filter((each) => each !== scope))
              }
              className="size-4 accent-accent"
            />
            {meaning}
          </label>
        ))}
      </fieldset>
      <Button
        type="submit"
        look="primary"
        disabled={make.isPending || scopes.length === 0}
        className="self-end"
      >
        {make.isPending ? "Making…" : "Make the key"}
      </Button>
    </form>
  );
}
