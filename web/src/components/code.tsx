import clsx from "clsx";
import { CopyButton } from "./copyable";

/** Text for a machine, ready to be copied. */
export function Code({ label, text, className }: { label: string; text: string; className?: string }) {
  return (
    <div className="relative">
      <pre
        tabIndex={0}
        role="region"
        aria-label={label}
        className={clsx(
          "overflow-auto rounded-lg border border-line bg-sunken p-4 pr-24 font-mono text-xs leading-5",
          className,
        )}
      >
        {text}
      </pre>
      <CopyButton text={text} className="absolute top-2.5 right-2.5" />
    </div>
  );
}
