/**
 * The live stream as a plain object, usable outside React.
 *
 * A connection that breaks comes back by itself (exponential backoff with jitter), tells the server
 * the last cursor it has seen of each subscription, and drops what it has seen already: nothing is
 * missing and nothing comes twice. A silent connection is found out by a ping every 30 seconds.
 */
import type { InAppNotification, Trigger } from "@/api/types";
import { type Frame, frameworkOf, parseFrame } from "./frames";

/** A token, or a way to get one; `renew` is true when the server refused the last one. */
export type TokenSource = string | ((renew: boolean) => string | null | Promise<string | null>);

export interface LiveEvent {
  type: string;
  cursor: number;
  data: unknown;
  timestamp: string;
}

export class LiveError extends Error {
  override readonly name = "LiveError";
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export interface AlertSocketOptions {
  token: TokenSource;
  /** Default: `/api/v1/live` of the page's own host. */
  url?: string;
  onAlert?: (trigger: Trigger, event: LiveEvent) => void;
  onNotification?: (notification: InAppNotification, event: LiveEvent) => void;
  /** Every event, of kinds that this version does not know too. */
  onEvent?: (event: LiveEvent) => void;
  /** Events flow from here on; after each reconnection too. */
  onConnect?: () => void;
  onError?: (error: LiveError) => void;
  /** More was missed than the server keeps: what is shown must be loaded anew. */
  onResync?: () => void;
  heartbeatMs?: number;
  /** A ping that is not answered for this long means that the connection is dead. */
  pongTimeoutMs?: number;
  backoffMs?: { first: number; longest: number };
  random?: () => number;
}

export interface LiveState {
  isConnected: boolean;
  isConnecting: boolean;
  error: LiveError | null;
  messageCount: number;
}

const HEARTBEAT_MS = 30_000;
const PONG_TIMEOUT_MS = 10_000;
const BACKOFF_MS = { first: 500, longest: 30_000 };
/** A connection that lasted this long was a good one: the next wait is short again. */
const STABLE_MS = 5_000;
/** Enough to recognise everything that a server may send again after a reconnection. */
const REMEMBERED = 20_000;
const UNAUTHORISED = 4401;
const RENEW_BEFORE_MS = 45_000;
/** Timers of browsers overflow after 24.8 days. */
const LONGEST_TIMER_MS = 2_000_000_000;

export class AlertSocket {
  #state: LiveState = { isConnected: false, isConnecting: false, error: null, messageCount: 0 };
  #options: AlertSocketOptions;
  #socket: WebSocket | null = null;
  #wanted = false;
  #renew = false;
  #attempt = 0;
  #connectedAt = 0;
  #announced = false;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #pongDue: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  /** Framework (null: all) → last cursor seen of it, or null before the first. */
  readonly #subscriptions = new Map<string | null, number | null>();
  /** Subscriptions sent and not yet confirmed, in the order in which the answers come. */
  #unconfirmed: (string | null)[] = [];
  #seen = new Set<number>();
  readonly #listeners = new Set<() => void>();

  constructor(options: AlertSocketOptions) {
    this.#options = options;
  }

  getState = (): LiveState => this.#state;

  /** Be told of each change of `getState()`; returns how to stop. */
  observe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Replace token or callbacks; they hold from the next event or connection on. */
  configure(options: Partial<AlertSocketOptions>): void {
    this.#options = { ...this.#options, ...options };
  }

