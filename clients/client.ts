// The typed client: `connect({ baseUrl, token })`, then `.GET("/api/v1/…")` and the like.
import createClient, { type Client } from "openapi-fetch";
import type { paths } from "./schema.d.ts";

export type { components, paths } from "./schema.d.ts";

export function connect(options: { baseUrl: string; token?: string }): Client<paths> {
  const headers: Record<string, string> = options.token
    ? { Authorization: `Bearer ${options.token}` }
    : {};
  return createClient<paths>({ baseUrl: options.baseUrl, headers });
}
