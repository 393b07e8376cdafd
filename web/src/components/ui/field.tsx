import clsx from "clsx";
import { ChevronDown } from "lucide-react";
import { type ComponentProps, type ReactNode, useId } from "react";

const control =
  "w-full rounded-md border border-line-strong/80 bg-surface px-2.5 text-sm text-ink transition-colors placeholder:text-muted hover:border-line-strong aria-invalid:border-critical disabled:bg-sunken disabled:text-muted";

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input className={clsx(control, "h-8.5", className)} {...rest} />;
}

export function Textarea({ className, ...rest }: ComponentProps<"textarea">) {
  return <textarea className={clsx(control, "py-1.5", className)} {...rest} />;
}

/** The browser's own select: it is the best one on a phone and by keyboard. `className` is its frame's. */
export function Select({ className, ...rest }: ComponentProps<"select">) {
  return (
    <span className={clsx("relative inline-flex", className ?? "w-full")}>
      <select className={clsx(control, "h-8.5 appearance-none truncate pr-8")} {...rest} />
      <ChevronDown
        size={14}
        aria-hidden
        className="pointer-events-none absolute top-1/2 right-2.5 -translate-y-1/2 text-muted"
      />
    </span>
  );
}

interface FieldProps {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  className?: string;
  /** Gets the attributes that tie the control to its label, hint and error. */
  children: (ties: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
}

export function Field({ label, hint, error, className, children }: FieldProps) {
  const id = useId();
  const described = error !== undefined || hint !== undefined;
  return (
    <div className={clsx("flex min-w-0 flex-col gap-1", className)}>
      <label htmlFor={id} className="text-xs font-medium text-ink">
        {label}
      </label>
      {children({
        id,
        ...(described && { "aria-describedby": `${id}-about` }),
        ...(error !== undefined && { "aria-invalid": true as const }),
      })}
      {described && (
        <p
          id={`${id}-about`}
          className={clsx("text-xs", error === undefined ? "text-muted" : "text-critical-ink")}
        >
          {error ?? hint}
        </p>
      )}
    </div>
  );
}
