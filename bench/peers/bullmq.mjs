// BullMQ doing nothing but its own work. Prints one JSON line: jobs per second, and p95 at 100/s.
import { Queue, Worker } from "bullmq";

const [port, jobs, paced] = process.argv.slice(2).map(Number);
const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
const queue = new Queue("bench", { connection });
await queue.waitUntilReady();

function work(total, concurrency, handle) {
  return new Promise((resolve) => {
    let done = 0;
    const worker = new Worker(
      "bench",
      async (job) => {
        handle(job);
        if (++done === total) resolve(worker);
      },
      { connection, concurrency, removeOnComplete: { count: 0 } },
    );
  });
}

const batch = Array.from({ length: 1000 }, (_, n) => ({ name: "job", data: { n } }));
for (let n = 0; n < jobs; n += batch.length) await queue.addBulk(batch);
const start = process.hrtime.bigint();
await (await work(jobs, 200, () => {})).close();
const seconds = Number(process.hrtime.bigint() - start) / 1e9;

const waits = [];
const working = work(paced, 200, (job) => waits.push(performance.now() - job.data.at));
for (let n = 0; n < paced; n++) {
  const next = new Promise((resolve) => setTimeout(resolve, 10));
  await queue.add("job", { at: performance.now() });
  await next;
}
await (await working).close();
await queue.close();
waits.sort((a, b) => a - b);
console.log(
  JSON.stringify({ rate: jobs / seconds, p95_ms: waits[Math.floor(waits.length * 0.95)] }),
);
