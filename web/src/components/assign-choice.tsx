import { messageOf } from "@/api/problem";
import type { Trigger } from "@/api/types";
import { useIdentity, useMay } from "@/app/identity";
import { useAssign } from "@/data/triggers";
import { useMembers } from "@/data/workspace";
import { Select } from "./ui/field";
import { say } from "./ui/toast";

/** Who looks after the alert. */
export function AssignChoice({ trigger }: { trigger: Trigger }) {
  const may = useMay("editor");
  const { user } = useIdentity();
  const members = useMembers();
  const assign = useAssign(trigger);
  const assigned = trigger.assigned_to;
  const people = members.data ?? (assigned === null ? [user] : [assigned]);
  return (
    <Select
      aria-label="Assigned to"
      className="w-44"
      disabled={!may}
      value={assigned?.id ?? ""}
      onChange={({ target: { value } }) => {
        const person = people.find(({ id }) => id === value);
        assign.mutate(person === undefined ? null : { id: person.id, name: person.name }, {
          onError: (error) => say(`Not assigned: ${messageOf(error)}`, { bad: true }),
        });
      }}
    >
      <option value="">Nobody's yet</option>
      {people.map(({ id, name }) => (
        <option key={id} value={id}>
          {id === user.id ? `${name} (me)` : name}
        </option>
      ))}
    </Select>
  );
}
