/** A live endpoint on loopback that speaks the protocol, with switches for what can go wrong. */
import { type AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

export interface Received {
  type: string;
  token?: string;
  framework_id?: string | null;
  since?: number | null;
}

export class LiveServer {
  readonly received: Received[] = [];
  readonly #server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  readonly #log: { cursor: number; text: string; framework: string }[] = [];
  #cursor = 0;
  url = "";
  accepts: (token: string | undefined) => boolean = () => true;
  answersPings = true;
  expires_at: string | null = null;
  /** Cursors before this one are gone. */
  keptFrom = 0;

  static async start(): Promise<LiveServer> {
    const server = new LiveServer();
    await new Promise((resolve) => server.#server.once("listening", resolve));
    server.url = `ws://127.0.0.1:${(server.#server.address() as AddressInfo).port}`;
    return server;
  }

  constructor() {
    this.#server.on("connection", (socket) => {
      socket.on("message", (data) => this.#answer(socket, JSON.parse(String(data)) as Received));
    });
  }

  get connections(): number {
    return this.#server.clients.size;
  }

  /** Append an event; those who are connected get it now. */
  emit(id: string, framework = "f1"): number {
    const cursor = ++this.#cursor;
    const text = JSON.stringify({
      type: "alert",
      cursor,
      data: { id, framework_id: framework },
      timestamp: "",
    });
    this.#log.push({ cursor, text, framework });
    this.sendToAll(text);
    return cursor;
  }

  sendToAll(text: string): void {
    for (const client of this.#server.clients) client.send(text);
  }

  /** As when a cable is pulled: no closing handshake. */
  cut(): void {
    for (const client of this.#server.clients) client.terminate();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(socket: WebSocket, frame: Received): void {
    this.received.push(frame);
    const send = (answer: object) => socket.send(JSON.stringify(answer));
    switch (frame.type) {
      case "auth":
        if (this.accepts(frame.token)) return send({ type: "auth_success", expires_at: this.expires_at });
        send({ type: "auth_failed", detail: "This token is not good." });
        return socket.close(4401);
      case "ping":
        if (this.answersPings) send({ type: "pong" });
        return;
      case "subscribe": {
        const since = frame.since ?? null;
        if (since !== null && since < this.keptFrom) send({ type: "resync", cursor: this.#cursor });
        send({ type: "subscribed", framework_id: frame.framework_id ?? null, cursor: this.#cursor });
        if (since === null || since < this.keptFrom) return;
        for (const event of this.#log) {
          const wanted = frame.framework_id == null || frame.framework_id === event.framework;
          if (wanted && event.cursor > since) socket.send(event.text);
        }
      }
    }
  }
}

/** Wait for a condition, and say what was waited for when it does not come. */
export async function until(condition: () => boolean, what: string, limit = 5_000): Promise<void> {
  const end = Date.now() + limit;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`did not happen within ${limit} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
