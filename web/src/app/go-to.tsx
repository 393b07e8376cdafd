import { Search } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";

const Palette = lazy(() => import("@/components/palette"));
const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);

/** The way to everything, by a click, by ⌘K or Ctrl K, or by a slash. */
export function GoTo() {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const shortcut = event.key.toLowerCase() === "k" && (isMac ? event.metaKey : event.ctrlKey);
      const slash = event.key === "/" && !isTyping(event.target);
      if (!shortcut && !slash) return;
      event.preventDefault();
      setOpen(true);
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, []);
  return (
    <>
      <button
        type="button"
        onClick={() => setOpen(true)}
        aria-keyshortcuts={isMac ? "Meta+K" : "Control+K"}
        className="flex h-8 items-center gap-2 rounded-md border border-line bg-surface px-2.5 text-xs text-muted shadow-card transition-colors hover:text-ink lg:w-52"
      >
        <Search size={14} aria-hidden />
        <span className="max-lg:sr-only">Go to…</span>
        <kbd aria-hidden className="ml-auto font-sans text-2xs max-lg:hidden">
          {isMac ? "⌘ K" : "Ctrl K"}
        </kbd>
      </button>
      <Suspense>{open && <Palette onClose={() => setOpen(false)} />}</Suspense>
    </>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
}
