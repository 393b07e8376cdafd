/**
 * Who is signed in on this page.
 *
 * The access token lives in memory only. The refresh token is in localStorage, so that every tab is
 * signed in, and is exchanged under a lock: it works once, and two tabs must not both spend it.
 */
import { exclusively, type Turns } from "./exclusive";
import { ApiError } from "./problem";
import type { Role, Tokens, User, Workspace } from "./types";

const STORED = "convex.refresh_token";
/** Renew this long before the token ends, so that no request is sent with one about to lapse. */
const MARGIN_MS = 60_000;

export interface Identity {
  user: User;
  workspace: Workspace;
  role: Role;
}

export type SessionState =
  | { status: "restoring" }
  | { status: "signed-out"; reason?: "expired" }
  | { status: "signed-in"; identity: Identity };

export interface SessionEdges extends Turns {
  fetch: typeof fetch;
  base: string;
}

export class Session {
  #state: SessionState = { status: "restoring" };
  #access: { token: string; until: number } | null = null;
  #renewal: Promise<string | null> | null = null;
  readonly #listeners = new Set<() => void>();
  readonly #edges: SessionEdges;

  constructor(edges: SessionEdges) {
    this.#edges = edges;
  }

  getState = (): SessionState => this.#state;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Take up the session that this browser remembers, if any. */
  async restore(): Promise<void> {
    if (this.#edges.storage.getItem(STORED) === null) return this.#become({ status: "signed-out" });
    try {
      await this.token(true);
    } catch {
      // Unreachable, not refused: the stored token may still be good at the next try.
      this.#become({ status: "signed-out" });
    }
  }

  async signIn(email: string, password: string): Promise<void> {
    this.#accept(await this.#post<Tokens>("/auth/sign-in", { email, password }));
  }

  /** After the OpenID provider has sent the browser back here. */
  async arrive(): Promise<void> {
    this.#accept(await this.#post<Tokens>("/auth/oidc/session", {}));
  }

  /** Use a link to choose a password, which signs in as well. */
  async choosePassword(token: string, password: string): Promise<void> {
    this.#accept(await this.#post<Tokens>("/auth/choose-password", { token, password }));
  }

  async signOut(): Promise<void> {
    const refresh_token = this.#edges.storage.getItem(STORED);
    this.#forget();
    if (refresh_token !== null) {
      await this.#post("/auth/sign-out", { refresh_token }).catch(() => undefined);
    }
  }

  /** A token that is good now; one exchange at a time, however many ask. Null when signed out. */
  token = async (renew = false): Promise<string | null> => {
    const access = this.#access;
    if (!renew && access !== null && access.until - MARGIN_MS > Date.now()) return access.token;
    this.#renewal ??= exclusively(this.#edges, () => this.#renew()).finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  };

  async #renew(): Promise<string | null> {
    // Read inside the lock: another tab may have exchanged it meanwhile.
    const refresh_token = this.#edges.storage.getItem(STORED);
    if (refresh_token === null) {
      this.#forget();
      return null;
    }
    try {
      const tokens = await this.#post<Tokens>("/auth/refresh", { refresh_token });
      this.#accept(tokens);
      return tokens.access_token;
    } catch (error) {
      if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429) {
        this.#forget("expired");
        return null;
      }
      throw error;
    }
  }

  async #post<T>(path: string, body: unknown): Promise<T> {
    let response: Response;
    try {
      response = await this.#edges.fetch(this.#edges.base + path, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
    } catch {
      throw ApiError.unreachable();
    }
    const answer: unknown = response.status === 204 ? null : await response.json().catch(() => null);
    if (!response.ok) throw ApiError.from(response.status, answer);
    return answer as T;
  }

  #accept(tokens: Tokens): void {
    this.#access = { token: tokens.access_token, until: Date.now() + tokens.expires_in * 1000 };
    this.#edges.storage.setItem(STORED, tokens.refresh_token);
    const { user, workspace, role } = tokens;
    const known = this.#state.status === "signed-in" ? this.#state.identity : null;
    // A renewal is no news for the page unless something about the member changed.
    if (JSON.stringify(known) !== JSON.stringify({ user, workspace, role })) {
      this.#become({ status: "signed-in", identity: { user, workspace, role } });
    }
  }

  #forget(reason?: "expired"): void {
    this.#access = null;
    this.#edges.storage.removeItem(STORED);
    this.#become(reason === undefined ? { status: "signed-out" } : { status: "signed-out", reason });
  }

  #become(state: SessionState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
