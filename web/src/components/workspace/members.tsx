import { MailPlus, UserPlus, UserX } from "lucide-react";
import { type FormEvent, useState } from "react";
import { messageOf } from "@/api/problem";
import type { Member, Role } from "@/api/types";
import { useIdentity, useMay } from "@/app/identity";
import { Once } from "@/components/copyable";
import { Failure } from "@/components/states";
import { Ago } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card, CardHeader } from "@/components/ui/card";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input, Select } from "@/components/ui/field";
import { SkeletonRows } from "@/components/ui/skeleton";
import { say } from "@/components/ui/toast";
import { useAddMember, useChangeRole, useInvite, useMembers, useRemoveMember } from "@/data/workspace";
import { title } from "@/format/words";

const ROLES: readonly Role[] = ["viewer", "editor", "owner"];
const complain = (error: unknown) => say(`Not changed: ${messageOf(error)}`, { bad: true });

export function Members() {
  const members = useMembers();
  const owner = useMay("owner");
  const [adding, setAdding] = useState(false);
  return (
    <Card>
      <CardHeader title="Members" hint="Viewers read, editors change, owners decide who belongs">
        {owner && (
          <Button size="sm" onClick={() => setAdding(true)}>
            <UserPlus size={13} aria-hidden />
            Add
          </Button>
        )}
      </CardHeader>
      <Dialog title="Add a member" open={adding} onClose={() => setAdding(false)}>
        <MemberForm />
      </Dialog>
      {members.isPending ? (
        <SkeletonRows rows={3} />
      ) : members.isError ? (
        <Failure error={members.error} retry={() => void members.refetch()} />
      ) : (
        <ul>
          {members.data.map((member) => (
            <MemberRow key={member.id} member={member} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function MemberRow({ member }: { member: Member }) {
  const { user } = useIdentity();
  const owner = useMay("owner");
  const change = useChangeRole();
  const remove = useRemoveMember();
  const invite = useInvite();
  const [link, setLink] = useState<string | null>(null);
  const [sure, setSure] = useState(false);
  const never = member.last_sign_in_at === null;
  const sendLink = () =>
    invite.mutate(member, {
      onError: complain,
      onSuccess: ({ url, mailed }) => {
        setLink(url);
        if (mailed) say(`A link was mailed to ${member.email}.`);
      },
    });
  return (
    <li className="border-b border-line px-4 py-3 last:border-b-0">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-52">
          <p className="truncate font-medium">
            {member.name}
            {member.id === user.id && <span className="font-normal text-muted"> (you)</span>}
          </p>
          <p className="truncate text-sm text-muted">{member.email}</p>
        </div>
        <p className="text-sm text-muted">
          {never ? (
            "Never signed in"
          ) : (
            <>
              Here <Ago at={member.last_sign_in_at ?? ""} />
            </>
          )}
        </p>
        {owner && never && (
          <Button size="sm" onClick={sendLink} disabled={invite.isPending}>
            <MailPlus size={13} aria-hidden />
            Invite
          </Button>
        )}
        <Select
          aria-label={`Role of ${member.name}`}
          className="w-28"
          value={member.role}
          disabled={!owner || change.isPending}
          onChange={({ target }) =>
            change.mutate({ id: member.id, role: target.value as Role }, { onError: complain })
          }
        >
          {ROLES.map((role) => (
            <option key={role} value={role}>
              {title(role)}
            </option>
          ))}
        </Select>
        {owner && (
          <Button
            look="danger"
            size="sm"
            aria-label={sure ? `Really remove ${member.name}` : `Remove ${member.name}`}
            onBlur={() => setSure(false)}
            onClick={() => (sure ? remove.mutate(member.id, { onError: complain }) : setSure(true))}
          >
            <UserX size={13} aria-hidden />
            {sure ? "Really?" : "Remove"}
          </Button>
        )}
      </div>
      {link !== null && (
        <div className="mt-3">
          <Once label={`For ${member.name}; it works once and for seven days`} text={link} />
        </div>
      )}
    </li>
  );
}

function MemberForm() {
  const add = useAddMember();
  const [role, setRole] = useState<Role>("viewer");
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    add.mutate({ email: String(form.get("email")), name: String(form.get("name")), role });
  };
  if (add.data !== undefined) {
    const { member, invitation } = add.data;
    return (
      <div className="flex flex-col gap-3 text-sm">
        <p>
          {member.name} belongs to the workspace now
          {invitation?.mailed === true && <>, and was mailed a link to choose a password</>}.
        </p>
        {typeof invitation?.url === "string" && (
          <Once label="Their link; it works once and for seven days" text={invitation.url} />
        )}
      </div>
    );
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field label="Name">
        {(ties) => <Input {...ties} name="name" required maxLength={200} autoComplete="off" />}
      </Field>
      <Field label="E-mail" error={add.isError ? messageOf(add.error) : undefined}>
        {(ties) => <Input {...ties} name="email" type="email" required autoComplete="off" />}
      </Field>
      <Field label="Role">
        {(ties) => (
          <Select {...ties} value={role} onChange={({ target }) => setRole(target.value as Role)}>
            {ROLES.map((name) => (
              <option key={name} value={name}>
                {title(name)}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <Button type="submit" look="primary" disabled={add.isPending} className="self-end">
        {add.isPending ? "Adding…" : "Add"}
      </Button>
    </form>
  );
}
