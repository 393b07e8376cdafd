import clsx from "clsx";
import type { ComponentProps, ReactNode } from "react";

export function Card({ className, ...rest }: ComponentProps<"section">) {
  return (
    <section className={clsx("rounded-xl border border-line bg-surface shadow-card", className)} {...rest} />
  );
}

export function CardHeader({
  title,
  hint,
  children,
}: {
  title: string;
  hint?: ReactNode;
  children?: ReactNode;
}) {
  return (
    <header className="flex min-h-12 flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-4 py-2">
      <h2 className="text-base font-semibold">{title}</h2>
      {hint !== undefined && <p className="text-xs text-muted">{hint}</p>}
      {children !== undefined && <div className="ml-auto flex items-center gap-2">{children}</div>}
    </header>
  );
}
