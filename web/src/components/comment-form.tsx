import { type FormEvent, useRef } from "react";
import { messageOf } from "@/api/problem";
import { useMay } from "@/app/identity";
import { useComment } from "@/data/triggers";
import { Button } from "./ui/button";
import { Textarea } from "./ui/field";
import { say } from "./ui/toast";

/** A few words for whoever looks at the trigger next. */
export function CommentForm({ trigger }: { trigger: string }) {
  const may = useMay("editor");
  const form = useRef<HTMLFormElement>(null);
  const comment = useComment(trigger);
  if (!may) return null;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const note = String(new FormData(event.currentTarget).get("note") ?? "").trim();
    if (note === "") return;
    comment.mutate(note, {
      onSuccess: () => form.current?.reset(),
      onError: (error) => say(`Not sent: ${messageOf(error)}`, { bad: true }),
    });
  };
  return (
    <form ref={form} onSubmit={submit} className="flex items-end gap-2 border-t border-line p-3">
      <Textarea
        name="note"
        aria-label="Comment"
        placeholder="Comment for the others"
        rows={1}
        maxLength={10_000}
      />
      <Button type="submit" disabled={comment.isPending}>
        Comment
      </Button>
    </form>
  );
}
