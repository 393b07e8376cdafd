import { Plus, Trash2 } from "lucide-react";
import type { EscalationStep, PreferencesChange } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Field, Input, Select } from "@/components/ui/field";
import { useChannels } from "@/data/channels";
import { useMembers } from "@/data/workspace";

const MOST_STEPS = 5;

interface EscalationProps {
  steps: readonly EscalationStep[];
  /** Minutes until a step that has no time of its own. */
  after: number;
  onChange: (change: PreferencesChange) => void;
}

/** Whom to tell next, step after step. */
export function Escalation({ steps, after, onChange }: EscalationProps) {
  const set = (next: EscalationStep[]) => onChange({ escalation_steps: next });
  const last = steps.at(-1)?.after_minutes ?? 0;
  return (
    <div className="flex w-full flex-col gap-3">
      {steps.length === 0 && (
        <p className="text-sm text-muted">Nobody else is told when nobody acknowledges.</p>
      )}
      <ol className="flex flex-col gap-3">
        {steps.map((step, index) => (
          <Step
            key={index}
            number={index + 1}
            step={step}
            usual={(index + 1) * after}
            onChange={(changed) => set(steps.map((each, at) => (at === index ? changed : each)))}
            onRemove={() => set(steps.filter((_, at) => at !== index))}
          />
        ))}
      </ol>
      {steps.length < MOST_STEPS && (
        <Button
          size="sm"
          className="self-start"
          onClick={() => set([...steps, { after_minutes: last + after, channels: ["email"], members: null }])}
        >
          <Plus size={13} aria-hidden />
          Add a step
        </Button>
      )}
    </div>
  );
}

function Step({
  number,
  step,
  usual,
  onChange,
  onRemove,
}: {
  number: number;
  step: EscalationStep;
  usual: number;
  onChange: (step: EscalationStep) => void;
  onRemove: () => void;
}) {
  const channels = useChannels();
  const members = useMembers();
  const chosen = step.channels ?? [];
  const names = [
    ...new Set(["in_app", "email", ...(channels.data?.map(({ name }) => name) ?? []), ...chosen]),
  ];
  return (
    <li className="flex flex-wrap items-end gap-x-3 gap-y-2 rounded-lg border border-line p-3">
      <Field label={`Step ${number}, minutes after opening`}>
        {(ties) => (
          <Input
            {...ties}
            type="number"
            min={1}
            max={600}
            className="w-28"
            value={step.after_minutes ?? usual}
            onChange={({ target }) => onChange({ ...step, after_minutes: Number(target.value) })}
          />
        )}
      </Field>
      <Field label="By" className="w-40">
        {(ties) => (
          <Select
            {...ties}
            value={chosen[0] ?? ""}
            onChange={({ target }) => onChange({ ...step, channels: [target.value] })}
          >
            {names.map((name) => (
              <option key={name} value={name}>
                {name === "in_app" ? "Inbox" : name === "email" ? "E-mail" : name}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <Field label="Whom" className="w-44">
        {(ties) => (
          <Select
            {...ties}
            value={step.members?.[0] ?? ""}
            onChange={({ target }) =>
              onChange({ ...step, members: target.value === "" ? null : [target.value] })
            }
          >
            <option value="">The same member</option>
            {members.data?.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <Button look="ghost" size="icon" aria-label={`Remove step ${number}`} onClick={onRemove}>
        <Trash2 size={15} />
      </Button>
    </li>
  );
}
