import { Check, Eye, RotateCcw } from "lucide-react";
import {
  createContext,
  type FormEvent,
  type ReactNode,
  useCallback,
  useContext,
  useMemo,
  useState,
} from "react";
import { messageOf } from "@/api/problem";
import type { Trigger } from "@/api/types";
import { useIdentity, useMay } from "@/app/identity";
import { useTriggerAction } from "@/data/triggers";
import { Button, type ButtonLook } from "./ui/button";
import { Dialog } from "./ui/dialog";
import { Field, Textarea } from "./ui/field";
import { say } from "./ui/toast";

interface Actions {
  acknowledge: (trigger: Trigger) => void;
  /** Asks for a note first. */
  resolve: (trigger: Trigger) => void;
  reopen: (trigger: Trigger) => void;
}

const ActionsContext = createContext<Actions | null>(null);

export function useTriggerActions(): Actions {
  const actions = useContext(ActionsContext);
  if (actions === null) throw new Error("useTriggerActions is used outside TriggerActions");
  return actions;
}

/** What a member can do to the triggers below, with the one dialog that they share. */
export function TriggerActions({ children }: { children: ReactNode }) {
  const { user } = useIdentity();
  const { mutate } = useTriggerAction({ id: user.id, name: user.name });
  const [resolving, setResolving] = useState<Trigger | null>(null);

  const acknowledge = useCallback(
    (trigger: Trigger) =>
      mutate(
        { trigger, action: "acknowledge" },
        { onError: (error) => say(`Not acknowledged: ${messageOf(error)}`, { bad: true }) },
      ),
    [mutate],
  );
  const reopen = useCallback(
    (trigger: Trigger) =>
      mutate(
        { trigger, action: "reopen" },
        { onError: (error) => say(`Not reopened: ${messageOf(error)}`, { bad: true }) },
      ),
    [mutate],
  );
  const confirm = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const trigger = resolving;
    if (trigger === null) return;
    const note = String(new FormData(event.currentTarget).get("note") ?? "").trim();
    setResolving(null);
    mutate(
      { trigger, action: "resolve", note },
      {
        onSuccess: () => say(`Resolved: ${trigger.rule_name}`),
        onError: (error) => say(`Not resolved: ${messageOf(error)}`, { bad: true }),
      },
    );
  };

  const actions = useMemo<Actions>(
    () => ({ acknowledge, resolve: setResolving, reopen }),
    [acknowledge, reopen],
  );
  return (
    <ActionsContext value={actions}>
      {children}
      <Dialog title="Resolve this alert" open={resolving !== null} onClose={() => setResolving(null)}>
        <form onSubmit={confirm} className="flex flex-col gap-4">
          <p className="text-sm text-muted">
            <span className="font-medium text-ink">{resolving?.rule_name}</span> in{" "}
            {resolving?.framework_name}. It opens again if the rule fires again.
          </p>
          <Field label="Note" hint="Optional: what it was, for whoever looks at it later.">
            {(ties) => <Textarea {...ties} name="note" maxLength={2000} />}
          </Field>
          <div className="flex justify-end gap-2">
            <Button onClick={() => setResolving(null)}>Cancel</Button>
            <Button type="submit" look="primary">
              Resolve
            </Button>
          </div>
        </form>
      </Dialog>
    </ActionsContext>
  );
}

/** Only what is possible now, and only for those who may. */
export function ActionButtons({
  trigger,
  size = "sm",
}: {
  trigger: Trigger;
  size?: NonNullable<ButtonLook["size"]>;
}) {
  const may = useMay("editor");
  const { acknowledge, resolve, reopen } = useTriggerActions();
  if (!may) return null;
  if (trigger.state === "resolved") {
    return (
      <Button size={size} onClick={() => reopen(trigger)}>
        <RotateCcw size={13} aria-hidden />
        Reopen
      </Button>
    );
  }
  return (
    <>
      {trigger.state === "firing" && (
        <Button size={size} onClick={() => acknowledge(trigger)}>
          <Eye size={13} aria-hidden />
          Acknowledge
        </Button>
      )}
      <Button size={size} look="secondary" onClick={() => resolve(trigger)}>
        <Check size={13} aria-hidden />
        Resolve
      </Button>
    </>
  );
}
