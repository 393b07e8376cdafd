import { KeyRound } from "lucide-react";
import { useState } from "react";
import { messageOf } from "@/api/problem";
import type { Framework } from "@/api/types";
import { useMay } from "@/app/identity";
import { useMakeIngestKey } from "@/data/keys";
import { CopyButton } from "./copyable";
import { FrameworkForm } from "./framework-form";
import { Button } from "./ui/button";
import { Segmented } from "./ui/segmented";
import { say } from "./ui/toast";

type Way = "curl" | "python";

const PLACE = "YOUR_API_KEY";

interface FirstStepsProps {
  /** The one to send points for, once there is one. */
  framework: Framework | undefined;
}

/** From an empty workspace to the first point on the screen. */
export function FirstSteps({ framework }: FirstStepsProps) {
  const may = useMay("editor");
  if (framework !== undefined) return <FirstPoint slug={framework.slug} name={framework.name} />;
  return (
    <div className="px-4 py-6 sm:px-6">
      <h3 className="text-lg font-semibold">What do you want to watch?</h3>
      <p className="mt-1 mb-4 max-w-prose text-pretty text-muted">
        A framework is anything you measure. Its metrics appear by themselves with their first points.
      </p>
      {may ? (
        <FrameworkForm />
      ) : (
        <p>Nothing is watched yet. An editor or owner can create the first framework.</p>
      )}
    </div>
  );
}

function FirstPoint({ slug, name }: { slug: string; name: string }) {
  const [way, setWay] = useState<Way>("curl");
  const make = useMakeIngestKey();
  const may = useMay("owner");
  const text = snippets[way]({ origin: location.origin, key: make.data?.key ?? PLACE, slug });
  return (
    <div className="px-4 py-6 sm:px-6">
      <h3 className="text-lg font-semibold">Push the first point of {name}</h3>
      <p className="mt-1 max-w-prose text-pretty text-muted">
        Any program that can send JSON will do. Here is one point, ready to run.
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
  return (
    <div className="relative mt-3">
      <pre
        tabIndex={0}
        aria-label="What to run"
        className="overflow-x-auto rounded-lg border border-line bg-sunken p-4 pr-24 font-mono text-xs leading-5"
      >
        {text}
      </pre>
      <CopyButton text={text} className="absolute top-2.5 right-2.5" />
    </div>
  );
}

interface Details {
  origin: string;
  key: string;
  slug: string;
}

const snippets: Record<Way, (details: Details) => string> = {
  curl: ({ origin, key, slug }) => `curl ${origin}/api/v1/points \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d '{"points": [{"framework": "${slug}", "metric": "checkout_rate",
       "timestamp": "'$(date -u +%FT%TZ)'", "value": 0.42}]}'`,
  python: ({ origin, key, slug }) => `import datetime, json, urllib.request

point = {
    "framework": "${slug}",
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
