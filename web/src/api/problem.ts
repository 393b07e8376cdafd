import type { Problem } from "./types";

/** An answer of the API that says why it refused, or a network that did not carry the question. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fields: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }

  /** Nothing was answered at all. */
  static unreachable(): ApiError {
    return new ApiError(0, "unreachable", "The server cannot be reached. It is tried again on its own.");
  }

  static from(status: number, body: unknown): ApiError {
    if (!isProblem(body)) return new ApiError(status, "unexpected", `The server answered ${status}.`);
    const fields: Record<string, string> = {};
    for (const error of body.errors ?? []) {
      const place = error.loc.filter((part) => part !== "body").join(".");
      fields[place] ??= error.msg;
    }
    return new ApiError(status, body.code, body.detail || body.title, fields);
  }
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body && "title" in body;
}

/** What to tell a person about any failure. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "Something went wrong.";
}
