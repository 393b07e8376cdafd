import { count } from "@/format/number";
import { title } from "@/format/words";

/** Parts of a whole, largest first, each as a bar with its count and share. */
export function ShareBars({ parts }: { parts: Readonly<Record<string, number>> }) {
  const all = Object.entries(parts)
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a);
  const total = all.reduce((sum, [, value]) => sum + value, 0);
  if (total === 0) return <p className="text-sm text-muted">None in this time.</p>;
  return (
    <ul className="flex flex-col gap-2.5">
      {all.map(([name, value]) => (
        <li key={name} className="text-sm">
          <div className="flex justify-between gap-3">
            <span className="truncate">{title(name)}</span>
            <span className="numbers shrink-0 text-muted">
              {count(value)} · {Math.round((100 * value) / total)} %
            </span>
          </div>
          <svg viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden className="mt-1 h-1.5 w-full">
            <rect width={100} height={2} rx={1} fill="var(--sunken)" />
            <rect width={(100 * value) / total} height={2} rx={1} fill="var(--series-1)" />
          </svg>
        </li>
      ))}
    </ul>
  );
}
