/** The one way to the API: adds the token, renews it once on 401, turns refusals into ApiError. */
import { ApiError } from "./problem";
import { Session } from "./session";

const BASE = "/api/v1";

export const session = new Session({
  storage: globalThis.localStorage,
  fetch: (...args) => fetch(...args),
  base: BASE,
  locks: globalThis.navigator?.locks,
});

export type Query = Record<string, string | number | boolean | readonly string[] | null | undefined>;

interface Call {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  query?: Query;
  body?: unknown;
  signal?: AbortSignal | undefined;
}

export async function call<T>(path: string, { method = "GET", query, body, signal }: Call = {}): Promise<T> {
  const url = BASE + path + queryString(query);
  const send = async (token: string | null): Promise<Response> => {
    const headers = new Headers({ Accept: "application/json" });
    if (token !== null) headers.set("Authorization", `Bearer ${token}`);
    if (body !== undefined) headers.set("Content-Type", "application/json");
    try {
      return await fetch(url, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        signal: signal ?? null,
      });
    } catch (error) {
      if (signal?.aborted === true) throw error;
      throw ApiError.unreachable();
    }
  };
  let response = await send(await session.token());
  if (response.status === 401) {
    const token = await session.token(true);
    if (token !== null) response = await send(token);
  }
  const answer: unknown = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) throw ApiError.from(response.status, answer);
  return answer as T;
}

/** Lists become repeated parameters; what is null, undefined or empty is left out. */
export function queryString(query: Query | undefined): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === null || value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, String(one));
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}
