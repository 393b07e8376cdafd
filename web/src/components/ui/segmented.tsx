import clsx from "clsx";
import { ToggleGroup } from "radix-ui";
import type { ReactNode } from "react";

interface SegmentedProps<T extends string> {
  label: string;
  value: T;
  onChange: (value: T) => void;
  choices: readonly (readonly [T, ReactNode])[];
  className?: string;
}

/** One of a few, all in sight. */
export function Segmented<T extends string>({
  label,
  value,
  onChange,
  choices,
  className,
}: SegmentedProps<T>) {
  return (
    <ToggleGroup.Root
      type="single"
      aria-label={label}
      value={value}
      onValueChange={(next) => next !== "" && onChange(next as T)}
      className={clsx("inline-flex rounded-lg border border-line bg-sunken p-0.5", className)}
    >
      {choices.map(([key, text]) => (
        <ToggleGroup.Item
          key={key}
          value={key}
          className="h-7 rounded-md px-2.5 text-xs font-medium whitespace-nowrap text-muted transition-colors hover:text-ink data-[state=on]:bg-surface data-[state=on]:text-ink data-[state=on]:shadow-card dark:data-[state=on]:bg-line"
        >
          {text}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}
