import clsx from "clsx";
import type { ComponentProps } from "react";

const looks = {
  primary: "bg-ink text-ground hover:bg-ink/88 disabled:bg-ink/45",
  secondary: "border border-line bg-surface text-ink shadow-card hover:bg-sunken disabled:text-muted",
  ghost: "text-muted hover:bg-sunken hover:text-ink aria-[current]:bg-sunken aria-[current]:text-ink",
  danger:
    "border border-line bg-surface text-critical-ink shadow-card hover:bg-critical-tint disabled:bg-surface disabled:text-muted",
} as const;

const sizes = {
  sm: "h-7 gap-1.5 px-2.5 text-xs",
  md: "h-8.5 gap-2 px-3 text-sm",
  icon: "size-8.5 justify-center",
} as const;

export interface ButtonLook {
  look?: keyof typeof looks;
  size?: keyof typeof sizes;
}

/** The classes of a button, for links that look like one. */
export function buttonClass({ look = "secondary", size = "md" }: ButtonLook = {}): string {
  return clsx(
    "inline-flex shrink-0 items-center justify-center rounded-md font-medium whitespace-nowrap transition-colors select-none disabled:cursor-not-allowed",
    looks[look],
    sizes[size],
  );
}

export function Button({
  look,
  size,
  className,
  type = "button",
  ...rest
}: ComponentProps<"button"> & ButtonLook) {
  const wanted: ButtonLook = { ...(look && { look }), ...(size && { size }) };
  return <button type={type} className={clsx(buttonClass(wanted), className)} {...rest} />;
}
