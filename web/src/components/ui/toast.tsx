import { CircleAlert, CircleCheck, X } from "lucide-react";
import { useSyncExternalStore } from "react";

interface Toast {
  id: number;
  text: string;
  bad: boolean;
  undo: (() => void) | undefined;
}

let toasts: readonly Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();

function change(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

function dismiss(id: number): void {
  change(toasts.filter((toast) => toast.id !== id));
}

/** A short word on what has just happened; failures, and what can be taken back, stay longer. */
export function say(text: string, { bad = false, undo }: { bad?: boolean; undo?: () => void } = {}): void {
  const id = ++last;
  change([...toasts.slice(-3), { id, text, bad, undo }]);
  setTimeout(() => dismiss(id), bad || undo !== undefined ? 10_000 : 4_000);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div
      role="status"
      aria-live="polite"
      className="pointer-events-none fixed inset-x-4 bottom-20 z-50 flex flex-col items-center gap-2 md:right-5 md:bottom-5 md:left-auto md:items-end"
    >
      {shown.map(({ id, text, bad, undo }) => (
        <div
          key={id}
          className="pointer-events-auto flex max-w-md animate-rise items-center gap-2.5 rounded-lg border border-line bg-surface py-1.5 pr-1.5 pl-3 text-sm shadow-raised"
        >
          {bad ? (
            <CircleAlert size={16} className="shrink-0 text-critical" aria-label="Failed" />
          ) : (
            <CircleCheck size={16} className="shrink-0 text-good" aria-label="Done" />
          )}
          <span className="min-w-0 py-1">{text}</span>
          {undo !== undefined && (
            <button
              type="button"
              onClick={() => {
                dismiss(id);
                undo();
              }}
              className="rounded px-1.5 py-1 font-medium text-accent hover:bg-sunken"
            >
              Undo
            </button>
          )}
          <button
            type="button"
            aria-label="Dismiss"
            onClick={() => dismiss(id)}
            className="rounded p-1.5 text-muted hover:bg-sunken hover:text-ink"
          >
            <X size={14} />
          </button>
        </div>
      ))}
    </div>
  );
}
