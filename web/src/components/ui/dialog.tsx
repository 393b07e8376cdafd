import { X } from "lucide-react";
import { type ReactNode, useEffect, useId, useRef } from "react";
import { Button } from "./button";

interface DialogProps {
  title: string;
  open: boolean;
  onClose: () => void;
  children: ReactNode;
}

/** The browser's modal dialog: it keeps the focus, closes by Escape and makes the page inert. */
export function Dialog({ title, open, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    if (!open) return dialog?.close();
    dialog?.showModal();
    // Without this the first control, which closes, would have the focus.
    dialog?.querySelector<HTMLElement>("textarea, input, select")?.focus();
  }, [open]);
  return (
    <dialog
      ref={element}
      aria-labelledby={id}
      onClose={onClose}
      onClick={(event) => event.target === element.current && onClose()}
      className="max-h-[calc(100dvh-2rem)] w-[min(28rem,calc(100vw-2rem))] overflow-y-auto overscroll-contain rounded-xl border border-line bg-surface p-0 shadow-raised open:animate-rise"
    >
      <div className="flex items-center justify-between border-b border-line py-2 pr-2 pl-4">
        <h2 id={id} className="text-base font-semibold">
          {title}
        </h2>
        <Button look="ghost" size="icon" aria-label="Close" onClick={onClose}>
          <X size={16} />
        </Button>
      </div>
      {open && <div className="p-4">{children}</div>}
    </dialog>
  );
}
