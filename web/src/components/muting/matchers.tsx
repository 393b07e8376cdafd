import { Plus, X } from "lucide-react";
import { useId } from "react";
import type { Matcher } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Input, Select } from "@/components/ui/field";

const OPERATORS: readonly (readonly [Matcher["operator"], string])[] = [
  ["=", "is"],
  ["!=", "is not"],
  ["=~", "matches"],
  ["!~", "does not match"],
];
const LABELS = ["framework", "rule", "metric", "severity", "type", "tag"];

/** "framework is ewr": each one as a small word group. */
export function MatcherTags({ matchers }: { matchers: readonly Matcher[] }) {
  return (
    <span className="flex flex-wrap gap-1">
      {matchers.map(({ label, operator, value }) => (
        <code
          key={`${label}${operator}${value}`}
          className="rounded bg-sunken px-1.5 py-0.5 font-mono text-xs"
        >
          {label}
          {operator}
          {JSON.stringify(value)}
        </code>
      ))}
    </span>
  );
}

/** All must fit. */
export function MatchersField({
  value,
  onChange,
  legend = "Alerts where",
}: {
  legend?: string;
  value: readonly Matcher[];
  onChange: (matchers: Matcher[]) => void;
}) {
  const list = useId();
  const set = (at: number, change: Partial<Matcher>) =>
    onChange(value.map((each, index) => (index === at ? { ...each, ...change } : each)));
  return (
    <fieldset className="flex min-w-0 flex-col gap-2">
      <legend className="mb-1 text-xs font-medium">{legend}</legend>
      <datalist id={list}>
        {LABELS.map((label) => (
          <option key={label} value={label} />
        ))}
      </datalist>
      {value.map((matcher, index) => (
        <div key={index} className="flex gap-1.5">
          <Input
            aria-label="Label"
            list={list}
            required
            value={matcher.label}
            onChange={({ target }) => set(index, { label: target.value })}
          />
          <Select
            aria-label="Comparison"
            className="w-36 shrink-0"
            value={matcher.operator}
            onChange={({ target }) => set(index, { operator: target.value as Matcher["operator"] })}
          >
            {OPERATORS.map(([operator, text]) => (
              <option key={operator} value={operator}>
                {text}
              </option>
            ))}
          </Select>
          <Input
            aria-label="Value"
            value={matcher.value}
            onChange={({ target }) => set(index, { value: target.value })}
          />
          <Button
            look="ghost"
            size="icon"
            aria-label="Remove this condition"
            disabled={value.length === 1}
            onClick={() => onChange(value.filter((_, at) => at !== index))}
          >
            <X size={14} />
          </Button>
        </div>
      ))}
      <Button
        size="sm"
        className="self-start"
        onClick={() => onChange([...value, { label: "", operator: "=", value: "" }])}
      >
        <Plus size={13} aria-hidden />
        And
      </Button>
    </fieldset>
  );
}
