import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { Button } from "./ui/button";
import { say } from "./ui/toast";

/** A button that puts `text` on the clipboard and says so. */
export function CopyButton({ text, className }: { text: string; className?: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 2000);
    } catch {
      say("The browser did not allow copying; select the text instead.", { bad: true });
    }
  };
  return (
    <Button size="sm" {...(className !== undefined && { className })} onClick={() => void copy()}>
      {copied ? <Check size={13} aria-hidden /> : <Copy size={13} aria-hidden />}
      {copied ? "Copied" : "Copy"}
    </Button>
  );
}

/** Something that is shown this once: a key, a link. */
export function Once({ label, text }: { label: string; text: string }) {
  return (
    <div className="rounded-lg border border-line bg-sunken p-3">
      <p className="text-xs font-medium">{label}</p>
      <div className="mt-1.5 flex items-center gap-2">
        <code className="min-w-0 flex-1 font-mono text-xs break-all select-all">{text}</code>
        <CopyButton text={text} />
      </div>
    </div>
  );
}
