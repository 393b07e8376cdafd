import clsx from "clsx";
import { DropdownMenu } from "radix-ui";
import type { ComponentProps, ReactNode } from "react";

/** Not modal: a modal one injects a style element, which the content security policy refuses. */
export function Menu({
  trigger,
  children,
  align = "end",
}: {
  trigger: ReactNode;
  children: ReactNode;
  align?: "start" | "end";
}) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal container={document.getElementById("main")}>
        <DropdownMenu.Content
          align={align}
          sideOffset={6}
          collisionPadding={8}
          className="z-50 max-h-[70vh] min-w-52 animate-rise overflow-y-auto rounded-lg border border-line bg-surface p-1 shadow-raised"
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

const item =
  "flex min-h-8 cursor-pointer items-center gap-2.5 rounded-md px-2 py-1 text-sm outline-none data-highlighted:bg-sunken data-disabled:text-muted";

export function MenuItem({ className, ...rest }: ComponentProps<typeof DropdownMenu.Item>) {
  return <DropdownMenu.Item className={clsx(item, className)} {...rest} />;
}

export function MenuCheck({ children, ...rest }: ComponentProps<typeof DropdownMenu.CheckboxItem>) {
  return (
    <DropdownMenu.CheckboxItem className={item} onSelect={(event) => event.preventDefault()} {...rest}>
      <span className="flex size-4 items-center justify-center rounded border border-line-strong text-xs">
        <DropdownMenu.ItemIndicator>✓</DropdownMenu.ItemIndicator>
      </span>
      {children}
    </DropdownMenu.CheckboxItem>
  );
}

export function MenuChoices({
  value,
  onChange,
  label,
  choices,
}: {
  value: string;
  onChange: (value: string) => void;
  label: string;
  choices: readonly (readonly [string, string])[];
}) {
  return (
    <DropdownMenu.RadioGroup value={value} onValueChange={onChange} aria-label={label}>
      <MenuLabel>{label}</MenuLabel>
      {choices.map(([key, text]) => (
        <DropdownMenu.RadioItem
          key={key}
          value={key}
          className={item}
          onSelect={(event) => event.preventDefault()}
        >
          <span className="flex size-4 items-center justify-center">
            <DropdownMenu.ItemIndicator className="size-1.5 rounded-full bg-accent" />
          </span>
          {text}
        </DropdownMenu.RadioItem>
      ))}
    </DropdownMenu.RadioGroup>
  );
}

export function MenuLabel({ children }: { children: ReactNode }) {
  return (
    <DropdownMenu.Label className="px-2 pt-1.5 pb-1 text-2xs font-medium text-muted">
      {children}
    </DropdownMenu.Label>
  );
}

export function MenuLine() {
  return <DropdownMenu.Separator className="my-1 h-px bg-line" />;
}
