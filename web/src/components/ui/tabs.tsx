import clsx from "clsx";
import { Link, useSearchParams } from "react-router";

/** Which tab the address names; the first one when it names none. */
export function useTab<T extends string>(names: readonly [T, ...T[]]): T {
  const [parameters] = useSearchParams();
  const named = parameters.get("tab");
  return names.find((name) => name === named) ?? names[0];
}

/** The parts of a page as links, so that each has an address; other parameters stay. */
export function Tabs<T extends string>({
  label,
  value,
  choices,
}: {
  label: string;
  value: T;
  choices: readonly (readonly [T, string])[];
}) {
  const [parameters] = useSearchParams();
  return (
    <nav aria-label={label} className="mb-4 flex gap-5 overflow-x-auto border-b border-line">
      {choices.map(([name, text], index) => {
        const next = new URLSearchParams(parameters);
        if (index === 0) next.delete("tab");
        else next.set("tab", name);
        return (
          <Link
            key={name}
            to={{ search: next.toString() }}
            aria-current={name === value ? "page" : undefined}
            className={clsx(
              "-mb-px border-b-2 py-2 text-sm whitespace-nowrap",
              name === value
                ? "border-accent font-medium text-ink"
                : "border-transparent text-muted hover:text-ink",
            )}
          >
            {text}
          </Link>
        );
      })}
    </nav>
  );
}
