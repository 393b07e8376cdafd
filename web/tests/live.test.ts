import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AlertSocket, type AlertSocketOptions, type LiveError } from "@/live";
import { LiveServer, until } from "./support/live-server";

let server: LiveServer;
const sockets: AlertSocket[] = [];

beforeEach(async () => {
  server = await LiveServer.start();
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.disconnect();
  await server.stop();
});

function open(options: Partial<AlertSocketOptions> = {}) {
  const ids: string[] = [];
  const errors: LiveError[] = [];
  const socket = new AlertSocket({
    token: "good",
    url: server.url,
    backoffMs: { first: 10, longest: 40 },
    onAlert: ({ id }) => ids.push(id),
    onError: (error) => errors.push(error),
    ...options,
  });
  sockets.push(socket);
  socket.subscribe(null);
  socket.connect();
  const subscriptions = () => server.received.filter(({ type }) => type === "subscribe");
  return { socket, ids, errors, subscriptions };
}

async function connected(socket: AlertSocket): Promise<void> {
  await until(() => socket.getState().isConnected, "a connection");
}

describe("AlertSocket", () => {
  it("signs in, subscribes and hands over alerts", async () => {
    let announced = 0;
    const { socket, ids, subscriptions } = open({ onConnect: () => announced++ });
    expect(socket.getState().isConnecting).toBe(true);
    await until(() => announced === 1, "the announcement of the connection");
    server.emit("a");
    await until(() => ids.length === 1, "the alert");
    expect(ids).toEqual(["a"]);
    expect(server.received[0]).toEqual({ type: "auth", token: "good" });
    expect(subscriptions()).toEqual([{ type: "subscribe", framework_id: null, since: null }]);
    expect(socket.getState()).toMatchObject({ isConnected: true, isConnecting: false, error: null });
    expect(socket.getState().messageCount).toBe(3);
  });

  it("comes back after a cut and resumes after the last event, missing nothing and repeating nothing", async () => {
    const { socket, ids, subscriptions } = open();
    await until(() => subscriptions().length === 1, "the subscription");
    server.emit("a");
    await until(() => ids.length === 1, "the first alert");
    server.cut();
    await until(() => !socket.getState().isConnected, "the loss of the connection");
    server.emit("while away 1");
    server.emit("while away 2");
    await until(() => ids.length === 3, "what happened meanwhile");
    expect(subscriptions().at(-1)).toEqual({ type: "subscribe", framework_id: null, since: 1 });
    server.emit("b");
    await until(() => ids.length === 4, "the next alert");
    expect(ids).toEqual(["a", "while away 1", "while away 2", "b"]);
  });

  it("resumes from the cursor at which it subscribed when no event came before the cut", async () => {
    server.emit("before");
    const { socket, ids, subscriptions } = open();
    await until(() => subscriptions().length === 1, "the subscription");
    await until(() => socket.getState().messageCount >= 2, "its confirmation");
    server.cut();
    await until(() => !socket.getState().isConnected, "the loss of the connection");
    server.emit("while away");
    await until(() => ids.length === 1, "what happened meanwhile");
    expect(ids).toEqual(["while away"]);
  });

  it("drops an event that it has seen, by its cursor", async () => {
    const { socket, ids } = open();
    await connected(socket);
    const event = (cursor: number, id: string) =>
      JSON.stringify({ type: "alert", cursor, data: { id, framework_id: "f1" }, timestamp: "" });
    for (const [cursor, id] of [
      [7, "a"],
      [7, "a"],
      [8, "b"],
      [7, "a"],
    ] as const) {
      server.sendToAll(event(cursor, id));
    }
    server.sendToAll(event(9, "c"));
    await until(() => ids.includes("c"), "the last alert");
    expect(ids).toEqual(["a", "b", "c"]);
  });

  it("keeps a cursor per subscription", async () => {
    const { socket, ids, subscriptions } = open();
    socket.unsubscribe(null);
    socket.subscribe("f1");
    socket.subscribe("f2");
    await until(() => subscriptions().length === 2, "both subscriptions");
    server.emit("a", "f1");
    server.emit("b", "f1");
    server.emit("c", "f2");
    server.emit("d", "f1");
    await until(() => ids.length === 4, "the alerts");
    server.received.length = 0;
    server.cut();
    await until(() => subscriptions().length === 2, "both subscriptions again");
    expect(subscriptions()).toEqual([
      { type: "subscribe", framework_id: "f1", since: 4 },
      { type: "subscribe", framework_id: "f2", since: 3 },
    ]);
  });

  it("replays from a given cursor", async () => {
    server.emit("a");
    server.emit("b");
    const { socket, ids } = open();
    await connected(socket);
    socket.subscribe("f1", 1);
    await until(() => ids.length === 1, "the replayed alert");
    expect(ids).toEqual(["b"]);
  });

  it("says that everything must be loaded anew when too much was missed", async () => {
    let resyncs = 0;
    const { ids, subscriptions } = open({ onResync: () => resyncs++ });
    await until(() => subscriptions().length === 1, "the subscription");
    server.emit("a");
    await until(() => ids.length === 1, "the alert");
    server.emit("b");
    server.keptFrom = 100;
    server.cut();
    await until(() => resyncs === 1, "the word that more was missed");
    server.emit("c");
    await until(() => ids.includes("c"), "the stream to go on");
  });

  it("pings, and leaves a connection that does not answer", async () => {
    server.answersPings = false;
    const { socket, errors } = open({ heartbeatMs: 20, pongTimeoutMs: 20 });
    await connected(socket);
    await until(() => errors.some(({ code }) => code === "silent"), "the silence to be noticed");
    server.answersPings = true;
    await until(() => socket.getState().isConnected, "a new connection");
    expect(server.received.filter(({ type }) => type === "ping").length).toBeGreaterThan(0);
    expect(server.received.filter(({ type }) => type === "auth").length).toBeGreaterThan(1);
  });

  it("asks for a new token when the server refuses the old one", async () => {
    server.accepts = (token) => token === "renewed";
    const asked: boolean[] = [];
    const { socket, errors } = open({
      token: (renew) => {
        asked.push(renew);
        return renew ? "renewed" : "old";
      },
    });
    await connected(socket);
    expect(asked).toEqual([false, true]);
    expect(errors.map(({ code }) => code)).toEqual(["auth_failed"]);
  });

  it("renews the token over the same connection before it ends", async () => {
    server.expires_at = new Date(Date.now() + 45_100).toISOString();
    const { socket, subscriptions } = open({ token: (renew) => (renew ? "renewed" : "first") });
    await until(() => server.received.some(({ token }) => token === "renewed"), "the renewal");
    expect(socket.getState().isConnected).toBe(true);
    expect(server.connections).toBe(1);
    expect(subscriptions().length).toBe(1);
    server.expires_at = null;
  });

  it("does not go on asking with a fixed token that was refused", async () => {
    server.accepts = () => false;
    const { socket, errors } = open();
    await until(() => errors.length === 1, "the refusal");
    await until(() => server.connections === 0, "the end of the connection");
    expect(socket.getState()).toMatchObject({ isConnected: false, isConnecting: false });
    server.accepts = () => true;
    socket.configure({ token: "another" });
    socket.connect();
    await connected(socket);
  });

  it("waits longer each time, with jitter, up to a limit", async () => {
    const waits: number[] = [];
    const { url } = server;
    await server.stop();
    const original = globalThis.setTimeout;
    const spy = ((work: () => void, wait?: number) => {
      if (wait !== undefined && wait >= 5 && wait % 1 !== 0) waits.push(wait);
      return original(work, wait);
    }) as typeof setTimeout;
    globalThis.setTimeout = spy;
    try {
      open({ url, backoffMs: { first: 10.5, longest: 60.5 }, random: () => 0.5 });
      await until(() => waits.length >= 5, "five retries");
    } finally {
      globalThis.setTimeout = original;
    }
    expect(waits.slice(0, 5).map((wait) => wait / 0.75)).toEqual([10.5, 21, 42, 60.5, 60.5]);
    server = await LiveServer.start();
  });

  it("stays away after disconnect", async () => {
    const { socket } = open();
    await connected(socket);
    socket.disconnect();
    await until(() => server.connections === 0, "the end of the connection");
    expect(socket.getState()).toMatchObject({ isConnected: false, isConnecting: false, error: null });
  });

  it("survives frames that it cannot read", async () => {
    const { socket, ids } = open();
    await connected(socket);
    for (const text of ["", "nonsense", "[]", "null", '{"type":7}', '{"type":"unheard of"}'])
      server.sendToAll(text);
    server.emit("a");
    await until(() => ids.length === 1, "the alert");
    expect(socket.getState().isConnected).toBe(true);
  });
});
