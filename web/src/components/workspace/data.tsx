import { Archive, Download, PackagePlus, Trash2 } from "lucide-react";
import { type FormEvent, type ReactNode, useState } from "react";
import { ApiError, messageOf } from "@/api/problem";
import type { Export, ExportForm } from "@/api/types";
import { useIdentity, useMay } from "@/app/identity";
import { Tag } from "@/components/badges";
import { Empty, Failure } from "@/components/states";
import { Ago, At, useNow } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card, CardHeader } from "@/components/ui/card";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/field";
import { Segmented } from "@/components/ui/segmented";
import { SkeletonRows } from "@/components/ui/skeleton";
import { say } from "@/components/ui/toast";
import { useAskExport, useDeleteWorkspace, useExports, useSaveExport, useWorkspace } from "@/data/tenancy";
import { fileSize, plural } from "@/format/number";

const FORMS = [
  ["ndjson", "NDJSON"],
  ["parquet", "Parquet"],
] as const;

export function YourData() {
  const owner = useMay("owner");
  return owner ? (
    <div className="flex flex-col gap-4">
      <Exports />
      <Deletion />
    </div>
  ) : (
    <Card>
      <Empty icon={Archive} title="Owners export and delete the workspace" />
    </Card>
  );
}

function Exports() {
  const { workspace } = useIdentity();
  const exports = useExports(workspace.id);
  const ask = useAskExport(workspace.id);
  const [form, setForm] = useState<ExportForm>("ndjson");
  const waits = exports.data?.some((one) => one.format === form && one.state === "requested") ?? false;
  return (
    <Card>
      <CardHeader
        title="Your data"
        hint="A zip with a file for each table, manifest and checksums; no secrets"
      >
        <Segmented label="Format of the tables" value={form} onChange={setForm} choices={FORMS} />
        <Button
          size="sm"
          disabled={ask.isPending || waits}
          onClick={() =>
            ask.mutate(form, {
              onError: (error) => say(`Not asked for: ${messageOf(error)}`, { bad: true }),
            })
          }
        >
          <PackagePlus size={13} aria-hidden />
          Export everything
        </Button>
      </CardHeader>
      {exports.isPending ? (
        <SkeletonRows rows={2} />
      ) : exports.isError ? (
        <Failure error={exports.error} retry={() => void exports.refetch()} />
      ) : exports.data.length === 0 ? (
        <Empty icon={Archive} title="No exports yet">
          Ask for one: it is made within minutes, and its file is kept for seven days.
        </Empty>
      ) : (
        <ul aria-label="Exports">
          {exports.data.map((one) => (
            <ExportRow key={one.id} one={one} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function ExportRow({ one }: { one: Export }) {
  const { workspace } = useIdentity();
  const save = useSaveExport(workspace.id, workspace.slug);
  const now = useNow();
  const expired = one.expires_at !== null && Date.parse(one.expires_at) <= now;
  const [word, about] = told(one, expired);
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-3 last:border-b-0">
      <div className="min-w-0 flex-1 basis-60">
        <p className="font-medium">
          {FORMS.find(([name]) => name === one.format)?.[1]}
          <span className="font-normal text-muted">
            , asked for <Ago at={one.requested_at} />
          </span>
        </p>
        <p className="text-sm break-words text-muted">{about}</p>
        {one.sha256 !== null && !expired && (
          <p className="font-mono text-xs break-all text-muted">SHA-256 {one.sha256}</p>
        )}
      </div>
      <span role="status">
        <Tag>{word}</Tag>
      </span>
      {one.state === "done" && !expired && (
        <Button
          size="sm"
          disabled={save.isPending}
          onClick={() =>
            save.mutate(one, {
              onError: (error) => say(`Not downloaded: ${messageOf(error)}`, { bad: true }),
            })
          }
        >
          <Download size={13} aria-hidden />
          {save.isPending ? "Downloading…" : "Download"}
        </Button>
      )}
    </li>
  );
}

/** An export's state in a word, and more of it. */
function told(one: Export, expired: boolean): readonly [string, ReactNode] {
  switch (one.state) {
    case "requested":
      return ["Waiting", "It is begun within minutes."];
    case "running":
      return ["At work", "The tables are being written."];
    case "failed":
      return ["Failed", one.error ?? "It is not known why."];
    case "done":
      if (expired) return ["Expired", "Its file is gone; ask for another one."];
      return [
        "Ready",
        <>
          {plural(one.rows ?? 0, "row")}, {fileSize(one.bytes ?? 0)}
          {one.expires_at !== null && (
            <>
              ; kept until <At at={one.expires_at} />
            </>
          )}
        </>,
      ];
  }
}

function Deletion() {
  const { workspace } = useIdentity();
  const now = useWorkspace(workspace.id);
  const [asking, setAsking] = useState(false);
  const at = now.data?.purge_at ?? null;
  return (
    <Card>
      <CardHeader title="The end of the workspace" />
      <div className="flex flex-col items-start gap-3 p-4 text-sm">
        {now.isError ? (
          <Failure error={now.error} retry={() => void now.refetch()} />
        ) : at === null ? (
          <>
            <p>
              Deleting the workspace removes everything in it for good: points, rules, alerts, files, the
              audit trail, and the accounts of people who are in no other workspace. Until the grace period is
              over (seven days, unless your operator has set another) all goes on as before, and any owner can
              undo it.
            </p>
            <Button look="danger" disabled={now.isPending} onClick={() => setAsking(true)}>
              <Trash2 size={14} aria-hidden />
              Delete this workspace
            </Button>
          </>
        ) : (
          <p>
            It will be deleted on <At at={at} className="font-medium" />. Until then all goes on as before,
            and any owner can undo it above.
          </p>
        )}
      </div>
      <Dialog title="Delete this workspace" open={asking} onClose={() => setAsking(false)}>
        <DeletionForm slug={now.data?.slug ?? workspace.slug} onDone={() => setAsking(false)} />
      </Dialog>
    </Card>
  );
}

function DeletionForm({ slug, onDone }: { slug: string; onDone: () => void }) {
  const { user, workspace } = useIdentity();
  const remove = useDeleteWorkspace(workspace.id);
  const [typed, setTyped] = useState("");
  const wrong = remove.error instanceof ApiError ? remove.error : null;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const password = String(new FormData(event.currentTarget).get("password"));
    remove.mutate(
      { slug: typed, password: password === "" ? null : password },
      {
        onSuccess: () => {
          onDone();
          say("The deletion is scheduled.");
        },
      },
    );
  };
  const misplaced = remove.isError && wrong?.fields["slug"] === undefined && wrong?.status !== 403;
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <p className="text-sm">
        {workspace.name} goes on until its grace period is over, then all of it is removed for good. Take an
        export along before.
      </p>
      <Field
        label="Slug of the workspace"
        hint={
          <>
            Type <code className="font-mono select-all">{slug}</code>
          </>
        }
        error={wrong?.fields["slug"]}
      >
        {(ties) => (
          <Input
            {...ties}
            name="slug"
            required
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            value={typed}
            onChange={({ target }) => setTyped(target.value)}
          />
        )}
      </Field>
      {/* Whose password it is: password managers would take the slug for the name otherwise. */}
      <input type="email" autoComplete="username" value={user.email} readOnly hidden />
      <Field
        label="Your password"
        hint="Empty, if your account has none because you sign in elsewhere"
        error={wrong?.status === 403 ? wrong.message : undefined}
      >
        {(ties) => (
          <Input {...ties} name="password" type="password" maxLength={200} autoComplete="current-password" />
        )}
      </Field>
      {misplaced && (
        <p role="alert" className="text-sm text-critical-ink">
          {messageOf(remove.error)}
        </p>
      )}
      <Button type="submit" look="danger" disabled={remove.isPending || typed !== slug} className="self-end">
        {remove.isPending ? "Scheduling…" : "Schedule the deletion"}
      </Button>
    </form>
  );
}
