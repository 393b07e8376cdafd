/** What a newcomer runs to send a point, ready to be pasted. */

export type Way = "curl" | "prometheus" | "python";

export const WAYS: readonly (readonly [Way, string])[] = [
  ["curl", "curl"],
  ["prometheus", "Prometheus"],
  ["python", "Python"],
];

export interface Details {
  origin: string;
  key: string;
  slug: string;
  metric: string;
  value: number;
}

export const SNIPPETS: Record<Way, (details: Details) => string> = {
  curl: ({ origin, key, slug, metric, value }) => `curl ${origin}/api/v1/points \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d '{"points": [{"framework": "${slug}", "metric": "${metric}",
       "timestamp": "'$(date -u +%FT%TZ)'", "value": ${value}}]}'`,
  prometheus: ({ origin, key, slug }) => `# prometheus.yml: everything it scrapes is sent here as well
remote_write:
  - url: ${origin}/api/v1/prometheus/write
    authorization:
      credentials: ${key}
    write_relabel_configs:
      - target_label: framework
        replacement: ${slug}`,
  python: ({ origin, key, slug, metric, value }) => `import datetime, json, urllib.request

point = {
    "framework": "${slug}",
    "metric": "${metric}",
    "timestamp": datetime.datetime.now(datetime.timezone.utc).isoformat(),
    "value": ${value},
}
request = urllib.request.Request(
    "${origin}/api/v1/points",
    json.dumps({"points": [point]}).encode(),
    {"Authorization": "Bearer ${key}", "Content-Type": "application/json"},
)
print(urllib.request.urlopen(request).read().decode())`,
};
