/** Which triggers are asked for; also how that is written into the page's address. */
import type { Trigger } from "@/api/types";

export interface TriggerFilters {
  state: string[];
  severity: string[];
  type: string[];
  framework: string;
  rule: string;
  from: string;
  to: string;
  historical: boolean | null;
}

export const NO_FILTERS: TriggerFilters = {
  state: [],
  severity: [],
  type: [],
  framework: "",
  rule: "",
  from: "",
  to: "",
  historical: null,
};

export function matches(trigger: Trigger, filters: TriggerFilters): boolean {
  const within = (chosen: string[], value: string) => chosen.length === 0 || chosen.includes(value);
  const opened = Date.parse(trigger.opened_at);
  return (
    within(filters.state, trigger.state) &&
    within(filters.severity, trigger.severity) &&
    within(filters.type, trigger.type) &&
    (filters.framework === "" || [trigger.framework_id, trigger.framework].includes(filters.framework)) &&
    (filters.rule === "" || trigger.rule_id === filters.rule) &&
    (filters.from === "" || opened >= Date.parse(filters.from)) &&
    (filters.to === "" || opened < Date.parse(filters.to)) &&
    (filters.historical === null || trigger.historical === filters.historical)
  );
}

const LISTS = ["state", "severity", "type"] as const;
const SINGLES = ["framework", "rule", "from", "to"] as const;

export function fromParameters(parameters: URLSearchParams): TriggerFilters {
  const filters: TriggerFilters = { ...NO_FILTERS };
  for (const name of LISTS) filters[name] = parameters.getAll(name);
  for (const name of SINGLES) filters[name] = parameters.get(name) ?? "";
  const historical = parameters.get("historical");
  if (historical !== null) filters.historical = historical === "true";
  return filters;
}

export function toParameters(filters: TriggerFilters): URLSearchParams {
  const parameters = new URLSearchParams();
  for (const name of LISTS) for (const value of filters[name]) parameters.append(name, value);
  for (const name of SINGLES) if (filters[name] !== "") parameters.set(name, filters[name]);
  if (filters.historical !== null) parameters.set("historical", String(filters.historical));
  return parameters;
}
