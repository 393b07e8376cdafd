import { ChevronDown, X } from "lucide-react";
import { useFrameworks } from "@/data/frameworks";
import { NO_FILTERS, type TriggerFilters } from "@/data/trigger-filters";
import { SEVERITIES, STATES, title, TYPES } from "@/format/words";
import { useZone } from "./time";
import { Button } from "./ui/button";
import { Input, Select } from "./ui/field";
import { Menu, MenuCheck } from "./ui/menu";
import { dayOf, startOfDay } from "@/format/days";

interface HistoryFiltersProps {
  filters: TriggerFilters;
  onChange: (filters: TriggerFilters) => void;
}

export function HistoryFilters({ filters, onChange }: HistoryFiltersProps) {
  const frameworks = useFrameworks();
  const zone = useZone();
  const set = (change: Partial<TriggerFilters>) => onChange({ ...filters, ...change });
  const active = JSON.stringify(filters) !== JSON.stringify(NO_FILTERS);
  return (
    <div role="search" aria-label="Filters" className="mb-4 flex flex-wrap items-center gap-2">
      <Several name="State" values={STATES} chosen={filters.state} onChange={(state) => set({ state })} />
      <Several
        name="Severity"
        values={SEVERITIES}
        chosen={filters.severity}
        onChange={(severity) => set({ severity })}
      />
      <Several name="Type" values={TYPES} chosen={filters.type} onChange={(type) => set({ type })} />
      <Select
        aria-label="Framework"
        className="min-w-36 flex-1 sm:max-w-48 sm:flex-none"
        value={filters.framework}
        onChange={(event) => set({ framework: event.target.value })}
      >
        <option value="">All frameworks</option>
        {frameworks.data?.map(({ id, slug, name }) => (
          <option key={id} value={slug}>
            {name}
          </option>
        ))}
      </Select>
      <div className="flex items-center gap-1.5 max-sm:order-last">
        <Input
          type="date"
          aria-label="Opened from"
          className="w-34!"
          value={dayOf(filters.from, zone)}
          onChange={(event) => set({ from: startOfDay(event.target.value, zone) })}
        />
        <span className="text-xs text-muted">to</span>
        <Input
          type="date"
          aria-label="Opened until"
          className="w-34!"
          value={dayOf(filters.to, zone, -1)}
          onChange={(event) => set({ to: startOfDay(event.target.value, zone, 1) })}
        />
      </div>
      <Select
        aria-label="Live or imported"
        className="min-w-40 flex-1 sm:flex-none"
        value={String(filters.historical ?? "")}
        onChange={({ target: { value } }) => set({ historical: value === "" ? null : value === "true" })}
      >
        <option value="">Live and imported</option>
        <option value="false">Live only</option>
        <option value="true">Imported history</option>
      </Select>
      {active && (
        <Button look="ghost" onClick={() => onChange(NO_FILTERS)}>
          <X size={14} aria-hidden />
          Clear
        </Button>
      )}
    </div>
  );
}

interface SeveralProps {
  name: string;
  values: readonly string[];
  chosen: string[];
  onChange: (chosen: string[]) => void;
}

function Several({ name, values, chosen, onChange }: SeveralProps) {
  const [first] = chosen;
  const text = first === undefined ? name : chosen.length === 1 ? title(first) : `${name}: ${chosen.length}`;
  return (
    <Menu
      align="start"
      trigger={
        <Button
          className={first === undefined ? "" : "border-accent! bg-accent-tint! text-accent!"}
          aria-label={`${name}: ${chosen.length === 0 ? "any" : chosen.join(", ")}`}
        >
          {text}
          <ChevronDown size={14} aria-hidden />
        </Button>
      }
    >
      {values.map((value) => (
        <MenuCheck
          key={value}
          checked={chosen.includes(value)}
          onCheckedChange={(checked) =>
            onChange(values.filter((each) => (each === value ? checked : chosen.includes(each))))
          }
        >
          {title(value)}
        </MenuCheck>
      ))}
    </Menu>
  );
}
