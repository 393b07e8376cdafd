import clsx from "clsx";
import { BookOpen, Layers, type LucideIcon, Search, SlidersHorizontal } from "lucide-react";
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { ITEMS } from "@/app/navigation";
import { useFrameworks } from "@/data/frameworks";
import { useRules } from "@/data/rules";
import { rank } from "@/data/rank";

interface Destination {
  name: string;
  kind: string;
  to: string;
  icon: LucideIcon;
}

const MOST_SHOWN = 9;

/** Go anywhere by typing a few letters of it. Mounted only while it is open. */
export default function Palette({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const frameworks = useFrameworks();
  const rules = useRules();
  useEffect(() => dialog.current?.showModal(), []);

  const all = useMemo<Destination[]>(
    () => [
      ...ITEMS.map(({ to, name, icon }) => ({ name, to, icon, kind: "Page" })),
      { name: "New rule", to: "/rules/new", icon: SlidersHorizontal, kind: "Action" },
      ...(frameworks.data ?? []).map(({ id: key, name }) => ({
        name,
        to: `/frameworks/${key}`,
        icon: Layers,
        kind: "Framework",
      })),
      ...(rules.data ?? []).map(({ id: key, name }) => ({
        name,
        to: `/rules/${key}`,
        icon: BookOpen,
        kind: "Rule",
      })),
    ],
    [frameworks.data, rules.data],
  );
  const found = useMemo(() => rank(all, text, ({ name }) => name).slice(0, MOST_SHOWN), [all, text]);
  const chosen = Math.min(at, found.length - 1);

  const go = (destination: Destination | undefined) => {
    if (destination === undefined) return;
    onClose();
    void navigate(destination.to);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") setAt((chosen + 1) % Math.max(1, found.length));
    else if (event.key === "ArrowUp") setAt((chosen - 1 + found.length) % Math.max(1, found.length));
    else if (event.key === "Enter") go(found[chosen]);
    else return;
    event.preventDefault();
  };

  return (
    <dialog
      ref={dialog}
      aria-label="Go to"
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}
      className="mt-[12vh] w-[min(36rem,calc(100vw-2rem))] overflow-hidden rounded-xl border border-line bg-surface p-0 shadow-raised open:animate-rise"
    >
      <div className="flex items-center gap-3 border-b border-line px-4">
        <Search size={16} aria-hidden className="shrink-0 text-muted" />
        <input
          role="combobox"
          aria-label="Go to a page, framework or rule"
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-activedescendant={found.length > 0 ? `${id}-${chosen}` : undefined}
          placeholder="Go to a page, framework or rule…"
          value={text}
          onChange={({ target }) => {
            setText(target.value);
            setAt(0);
          }}
          onKeyDown={onKeyDown}
          className="h-12 w-full bg-transparent outline-none placeholder:text-muted"
        />
      </div>
      <ul id={`${id}-list`} role="listbox" aria-label="Destinations" className="p-1.5">
        {found.map((destination, index) => (
          <li
            key={destination.to}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === chosen}
            onPointerMove={() => setAt(index)}
            onClick={() => go(destination)}
            className={clsx(
              "flex h-10 cursor-pointer items-center gap-3 rounded-md px-2.5 text-sm",
              index === chosen && "bg-sunken",
            )}
          >
            <destination.icon size={16} aria-hidden className="shrink-0 text-muted" />
            <span className="truncate">{destination.name}</span>
            <span className="ml-auto shrink-0 text-xs text-muted">{destination.kind}</span>
          </li>
        ))}
      </ul>
      <p role="status" className={found.length > 0 ? "sr-only" : "px-4 pb-5 text-center text-sm text-muted"}>
        {found.length > 0 ? `${found.length} found` : "Nothing has that name."}
      </p>
    </dialog>
  );
}