  /** Connect now, without waiting for a planned retry. */
  connect = (): void => {
    this.#wanted = true;
    if (this.#socket === null && !this.#state.isConnecting) void this.#open();
  };

  disconnect = (): void => {
    this.#wanted = false;
    this.#drop(1000);
    this.#set({ isConnected: false, isConnecting: false, error: null });
  };

  /** Events of one framework, or of all (null); `since` asks for those after a cursor too. */
  subscribe = (frameworkId: string | null = null, since: number | null = null): void => {
    if (this.#subscriptions.has(frameworkId) && since === null) return;
    this.#subscriptions.set(frameworkId, since);
    if (this.#state.isConnected) this.#sendSubscription(frameworkId);
  };

  unsubscribe = (frameworkId: string | null = null): void => {
    if (!this.#subscriptions.delete(frameworkId)) return;
    if (this.#state.isConnected) this.#send({ type: "unsubscribe", framework_id: frameworkId });
  };

  /** Find out at once whether the connection outlived a sleep of the machine. */
  probe = (): void => {
    if (!this.#wanted) return;
    if (this.#state.isConnected) this.#ping();
    else if (this.#retry !== undefined) void this.#open();
  };

  async #open(): Promise<void> {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#set({ isConnecting: true });
    let token: string | null;
    try {
      const source = this.#options.token;
      token = typeof source === "string" ? source : await source(this.#renew);
    } catch {
      this.#fail(new LiveError("unreachable", "The server cannot be reached."));
      return this.#retryLater();
    }
    if (!this.#wanted || this.#socket !== null) return;
    if (token === null) {
      this.#wanted = false;
      this.#set({ isConnecting: false });
      return this.#fail(new LiveError("not_authenticated", "Nobody is signed in."));
    }
    const socket = new WebSocket(this.#options.url ?? ownUrl());
    this.#socket = socket;
    socket.onopen = () => this.#send({ type: "auth", token });
    socket.onmessage = (message: MessageEvent<unknown>) => this.#receive(message.data);
    socket.onclose = (event) => this.#closed(event.code);
  }

  #receive(text: unknown): void {
    clearTimeout(this.#pongDue);
    this.#pongDue = undefined;
    const frame = parseFrame(text);
    if (frame === null) return;
    this.#set({ messageCount: this.#state.messageCount + 1 });
    switch (frame.type) {
      case "auth_success":
        return this.#authenticated(frame.expires_at);
      case "auth_failed":
        return this.#refused(frame.detail);
      case "subscribed":
        return this.#subscribed(frame);
      case "resync":
        return this.#resync(frame);
      case "error":
        return this.#fail(
          new LiveError(frame.code ?? "error", frame.detail ?? "The server refused a message."),
        );
      case "unsubscribed":
      case "pong":
        return;
      default:
        if (typeof frame.cursor === "number") this.#event(frame as Frame & { cursor: number });
    }
  }

  #authenticated(expires_at: string | null | undefined): void {
    this.#renew = false;
    this.#renewBefore(expires_at);
    if (this.#state.isConnected) return;
    this.#connectedAt = Date.now();
    this.#unconfirmed = [];
    this.#announced = false;
    this.#heartbeat = setInterval(() => this.#ping(), this.#options.heartbeatMs ?? HEARTBEAT_MS);
    this.#set({ isConnected: true, isConnecting: false, error: null });
    for (const frameworkId of this.#subscriptions.keys()) this.#sendSubscription(frameworkId);
    if (this.#subscriptions.size === 0) this.#announce();
  }

  /** The server ends a connection with its token: a new one goes over the same connection in time. */
  #renewBefore(expires_at: string | null | undefined): void {
    clearTimeout(this.#renewal);
    const { token } = this.#options;
    if (typeof expires_at !== "string" || typeof token === "string") return;
    const wait = Math.max(0, Date.parse(expires_at) - Date.now() - RENEW_BEFORE_MS);
    this.#renewal = setTimeout(
      () => {
        const socket = this.#socket;
        // Without an answer the server closes the connection, and the next one asks again.
        const send = (renewed: string | null) => {
          if (renewed !== null && this.#socket === socket) this.#send({ type: "auth", token: renewed });
        };
        void Promise.resolve(token(true)).then(send, () => undefined);
      },
      Math.min(wait, LONGEST_TIMER_MS),
    );
  }

  #refused(detail: string | undefined): void {
    this.#renew = true;
    this.#fail(new LiveError("auth_failed", detail ?? "The server did not accept the token."));
    this.#drop(1000);
    // A fixed token will not be accepted the next time either.
    if (typeof this.#options.token === "string") this.#wanted = false;
    this.#set({ isConnected: false, isConnecting: false });
    this.#retryLater();
  }

  #subscribed(frame: Frame): void {
    const confirmed = this.#unconfirmed.shift();
    const frameworkId = frame.framework_id !== undefined ? frame.framework_id : (confirmed ?? null);
    // With a cursor of its own the subscription is still being caught up: events move it on.
    if (this.#subscriptions.get(frameworkId) === null && typeof frame.cursor === "number") {
      this.#subscriptions.set(frameworkId, frame.cursor);
    }
    if (!this.#announced) this.#announce();
  }

  #announce(): void {
    this.#announced = true;
    this.#options.onConnect?.();
  }

  #resync(frame: Frame): void {
    const cursor = typeof frame.cursor === "number" ? frame.cursor : null;
    const named = frame.framework_id;
    for (const frameworkId of this.#subscriptions.keys()) {
      if (named === undefined || named === frameworkId) this.#subscriptions.set(frameworkId, cursor);
    }
    this.#seen.clear();
    this.#options.onResync?.();
  }

  #event(frame: Frame & { cursor: number }): void {
    const framework = frameworkOf(frame.data);
    for (const [frameworkId, cursor] of this.#subscriptions) {
      const concerns = frameworkId === null || framework === undefined || frameworkId === framework;
      if (concerns) this.#subscriptions.set(frameworkId, Math.max(cursor ?? 0, frame.cursor));
    }
    if (this.#seen.has(frame.cursor)) return;
    this.#seen.add(frame.cursor);
    if (this.#seen.size > REMEMBERED) {
      // Sets keep insertion order: the oldest half goes.
      this.#seen = new Set([...this.#seen].slice(REMEMBERED / 2));
    }
    const event: LiveEvent = {
      type: frame.type,
      cursor: frame.cursor,
      data: frame.data,
      timestamp: frame.timestamp ?? "",
    };
    this.#options.onEvent?.(event);
    if (event.type === "alert") this.#options.onAlert?.(event.data as Trigger, event);
    if (event.type === "notification") {
      this.#options.onNotification?.(event.data as InAppNotification, event);
    }
  }

  #sendSubscription(frameworkId: string | null): void {
    this.#unconfirmed.push(frameworkId);
    const since = this.#subscriptions.get(frameworkId) ?? null;
    this.#send({ type: "subscribe", framework_id: frameworkId, since });
  }

  #ping(): void {
    this.#send({ type: "ping" });
    this.#pongDue ??= setTimeout(() => {
      this.#fail(new LiveError("silent", "The connection went silent."));
      this.#closed(0);
    }, this.#options.pongTimeoutMs ?? PONG_TIMEOUT_MS);
  }

  #closed(code: number): void {
    this.#drop();
    if (code === UNAUTHORISED) this.#renew = true;
    if (this.#connectedAt > 0 && Date.now() - this.#connectedAt >= STABLE_MS) this.#attempt = 0;
    this.#connectedAt = 0;
    this.#set({ isConnected: false, isConnecting: false });
    if (this.#wanted && this.#state.error === null) {
      this.#fail(new LiveError("closed", "The connection was lost."));
    }
    this.#retryLater();
  }

  #retryLater(): void {
    if (!this.#wanted || this.#retry !== undefined) return;
    const { first, longest } = this.#options.backoffMs ?? BACKOFF_MS;
    const ceiling = Math.min(longest, first * 2 ** this.#attempt);
    this.#attempt += 1;
    // Half fixed, half random: clients that were cut off together do not come back together.
    const wait = ceiling * (0.5 + 0.5 * (this.#options.random ?? Math.random)());
    this.#set({ isConnecting: false });
    this.#retry = setTimeout(() => void this.#open(), wait);
  }

  /** Forget the socket at once; a dead one may take minutes to report that it is closed. */
  #drop(code?: number): void {
    clearInterval(this.#heartbeat);
    clearTimeout(this.#pongDue);
    clearTimeout(this.#retry);
    clearTimeout(this.#renewal);
    this.#pongDue = undefined;
    this.#retry = undefined;
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    if (socket.readyState <= WebSocket.OPEN) socket.close(code);
  }

  #send(frame: Record<string, unknown>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #fail(error: LiveError): void {
    this.#set({ error });
    this.#options.onError?.(error);
  }

  #set(change: Partial<LiveState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function ownUrl(): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/live`;
}
