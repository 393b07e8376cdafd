import clsx from "clsx";
import { ThumbsDown, ThumbsUp } from "lucide-react";
import { messageOf } from "@/api/problem";
import type { Feedback, Trigger } from "@/api/types";
import { useMay } from "@/app/identity";
import { useFeedback } from "@/data/triggers";
import { Button } from "./ui/button";
import { say } from "./ui/toast";

const choices = [
  ["actionable", "Worth it", ThumbsUp],
  ["false_positive", "False alarm", ThumbsDown],
] as const;

/** Whether the alert was worth it; rules and detectors are judged by these marks. */
export function FeedbackChoice({ trigger }: { trigger: Trigger }) {
  const may = useMay("editor");
  const feedback = useFeedback(trigger);
  const mark = (value: Feedback | null) =>
    feedback.mutate(value, { onError: (error) => say(`Not marked: ${messageOf(error)}`, { bad: true }) });
  return (
    <div role="group" aria-label="Was it worth it?" className="flex gap-2">
      {choices.map(([value, words, Icon]) => {
        const on = trigger.feedback === value;
        return (
          <Button
            key={value}
            aria-pressed={on}
            disabled={!may}
            onClick={() => mark(on ? null : value)}
            className={clsx(on && "border-accent! bg-accent-tint! text-accent!")}
          >
            <Icon size={14} aria-hidden />
            {words}
          </Button>
        );
      })}
    </div>
  );
}
