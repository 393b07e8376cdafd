// Node's ws: a line on standard input broadcasts 500 bytes; prints when it began (monotonic ns).
import { createInterface } from "node:readline";
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ port: Number(process.argv[2]), host: "127.0.0.1", perMessageDeflate: false });
server.on("connection", (socket) => socket.on("error", () => {}));
createInterface({ input: process.stdin }).on("line", () => {
  const began = process.hrtime.bigint();
  const payload = JSON.stringify({ type: "alert", padding: "x".repeat(470) });
  for (const client of server.clients) client.send(payload);
  console.log(String(began));
});
