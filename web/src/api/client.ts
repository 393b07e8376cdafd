/** The one way to the API: adds the token, renews it once on 401, turns refusals into ApiError. */
import createClient from "openapi-fetch";
import { ApiError } from "./problem";
import type { paths } from "./schema";
import { Session } from "./session";

export const session = new Session({
  storage: globalThis.localStorage,
  fetch: (...args) => fetch(...args),
  base: "/api/v1",
  locks: globalThis.navigator?.locks,
});

/** Typed by the OpenAPI document: `unwrap(api.GET("/api/v1/frameworks", …))`. */
export const api = createClient<paths>({ fetch: authorised });

/** The body of an answer, or the refusal as an `ApiError`. */
export async function unwrap<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) throw ApiError.from(response.status, error);
  return data as T;
}

async function authorised(request: Request): Promise<Response> {
  const again = request.clone();
  const answer = await send(request, await session.token());
  if (answer.status !== 401) return answer;
  const token = await session.token(true);
  return token === null ? answer : send(again, token);
}

async function send(request: Request, token: string | null): Promise<Response> {
  if (token !== null) request.headers.set("Authorization", `Bearer ${token}`);
  try {
    return await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw ApiError.unreachable();
  }
}
