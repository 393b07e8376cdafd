import { Check, Copy, KeyRound } from "lucide-react";
import { useState } from "react";
import { messageOf } from "@/api/problem";
import { useMay } from "@/app/identity";
import { useMakeIngestKey } from "@/data/keys";
import { Button } from "./ui/button";
import { Segmented } from "./ui/segmented";
import { say } from "./ui/toast";

type Way = "curl" | "python";

const PLACE = "YOUR_API_KEY";

/** From an empty workspace to the first point on the screen. */
export function FirstSteps() {
  const [way, setWay] = useState<Way>("curl");
  const make = useMakeIngestKey();
  const may = useMay("owner");
  const text = snippets[way](location.origin, make.data?.key ?? PLACE);
  return (
    <div className="px-4 py-6 sm:px-6">
      <h3 className="text-lg font-semibold">Push your first point</h3>
      <p className="mt-1 max-w-prose text-pretty text-muted">
        A framework is anything you measure: a funnel, a service, an airport. It appears here by itself with
        its first point.
      </p>
      <div className="mt-4 flex flex-wrap items-center gap-2">
        <Segmented
          label="How points are sent"
          value={way}
          onChange={setWay}
          choices={[
            ["curl", "curl"],
            ["python", "Python"],
          ]}
        />
        {may && make.data === undefined && (
          <Button
            disabled={make.isPending}
            onClick={() =>
              make.mutate(undefined, {
                onError: (error) => say(`No key was made: ${messageOf(error)}`, { bad: true }),
              })
            }
          >
            <KeyRound size={14} aria-hidden />
            Make a key for it
          </Button>
        )}
        {make.data !== undefined && (
          <p className="text-sm text-good-ink">The key is in place; it is shown only now.</p>
        )}
      </div>
      <Snippet text={text} />
      <p role="status" className="mt-3 flex items-center gap-2 text-sm text-muted">
        <span aria-hidden className="size-2 animate-breathe rounded-full bg-accent" />
        Waiting for the first point…
      </p>
    </div>
  );
}

function Snippet({ text }: { text: string }) {
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
    <div className="relative mt-3">
      <pre
        tabIndex={0}
        aria-label="What to run"
        className="overflow-x-auto rounded-lg border border-line bg-sunken p-4 pr-24 font-mono text-xs leading-5"
      >
        {text}
      </pre>
      <Button size="sm" className="absolute top-2.5 right-2.5" onClick={() => void copy()}>
        {copied ? <Check size={13} aria-hidden /> : <Copy size={13} aria-hidden />}
        {copied ? "Copied" : "Copy"}
      </Button>
    </div>
  );
}

const snippets: Record<Way, (origin: string, key: string) => string> = {
  curl: (origin, key) => `curl ${origin}/api/v1/points \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d '{"points": [{"framework": "shop", "metric": "checkout_rate", "timestamp": "'$(date -u +%FT%TZ)'", "value": 0.42}]}'`,
  python: (origin, key) => `import datetime, json, urllib.request

point = {
    "framework": "shop",
    "metric": "checkout_rate",
    "timestamp": datetime.datetime.now(datetime.timezone.utc).isoformat(),
    "value": 0.42,
}
request = urllib.request.Request(
    "${origin}/api/v1/points",
    json.dumps({"points": [point]}).encode(),
    {"Authorization": "Bearer ${key}", "Content-Type": "application/json"},
)
print(urllib.request.urlopen(request).read().decode())`,
};
