import { number, quantity } from "@/format/number";
import { duration } from "@/format/time";
import { title } from "@/format/words";

type Facts = Readonly<Record<string, unknown>>;

/** The card that says why a pattern is believed: what was tested, what came out, on how much. */
export function Evidence({
  pattern,
  evidence,
}: {
  pattern: { p_value: number; q_value: number | null };
  evidence: Facts;
}) {
  const groups = ["effect", "lag_seconds", "season", "out_of_sample", "test"]
    .map((name) => [name, evidence[name]] as const)
    .filter((group): group is readonly [string, Facts] => isFacts(group[1]));
  return (
    <div className="grid gap-x-8 gap-y-5 p-4 sm:grid-cols-2">
      <div>
        <h3 className="text-xs font-medium text-muted">How surprising</h3>
        <dl className="mt-1.5 text-sm">
          <Line name="p-value" value={small(pattern.p_value)} />
          {pattern.q_value !== null && (
            <Line name="after false-discovery control" value={small(pattern.q_value)} />
          )}
        </dl>
      </div>
      {groups.map(([name, facts]) => (
        <div key={name}>
          <h3 className="text-xs font-medium text-muted">{HEADINGS[name]}</h3>
          {typeof facts["name"] === "string" && <p className="text-sm">{facts["name"]}</p>}
          <dl className="mt-1.5 text-sm">
            {lines(facts, name === "lag_seconds").map(([key, value]) => (
              <Line key={key} name={key} value={value} />
            ))}
          </dl>
        </div>
      ))}
    </div>
  );
}

const HEADINGS: Record<string, string> = {
  effect: "How strong",
  lag_seconds: "How much later",
  season: "When",
  out_of_sample: "On later alerts, which did not help to find it",
  test: "How it was tested",
};

function Line({ name, value }: { name: string; value: string }) {
  return (
    <div className="flex justify-between gap-4 border-b border-line py-1 last:border-b-0">
      <dt className="text-muted">{name}</dt>
      <dd className="numbers text-right">{value}</dd>
    </div>
  );
}

function lines(facts: Facts, seconds: boolean): [string, string][] {
  return Object.entries(facts).flatMap(([key, value]): [string, string][] => {
    if (key === "name" || value === null || value === undefined) return [];
    if (isFacts(value))
      return lines(value, seconds).map(([inner, text]) => [`${title(key)}: ${inner}`, text]);
    return [[title(key.replace(/_seconds$/, "")), text(key, value, seconds)]];
  });
}

function text(key: string, value: unknown, seconds: boolean): string {
  if (Array.isArray(value)) return value.map((each) => title(String(each))).join(", ");
  if (typeof value !== "number") return title(String(value));
  if (seconds || key.endsWith("_seconds")) return duration(Math.round(value));
  if (/share|rate/.test(key)) return quantity(value, "ratio");
  if (/^p_|p_value/.test(key)) return small(value);
  return number(value);
}

function small(value: number): string {
  return value < 0.0001 ? value.toExponential(1) : value.toPrecision(2);
}

function isFacts(value: unknown): value is Facts {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
