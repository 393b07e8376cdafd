/** What each kind of source asks for, and the body that says it to the API. */
import type { SourceInput, SourceKind } from "@/api/types";

export interface SourceField {
  name: string;
  label: string;
  hint?: string;
  placeholder?: string;
  optional?: true;
  /** Sealed by the API and never shown again. */
  secret?: true;
  long?: true;
}

const TARGET: readonly SourceField[] = [
  { name: "framework", label: "Framework", hint: "Its short name", placeholder: "ewr" },
  {
    name: "metric",
    label: "Metric",
    placeholder: "orders",
    optional: true,
    hint: "Where the rows do not say",
  },
];

export const SOURCE_KINDS: Record<
  SourceKind,
  { name: string; about: string; fields: readonly SourceField[] }
> = {
  file: {
    name: "Files",
    about: "CSV, NDJSON or Parquet, in the folder “files” of the home or at an address",
    fields: [{ name: "path", label: "Path or address", placeholder: "airports/*.csv.gz" }, ...TARGET],
  },
  sql: {
    name: "SQL database",
    about: "A read-only query; rows after the last value of the cursor column are taken",
    fields: [
      {
        name: "url",
        label: "Database address",
        placeholder: "postgresql+psycopg://reader:…@host/shop",
        secret: true,
        hint: "Sealed; it is never shown again",
      },
      {
        name: "query",
        label: "Query",
        long: true,
        placeholder: "SELECT at AS timestamp, total AS value FROM orders WHERE at >= :since ORDER BY at",
      },
      { name: "cursor_column", label: "Cursor column", placeholder: "timestamp" },
      ...TARGET,
    ],
  },
  prometheus: {
    name: "Prometheus",
    about: "Range queries against a Prometheus server",
    fields: [
      { name: "url", label: "Address", placeholder: "https://prometheus.example.com" },
      { name: "query", label: "Query", placeholder: "sum(rate(http_requests_total[5m]))" },
      { name: "framework", label: "Framework", hint: "Its short name", placeholder: "shop" },
      { name: "metric", label: "Metric", placeholder: "requests" },
      { name: "step_seconds", label: "Seconds between points", placeholder: "60", optional: true },
    ],
  },
  http_json: {
    name: "JSON over HTTP",
    about: "A document at an address; JMESPath says where the points are",
    fields: [
      { name: "url", label: "Address", placeholder: "https://api.example.com/stats?since={since}" },
      { name: "points", label: "Where the points are", placeholder: "data.items", hint: "JMESPath" },
      { name: "timestamp", label: "Time of a point", placeholder: "at", hint: "JMESPath within a point" },
      { name: "value", label: "Value of a point", placeholder: "total", hint: "JMESPath within a point" },
      ...TARGET,
      {
        name: "authorization",
        label: "Authorization header",
        optional: true,
        secret: true,
        hint: "Sealed; it is never shown again",
      },
    ],
  },
};

/** What was typed, as the API takes it. */
export function sourceBody(
  kind: SourceKind,
  name: string,
  schedule: string,
  typed: Readonly<Record<string, string>>,
): SourceInput {
  const text = Object.fromEntries(
    Object.entries(typed).flatMap(([key, value]) => (value.trim() === "" ? [] : [[key, value.trim()]])),
  );
  const { url, query, framework, metric, step_seconds, timestamp, value, authorization, ...rest } = text;
  const target = { ...(framework && { framework }), ...(metric && { metric }) };
  const body = { name, kind, schedule: schedule.trim() === "" ? null : schedule.trim(), enabled: true };
  switch (kind) {
    case "file":
      return { ...body, config: { ...rest, ...target } };
    case "sql":
      return { ...body, config: { ...rest, query, ...target }, secret: { url } };
    case "prometheus":
      return {
        ...body,
        config: {
          url,
          queries: [{ query, ...target }],
          ...(step_seconds && { step_seconds: Number(step_seconds) }),
        },
      };
    case "http_json":
      return {
        ...body,
        config: { ...rest, url, fields: { timestamp, value }, ...target },
        ...(authorization && { secret: { headers: { Authorization: authorization } } }),
      };
  }
}
