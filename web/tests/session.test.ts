import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Session } from "@/api/session";

/** An identity endpoint whose refresh tokens work once, as the real one's do. */
let server: Server;
let good: Set<string>;
let exchanges: number;
let issued: number;

beforeEach(async () => {
  good = new Set();
  exchanges = 0;
  issued = 0;
  const grant = () => {
    issued += 1;
    good.add(`refresh-${issued}`);
    return {
      access_token: `access-${issued}`,
      refresh_token: `refresh-${issued}`,
      token_type: "bearer",
      expires_in: 3600,
      user: { id: "u", email: "a@example.org", name: "A", timezone: "UTC" },
      workspace: { id: "w", slug: "w", name: "W", timezone: "UTC" },
      role: "owner",
    };
  };
  server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => (text += String(chunk)));
    request.on("end", () => {
      const body = JSON.parse(text) as Record<string, string>;
      const answer = (status: number, value: unknown) => {
        response.writeHead(status, { "Content-Type": "application/json" });
        response.end(JSON.stringify(value));
      };
      const refuse = () =>
        answer(401, {
          title: "Not authenticated",
          status: 401,
          code: "not_authenticated",
          detail: "Not good.",
        });
      if (request.url === "/auth/sign-in")
        return body["password"] === "right" ? answer(200, grant()) : refuse();
      exchanges += 1;
      return good.delete(body["refresh_token"] ?? "") ? answer(200, grant()) : refuse();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(() => new Promise((resolve) => server.close(resolve)));

function memory() {
  const values = new Map<string, string>();
  return {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
    removeItem: (key: string) => void values.delete(key),
  };
}

function session(storage = memory()) {
  const { port } = server.address() as AddressInfo;
  return new Session({ storage, fetch, base: `http://127.0.0.1:${port}` });
}

describe("Session", () => {
  it("signs in and hands out the token without asking again", async () => {
    const one = session();
    await one.signIn("a@example.org", "right");
    expect(one.getState()).toMatchObject({ status: "signed-in", identity: { role: "owner" } });
    expect(await one.token()).toBe("access-1");
    expect(exchanges).toBe(0);
  });

  it("says why a sign-in was refused", async () => {
    const one = session();
    await expect(one.signIn("a@example.org", "wrong")).rejects.toMatchObject({
      status: 401,
      code: "not_authenticated",
    });
  });

  it("exchanges the refresh token once, however many ask at the same time", async () => {
    const one = session();
    await one.signIn("a@example.org", "right");
    const tokens = await Promise.all([one.token(true), one.token(true), one.token(true)]);
    expect(tokens).toEqual(["access-2", "access-2", "access-2"]);
    expect(exchanges).toBe(1);
  });

  it("tabs that start together take turns, with locks or without", async () => {
    const storage = memory();
    await session(storage).signIn("a@example.org", "right");
    const tabs = [session(storage), session(storage), session(storage)];
    await Promise.all(tabs.map((tab) => tab.restore()));
    expect(tabs.map((tab) => tab.getState().status)).toEqual(["signed-in", "signed-in", "signed-in"]);
    expect(exchanges).toBe(3);
  });

  it("restores what another page of the same browser left", async () => {
    const storage = memory();
    await session(storage).signIn("a@example.org", "right");
    const other = session(storage);
    await other.restore();
    expect(other.getState()).toMatchObject({ status: "signed-in" });
    expect(await other.token()).toBe("access-2");
  });

  it("forgets a refresh token that the server refuses, and says that the session ended", async () => {
    const storage = memory();
    storage.setItem("convex.refresh_token", "spent");
    const one = session(storage);
    await one.restore();
    expect(one.getState()).toEqual({ status: "signed-out", reason: "expired" });
    expect(storage.getItem("convex.refresh_token")).toBeNull();
  });

  it("keeps the refresh token while the server cannot be reached", async () => {
    const storage = memory();
    storage.setItem("convex.refresh_token", "kept");
    const away = new Session({ storage, fetch, base: "http://127.0.0.1:9" });
    await away.restore();
    expect(away.getState()).toEqual({ status: "signed-out" });
    expect(storage.getItem("convex.refresh_token")).toBe("kept");
  });

  it("keeps nothing after signing out", async () => {
    const storage = memory();
    const one = session(storage);
    await one.signIn("a@example.org", "right");
    await one.signOut();
    expect(one.getState()).toEqual({ status: "signed-out" });
    expect(await one.token()).toBeNull();
    expect(storage.getItem("convex.refresh_token")).toBeNull();
  });
});
